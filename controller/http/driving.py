"""Routes that move something, or stop it: sessions and the emergency stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Self

from fastapi import APIRouter, Request
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from controller.errors import StopUnconfirmedError
from controller.events import SessionEnded
from controller.exit_codes import name_of_error
from controller.http.door import Door, asker
from controller.http.wishes import PainWord, SessionNumber, StartWish
from controller.sessions import BY_THE_PERSON
from controller.sessions import Request as Wanted
from controller.snapshot import Snapshot
from controller.station import Running
from controller.stopping import StopResult
from firmware_profiles.capabilities import Role
from firmware_profiles.errors import PercussError
from routines.timeline import Span

_STOP_BODY = '`{"number": 3}` stops only that session; anything else, or nothing, stops whatever runs.'


class PlanNow(BaseModel):
    """The plan of a session; ``number`` counts the sessions since the service began. Times are its seconds."""

    number: int
    routine: str
    duration_s: float
    spans: tuple[Span, ...]
    roles: tuple[Role, ...]
    closing_note: str

    @classmethod
    def of(cls, running: Running, **more: Any) -> Self:
        """The plan of a session."""
        plan = running.live.plan
        return cls(
            number=running.number,
            routine=plan.routine,
            duration_s=plan.duration_s,
            spans=plan.spans,
            roles=plan.roles,
            closing_note=plan.closing_note,
            **more,
        )


class Started(PlanNow):
    """A session that is under way, and who asked for it."""

    by: str


class Stopped(BaseModel):
    """What was stopped: how the session ended, or null when none ran; and the number of one that still runs."""

    ended: dict[str, Any] | None
    running: int | None


class Done(BaseModel):
    """It was asked of the session; an event tells when the limits refuse it."""

    ok: bool = True


class DeviceStop(BaseModel):
    """What became of a device: ``proof`` as in the event `device_stopped`, or the problem's type and sentence."""

    proof: str | None = None
    attempts: int | None = None
    type: str | None = None
    problem: str | None = None


class EmergencyStopped(BaseModel):
    """The emergency stop is in. ``is_confirmed`` is false when a device may still run: press its button."""

    is_confirmed: bool
    devices: dict[str, DeviceStop]


class Cleared(BaseModel):
    """Things may start again; since when they could not, null when they could."""

    since_utc: str | None


def device_stop(result: StopResult | PercussError) -> DeviceStop:
    """What became of one device."""
    if isinstance(result, PercussError):
        return DeviceStop(type=name_of_error(result), problem=f"{result} If it runs, press its button.")
    return DeviceStop(proof=result.proof, attempts=result.attempts)


def driving_routes(door: Door) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["session"])
    station = door.station

    @routes.post("/session", status_code=201)
    async def start_session(wish: StartWish, request: Request) -> Started:
        """Start a session; it is under way when this answers."""
        station.require_idle()  # before any file is read: a flood of starts costs the session that runs nothing
        as_of = station.stops  # a stop that comes while files are read is meant for this one too
        order = await door.look_up(lambda: wish.order(asker(request)))
        running = await station.start(order, as_of=as_of)
        return Started.of(running, by=running.by)

    @routes.get("/session")
    async def look_at_session() -> Snapshot:
        """Where everything stands now."""
        return await door.fresh_snapshot()

    @routes.get("/session/plan")
    async def look_at_plan() -> PlanNow:
        """The plan of the session that runs."""
        running = station.running
        if running is None:
            raise HTTPException(404, "No session runs.")
        return PlanNow.of(running)

    @routes.post("/session/renew")
    async def renew_session(word: SessionNumber) -> Done:
        """Say that whoever started this session with a lease is still there."""
        station.renew(word.number)
        return Done()

    def asking(wanted: Wanted, says: str) -> None:
        async def ask_session() -> Done:
            station.ask(wanted)
            return Done()

        ask_session.__doc__ = says
        name = wanted.name.lower()
        routes.add_api_route(
            f"/session/{name}",
            ask_session,
            methods=["POST"],
            operation_id=f"{name}_session",
            summary=f"{name.capitalize()} Session",
        )

    asking(Wanted.PAUSE, "Let the motor rest and time stand still.")
    asking(Wanted.RESUME, "Go on; also: the person is in place, or does not want to say how much it hurts.")
    asking(Wanted.SKIP, "Go on to the next place.")
    asking(Wanted.BACK, "Back to the start of this place, or to the one before.")
    asking(Wanted.EXTRA, "More time here.")
    asking(Wanted.STRONGER, "Stronger, as far as the place bears it.")
    asking(Wanted.SOFTER, "Softer.")

    @routes.post("/session/pain")
    async def tell_pain(word: PainWord) -> Done:
        """Tell how much it hurts. A rise of 2, or 7 and more, stops everything."""
        station.tell_pain(word.score)
        return Done()

    @routes.post("/session/nerve-sign")
    async def tell_nerve_sign() -> Done:
        """Tell of tingling, numbness or shooting pain: everything stops at once."""
        station.tell_nerve_sign()
        return Done()

    routes.include_router(_stopping_routes(door))
    return routes


def _stopping_routes(door: Door) -> APIRouter:
    routes = APIRouter()
    station = door.station

    anything = {"requestBody": {"description": _STOP_BODY, "content": {"application/json": {"schema": {}}}}}

    @routes.post("/session/stop", openapi_extra=anything)
    async def stop_session(request: Request) -> Stopped:
        """Stop, and wait until everything is at rest; also what is just being prepared. With a number only that one."""
        by, number = asker(request), _number(await request.body())
        is_own = station.running is not None and station.running.by == by
        ended = await station.stop(BY_THE_PERSON if is_own else f"stopped by {by}", number=number)
        return Stopped(ended=_told(ended), running=station.running.number if station.running else None)

    @routes.post("/emergency-stop")
    async def stop_everything(request: Request) -> EmergencyStopped:
        """Stop every session and every paired device; nothing starts until it is cleared."""
        return _all_told(await station.stop_everything(asker(request)))

    @routes.delete("/emergency-stop")
    async def clear_emergency_stop(request: Request) -> Cleared:
        """Let things start again, when everybody is safe."""
        return Cleared(since_utc=station.clear(asker(request)))

    return routes


def _number(body: bytes) -> int | None:
    """The session that a stop means. None, for whatever runs, unless it says so clearly: when in doubt, stop."""
    try:
        return SessionNumber.model_validate_json(body).number
    except ValidationError:
        return None


def _told(ended: SessionEnded | None) -> dict[str, Any] | None:
    if ended is not None and ended.outcome == "stop_unconfirmed":
        raise StopUnconfirmedError(ended.reason, fix="Press the button of the device now.")
    return None if ended is None else asdict(ended)


def _all_told(results: Mapping[str, StopResult | PercussError]) -> EmergencyStopped:
    devices = {name: device_stop(result) for name, result in results.items()}
    return EmergencyStopped(
        is_confirmed=all(each.proof in {"confirmed", "cannot_report"} for each in devices.values()), devices=devices
    )
