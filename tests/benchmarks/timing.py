"""How late the session's steps are, against a bare asyncio loop that sleeps until the same absolute deadlines."""

from __future__ import annotations

import asyncio
import time

from controller.clock import SystemClock
from controller.devices import Device
from controller.safety.supervisor import Supervisor
from controller.sessions import Session
from firmware_profiles.commands import SetLevel
from firmware_profiles.library import find_profile
from firmware_profiles.units import Level
from routines.timeline import Cue, Span, Timeline
from tests.benchmarks.figures import Figure
from tests.helpers.scripted_transport import ScriptedTransport


def measure() -> list[Figure]:
    """Ten times a second for a minute, and fifty times a second for twenty seconds."""
    figures = []
    for rate_hz, duration_s in ((10, 60), (50, 20)):
        ours, raw = asyncio.run(_measure(rate_hz, duration_s))
        figures.append(Figure(f"lateness p99 at {rate_hz} Hz", _p99(ours), "ms", "<= 5 ms", _p99(raw)))
        if duration_s >= 60:
            figures.append(Figure("drift over a minute", _drift(ours), "ms", "<= 5 ms", _drift(raw)))
    return figures


async def _measure(rate_hz: int, duration_s: int) -> tuple[list[float], list[float]]:
    """The lateness of each step in milliseconds: the session's, and at the same time a bare loop's."""
    return await asyncio.gather(_session(rate_hz, duration_s), _bare(rate_hz, duration_s))


async def _session(rate_hz: int, duration_s: int) -> list[float]:
    steps = rate_hz * duration_s
    signals = tuple(Cue(n / rate_hz, "timer", SetLevel("relay1", Level(n % 2))) for n in range(steps))
    timeline = Timeline("bench", (Span("rest", float(duration_s), 1, 1, "", signals=signals),), ("timer",))
    clock = SystemClock()
    link = ScriptedTransport(clock)
    device = Device("relay", find_profile("lcus-relay"), link, clock=clock, emit=lambda _: None)
    await device.open()
    started = 0.0

    def begin(event: object) -> None:
        nonlocal started
        if type(event).__name__ == "SpanStarted":
            started = time.monotonic()

    session = Session(
        timeline, {"timer": device}, Supervisor(timeline, {"timer": device}, (), clock), clock=clock, emit=begin
    )
    await session.run()
    times = [at_s for at_s, frame, _ in link.log if at_s >= started and frame[1] == 1][:steps]
    return [(at_s - started - n / rate_hz) * 1000 for n, at_s in enumerate(times)]


async def _bare(rate_hz: int, duration_s: int) -> list[float]:
    began = time.monotonic()
    late = []
    for n in range(rate_hz * duration_s):
        await asyncio.sleep(max(0.0, began + n / rate_hz - time.monotonic()))
        late.append((time.monotonic() - began - n / rate_hz) * 1000)
    return late


def _p99(late_ms: list[float]) -> float:
    return sorted(late_ms)[int(len(late_ms) * 0.99)]


def _drift(late_ms: list[float]) -> float:
    """How much later the last second is than the first, by their medians."""
    tenth = max(1, len(late_ms) // 60)
    return sorted(late_ms[-tenth:])[tenth // 2] - sorted(late_ms[:tenth])[tenth // 2]
