"""The route that tells what percuss knows of the body: the places, how to find them, and what to keep off there."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from routines.regions import regions


class RegionLine(BaseModel):
    """A place, the same on both sides. ``why_not`` says why one that is not ``is_drivable`` is for hands only."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    landmark: str
    how: str
    avoid: list[str]
    check_first: str
    is_drivable: bool
    why_not: str


class Regions(BaseModel):
    """The places, in the order of the table."""

    regions: list[RegionLine]


def region_routes() -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["looking"])

    @routes.get("/regions")
    async def list_regions() -> Regions:
        """The places on the body that routines may name."""
        return Regions(
            regions=[
                RegionLine(
                    id=each.id,
                    name=each.name,
                    landmark=each.landmark,
                    how=each.how,
                    avoid=list(each.avoid),
                    check_first=each.check_first,
                    is_drivable=each.drivable,
                    why_not=each.why_not,
                )
                for each in regions().values()
            ]
        )

    return routes
