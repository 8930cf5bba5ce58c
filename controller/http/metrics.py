"""Routes for those who watch the service: whether it lives, and figures for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from fastapi.security import HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from controller.http.door import Outlook
from controller.snapshot import Snapshot


class Health(BaseModel):
    """That it lives, and which version it is."""

    ok: bool
    version: str


class Figures(Collector):
    """A snapshot as figures."""

    def __init__(self, snapshot: Snapshot, refusals: dict[str, int]) -> None:
        self._snapshot = snapshot
        self._refusals = refusals

    def collect(self) -> Iterable[Metric]:
        """Every figure."""
        now = self._snapshot
        session = now.session
        yield GaugeMetricFamily("percuss_session_running", "1 while a session runs.", float(session is not None))
        left_s = session.total_left_s if session else 0.0
        yield GaugeMetricFamily("percuss_session_left_seconds", "What is left of the session.", left_s)
        paused = float(session is not None and session.is_paused)
        yield GaugeMetricFamily("percuss_session_paused", "1 while the session is paused.", paused)
        engaged = float(now.emergency_stop.is_engaged)
        yield GaugeMetricFamily("percuss_emergency_stop", "1 while the emergency stop is in.", engaged)
        yield GaugeMetricFamily("percuss_devices_paired", "How many devices are paired.", len(now.devices))
        yield CounterMetricFamily("percuss_happenings", "What happened since the service began.", now.last_id)
        asked = GaugeMetricFamily("percuss_device_asked_ppm", "What a device was told.", labels=["device"])
        reported = GaugeMetricFamily("percuss_device_reported_ppm", "What a device says.", labels=["device"])
        battery = GaugeMetricFamily("percuss_device_battery_percent", "What a device says.", labels=["device"])
        for device in session.devices if session else ():
            asked.add_metric([device.name], device.asked_ppm)
            if device.reported_ppm is not None:
                reported.add_metric([device.name], device.reported_ppm)
            if device.battery_pct is not None:
                battery.add_metric([device.name], device.battery_pct)
        yield from (asked, reported, battery)
        refused = CounterMetricFamily("percuss_http_refused", "Requests that were refused.", labels=["reason"])
        for reason, count in sorted(self._refusals.items()):
            refused.add_metric([reason], count)
        yield refused


def watching_routes(outlook: Outlook) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["watching"])

    @routes.get("/health")
    async def health() -> Health:
        """Whether the service lives, and is not frozen; the only thing that needs no token."""
        if not outlook.is_heard():
            raise HTTPException(503, "The service does not answer: it hangs, or is suspended.")
        return Health(ok=True, version=version("percuss"))

    described: dict[int | str, dict[str, Any]] = {
        200: {"description": "Figures.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    }
    needs_token = [Depends(HTTPBearer(auto_error=False))]

    @routes.get("/metrics", response_class=Response, responses=described, dependencies=needs_token)
    async def metrics() -> Response:
        """Figures for Prometheus."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(Figures(await outlook.snapshot(), dict(outlook.refusals.counts)))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return routes
