"""One scenario, played: a real session over a real codec to a simulated motor, in a time of its own."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from controller.events import Announcer, Event, SessionEnded
from controller.safety import latch
from firmware_profiles.codec import Codec
from firmware_profiles.commands import SetLevel
from firmware_profiles.units import Level
from routines.timeline import Timeline
from simulators.clock import ManualClock as SimulatorClock
from simulators.device import SimulatedDevice
from simulators.recorder import Recorder
from tests.faults import limits
from tests.faults.accounts import Figures, Violation
from tests.faults.clockwork import Agenda, ClockLoop, WorldClock
from tests.faults.doubles import PRODUCT, HangingSession, Parts
from tests.faults.happening import Happenings
from tests.faults.limits import full_level, is_switch
from tests.faults.link import FaultyLink
from tests.faults.scenarios import MASSAGER, Scenario
from tests.faults.witness import START_S, Witness

OPENING_S = 60.0
"""How long opening a link that works may take."""


@dataclass(slots=True)
class Outcome:
    """What came of one scenario. ``counts`` is how often each fault struck."""

    seed: int
    profile: str
    outcome: str
    simulated_s: float
    violations: list[Violation]
    figures: Figures
    counts: Counter[str]
    story: list[str]


class Story:
    """What happened, line by line, with the seconds since the session began."""

    def __init__(self, clock: WorldClock, *, is_told: bool) -> None:
        self.lines: list[str] = []
        self.began_s = clock.now()
        self._clock = clock
        self._is_told = is_told

    def __call__(self, what: str) -> None:
        """Tell what happens now."""
        if self._is_told:
            self.lines.append(f"{self._clock.now() - self.began_s:9.3f}  {what}")


def play(scenario: Scenario, parts: Parts = PRODUCT, *, tells: bool = False) -> Outcome:
    """Play a scenario from its beginning until some time after its end. Time is simulated; nothing is waited for."""
    clock = WorldClock()
    loop = ClockLoop(clock)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(_judged(scenario, parts, clock, loop, Story(clock, is_told=tells)))


async def _judged(scenario: Scenario, parts: Parts, clock: WorldClock, loop: ClockLoop, tell: Story) -> Outcome:
    unseen: list[str] = []
    loop.set_exception_handler(lambda _, context: unseen.append(f"{context['message']}: {context.get('exception')!r}"))
    outcome = await _play(scenario, parts, clock, loop, tell)
    # An error that nobody looked at is told when it is forgotten: here, and not in the middle of another scenario.
    gc.collect()
    outcome.violations += [Violation(outcome.simulated_s, "I5", what) for what in unseen]
    return outcome


async def _play(scenario: Scenario, parts: Parts, clock: WorldClock, loop: ClockLoop, tell: Story) -> Outcome:
    witness = Witness(scenario, clock.now, tell)
    machine = SimulatorClock()
    gun = SimulatedDevice(scenario.profile, clock=machine, recorder=Recorder(witness, machine), seed=scenario.seed)

    def catch_up() -> None:
        machine.advance(max(0.0, clock.now() - START_S - machine.now()))
        gun.catch_up()

    def step() -> None:
        catch_up()
        witness.check()

    agenda = Agenda(clock, loop, step)
    link = FaultyLink(scenario, gun, witness, clock, agenda, tell, catch_up)
    happenings = Happenings(scenario, witness, link, gun, clock, agenda, tell)
    announce = Announcer(happenings.listen)

    def emit(event: Event) -> None:
        happenings.hear(event)
        announce(event)

    device = parts.device(MASSAGER, scenario.profile, link, clock=clock, emit=emit)
    opening = asyncio.ensure_future(device.open())
    await agenda.run_until(clock.now() + OPENING_S, opening.done)
    opening.result()
    if scenario.left_running:
        _leave_running(scenario, gun)

    timeline = tampered(scenario)
    supervisor = parts.supervisor(timeline, {"massager": device}, scenario.bounds, clock)
    supervisor.on_renewal = witness.renewed
    options: dict[str, Any] = {**scenario.options, "pain_before": scenario.pain_before}
    session = HangingSession(timeline, {"massager": device}, supervisor, clock=clock, emit=emit, **options)
    announce.on_failure = lambda: session.stop("percuss itself failed")

    tell.began_s = began_s = clock.now()
    witness.begin()
    running = asyncio.ensure_future(session.run())
    happenings.begin(session, running)
    await _until_returned(scenario, clock, agenda, happenings, running, witness)
    outcome = _judge_end(running, happenings.ended, witness, tell)
    closing = asyncio.ensure_future(device.close())
    await agenda.run_until(clock.now() + limits.AFTER_S + happenings.hanging_s)
    if left := asyncio.all_tasks() - {asyncio.current_task(), closing if closing.done() else None}:
        names = sorted(str(getattr(task.get_coro(), "__qualname__", task)) for task in left)
        witness.broke(f"still at work after the end: {', '.join(names)}")
    latch.clear()
    link.is_over = True
    return Outcome(
        seed=scenario.seed,
        profile=scenario.profile.id,
        outcome=outcome,
        simulated_s=clock.now() - began_s,
        violations=witness.violations,
        figures=witness.figures,
        counts=happenings.counts + link.counts,
        story=tell.lines,
    )


async def _until_returned(
    scenario: Scenario,
    clock: WorldClock,
    agenda: Agenda,
    happenings: Happenings,
    running: asyncio.Task[SessionEnded],
    witness: Witness,
) -> None:
    """Let the session run until it returns, or until it should have long ago."""
    began_s = clock.now()
    while not running.done():
        # What hangs and sleeps on the way is no fault of the session.
        end_s = began_s + scenario.end_s + limits.RETURN_S + happenings.hanging_s + happenings.slept_s
        if clock.now() >= end_s:
            witness.never_returned(clock.now() - began_s - scenario.end_s)
            running.cancel()
            await agenda.run_until(clock.now() + limits.RETURN_S, running.done)
            return
        await agenda.run_until(min(end_s, clock.now() + 10.0), running.done)


def _judge_end(running: asyncio.Task[SessionEnded], ended: SessionEnded | None, witness: Witness, tell: Story) -> str:
    """What `Session.run` came back with. A cancelled one tells its end as an event."""
    if not running.done():
        return "hung"
    if not running.cancelled():
        if problem := running.exception():
            witness.broke(f"run raised {problem!r}")
            return "raised"
        ended = running.result()
    if ended is None:
        witness.broke("run was cancelled and told no end")
        return "cancelled"
    tell(f"run returned: {ended.outcome}: {ended.reason}")
    witness.returned(ended.outcome, ended.reason)
    return "cancelled" if running.cancelled() else ended.outcome


def tampered(scenario: Scenario) -> Timeline:
    """The plan, made stronger than any planner would, where the scenario wants it."""
    if scenario.overreach == 1.0 or is_switch(scenario.profile):
        return scenario.timeline
    full = Level(full_level(scenario.profile))
    spans = []
    for span in scenario.timeline.spans:
        drives = [
            replace(
                drive,
                targets=tuple(
                    (at_s, Level(min(full, int(level * scenario.overreach)))) for at_s, level in drive.targets
                ),
                cap_level=full,
            )
            for drive in span.drives
        ]
        spans.append(replace(span, drives=tuple(drives)))
    return replace(scenario.timeline, spans=tuple(spans))


def _leave_running(scenario: Scenario, gun: SimulatedDevice) -> None:
    """Somebody else left the motor on."""
    channel = sorted(scenario.profile.channels)[scenario.seed % len(scenario.profile.channels)]
    with suppress(ValueError):
        for write in Codec(scenario.profile).encode(SetLevel(channel, Level(scenario.left_running))):
            gun.receive(write.data)
