"""What happens to a session besides its line: the person, the body of the device, the computer, the listener."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict

from controller.events import (
    BytesIgnored,
    DeviceReported,
    Event,
    LevelAsked,
    LinkLost,
    PainTold,
    SessionEnded,
    SessionPaused,
    SessionResumed,
    SpanEnded,
    SpanStarted,
)
from controller.safety import latch
from controller.sessions import Request
from simulators.device import SimulatedDevice
from simulators.faults import FaultRefusedError, check_injection
from tests.faults.accounts import Place
from tests.faults.clockwork import Agenda, WorldClock
from tests.faults.doubles import HangingSession
from tests.faults.limits import Side
from tests.faults.link import FaultyLink
from tests.faults.scenarios import Act, Fault, Scenario
from tests.faults.witness import Witness

BODY = {
    "low_battery": "low_battery",
    "overheat": "overheat",
    "stall": "stall",
    "ignore": "refuse",
    "silence": "silence",
}
"""Faults of the scenario that the simulated device has itself."""

QUIET = (BytesIgnored, DeviceReported, LevelAsked)
"""Events that make no line of a story: the motor's own tell the same."""

BOTH: tuple[Side, ...] = ("left", "right")
PAIN_ENDS, PAIN_RISE_ENDS = 7, 2


class ListenerError(Exception):
    """What a broken display raises."""


class Happenings:
    """Brings the scenario's faults and acts about, and tells the witness who was allowed what."""

    def __init__(
        self,
        scenario: Scenario,
        witness: Witness,
        link: FaultyLink,
        gun: SimulatedDevice,
        clock: WorldClock,
        agenda: Agenda,
        tell: Callable[[str], None],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.hanging_s = 0.0
        self.slept_s = 0.0
        self.ended: SessionEnded | None = None
        self._scenario = scenario
        self._witness = witness
        self._link = link
        self._gun = gun
        self._clock = clock
        self._agenda = agenda
        self._tell = tell
        self._is_paused = False
        self._listener_fails = False
        self._pain_before = scenario.pain_before
        self._session: HangingSession
        self._running: asyncio.Task[SessionEnded]

    def begin(self, session: HangingSession, running: asyncio.Task[SessionEnded]) -> None:
        """Let everything take its course from now on."""
        self._session, self._running = session, running
        began_s = self._clock.now()
        for fault in self._scenario.faults:
            self._agenda.add(began_s + fault.at_s, lambda fault=fault: self._break(fault))  # type: ignore[misc]
        for act in self._scenario.acts:
            self._agenda.add(began_s + act.at_s, lambda act=act: self._act(act))  # type: ignore[misc]
        self._agenda.add(began_s + self._scenario.end_s, lambda: self._act(Act(0.0, "stop")))

    # The person

    def _act(self, act: Act) -> None:
        if self._running.done():
            return
        self._tell(f"the person: {act.kind}{f' {act.score}' if act.kind == 'pain' else ''}")
        match act.kind:
            case "stop":
                self._witness.ended("the person says stop")
                self._session.stop()
            case "nerve":
                self._session.tell_nerve_sign()
            case "pain":
                self._session.tell_pain(act.score)
            case "cancel":
                # Ctrl-C twice: the second one is for a session that does not come to its end.
                self._witness.ended("the person says stop")
                self._session.stop()
                self._running.cancel()
            case _:
                is_off = act.kind in {"pause", "toggle", "skip", "back"}
                if is_off and self._witness.place is not None and not self._is_paused:
                    self._witness.paused(f"the person asks for {act.kind}")
                self._session.request(Request[act.kind.upper()])

    # What goes wrong

    def _break(self, fault: Fault) -> None:
        if self._running.done():
            return
        self._tell(f"fault: {fault.kind} for {fault.for_s:.2f} s ({fault.share:g}, {fault.amount:.2f})")
        self.counts[fault.kind] += 1
        match fault.kind:
            case "sleep" | "busy":
                self._pass(fault)
            case "disconnect":
                self._link.disconnect(fault)
            case "hang":
                self.hanging_s += fault.for_s
                self._session.hangs_until_s = self._clock.now() + fault.for_s
            case "listener":
                self._listener_fails = True
            case "emergency":
                self._witness.paused("the emergency stop is in", for_good=True)
                latch.engage()
            case kind if kind in BODY:
                self._hurt(fault)
            case _:
                if fault.kind.startswith("wedge"):
                    self.hanging_s += 2 * fault.for_s
                self._link.begin(fault)

    def _pass(self, fault: Fault) -> None:
        """The computer sleeps, or is too busy for this process: time goes by and nothing here runs."""
        self._witness.check()
        self.slept_s += fault.for_s
        if fault.kind == "sleep":
            self._clock.sleep(fault.for_s)
        else:
            self._clock.jump(fault.for_s)
        self._witness.woke()

    def _hurt(self, fault: Fault) -> None:
        try:
            self._gun.inject(check_injection({"fault": BODY[fault.kind]}, list(self._scenario.profile.channels)))
        except FaultRefusedError:
            return  # it has no battery
        heal = check_injection({"fault": "clear"}, [])
        self._agenda.add(self._clock.now() + fault.for_s, lambda: self._gun.inject(heal))

    # What the session tells

    def listen(self, _: Event) -> None:
        """Be the display, which may break."""
        if self._listener_fails:
            self._witness.ended("the display broke")
            raise ListenerError

    def hear(self, event: Event) -> None:
        """Follow where the session stands; what it says of the motor is not believed."""
        if not isinstance(event, QUIET):
            told = {key: value for key, value in asdict(event).items() if key not in {"mono_s", "note", "cue"}}
            self._tell(f"{type(event).__name__} {told}")
        match event:
            case SpanStarted(is_driven=is_driven, region=region, side=side):
                sides = tuple(each for each in BOTH if side in {None, each})
                self._witness.place = Place(region, sides) if is_driven and region is not None else None
                self._is_paused = False
                if is_driven:
                    self._witness.resumed()
            case SpanEnded():
                self._witness.place = None
                self._witness.paused("the place is done")
            case SessionPaused():
                self._is_paused = True
                self._witness.paused("the session is paused")
            case SessionResumed():
                self._is_paused = False
                self._witness.resumed()
            case LinkLost():
                self._witness.paused("the link is lost")
            case PainTold(moment=moment, score=score):
                self._feel(moment, score)
            case SessionEnded():
                self.ended = event

    def _feel(self, moment: str, score: int | None) -> None:
        before = self._pain_before if moment != "before" else None
        if moment == "before" and score is not None:
            self._pain_before = score
        if score is None:
            self._witness.ended("a sign of an irritated nerve")
        elif score >= PAIN_ENDS or (before is not None and score - before >= PAIN_RISE_ENDS):
            self._witness.ended(f"pain of {score}")
