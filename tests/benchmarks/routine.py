"""A fourteen-minute routine on a manual clock, every byte of it checked, and planning it."""

from __future__ import annotations

import asyncio
import time

from controller.devices import Device
from controller.safety.supervisor import Supervisor
from controller.sessions import Session
from firmware_profiles.library import find_profile
from routines.library import find_routine
from routines.planner import plan
from routines.timeline import Timeline
from tests.benchmarks.figures import Figure, median_us
from tests.helpers.manual_clock import ManualClock
from tests.helpers.scripted_transport import ScriptedGun, ScriptedTransport


def measure() -> list[Figure]:
    """`sciatica-relief` on the massage gun."""
    profile = find_profile("theragun-gen4").model_copy(update={"status_period_s": None})
    routine = find_routine("sciatica-relief")
    devices = {"massager": profile.capabilities()}
    plan_ms = median_us(lambda: plan(routine, devices), per_round=5) / 1000  # type: ignore[arg-type]
    timeline = plan(routine, devices)  # type: ignore[arg-type]
    elapsed_s = asyncio.run(_run(timeline, profile))
    return [
        Figure(f"run {timeline.duration_s / 60:.0f} minutes on a manual clock", elapsed_s, "s", "<= 0.1 s"),
        Figure("plan sciatica-relief", plan_ms, "ms", "<= 5 ms"),
    ]


async def _run(timeline: Timeline, profile: object) -> float:
    clock = ManualClock()
    gun = ScriptedGun()
    link = ScriptedTransport(clock, gun)
    device = Device("gun", profile, link, clock=clock, emit=lambda _: None)  # type: ignore[arg-type]
    opening = asyncio.ensure_future(device.open())
    while not opening.done():
        await clock.advance(0.1)
    link.log.clear()
    supervisor = Supervisor(timeline, {"massager": device}, (), clock)
    session = Session(timeline, {"massager": device}, supervisor, clock=clock, emit=lambda _: None)
    began = time.perf_counter()
    running = asyncio.ensure_future(session.run())
    await clock.settle()
    start_s = clock.now()
    await clock.advance(timeline.duration_s)
    while not running.done():
        await clock.advance(0.1)
    elapsed_s = time.perf_counter() - began
    if (ended := running.result()).outcome != "done":
        raise AssertionError(ended.reason)
    _check(link, timeline, start_s)
    return elapsed_s


def _check(link: ScriptedTransport, timeline: Timeline, start_s: float) -> None:
    """Every frame that sets a speed at its moment, its bytes made by hand, and at the end one that sets none.

    How often an off is said depends on what the gun answers.
    """
    wanted = []
    for cue in timeline.cues():
        level = getattr(cue.command, "level", None)
        if level:
            body = bytes([1, 3]) + level.to_bytes(2, "big") + bytes([3])
            wanted.append((round(cue.at_s, 3), bytes([0xAA, sum(body) & 0xFF]) + body))
    said = [(round(at_s - start_s, 3), frame) for at_s, frame, _ in link.log if frame[2:4] == b"\x01\x03"]
    seen = [(at_s, frame) for at_s, frame in said if any(frame[4:6])]
    if [frame for _, frame in seen] != [frame for _, frame in wanted]:
        raise AssertionError("the bytes differ from the plan")
    if any(abs(at - plan_at) > 0.05 for (at, _), (plan_at, _) in zip(seen, wanted, strict=True)):
        raise AssertionError("a frame was not sent at its moment")
    if any(said[-1][1][4:6]):
        raise AssertionError("the last word is not off")
