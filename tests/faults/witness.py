"""Judges a session by what the simulated motor was made to do, and when it was still allowed to.

The witness hears the motor's own record, what the line did to which frame, and when the session had, lost or got back
its permission. It asks the product nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tests.faults import limits
from tests.faults.accounts import Figures, Frame, MotorAccount, Place, Violation
from tests.faults.limits import Hold
from tests.faults.scenarios import Scenario

START_S = 1000.0
"""The world's time at which the simulated device was switched on."""

ROUNDING_S = 1e-3
"""What the stamps of the device's record may lose."""

LOOK_AHEAD_S = limits.LEASE_S
"""An excuse counts only when the permission is gone, or about to go."""


class Witness:
    """One scenario's judge. ``is_able`` says whether a byte can reach the device now."""

    def __init__(self, scenario: Scenario, now: Callable[[], float], tell: Callable[[str], None]) -> None:
        self.violations: list[Violation] = []
        self.figures = Figures()
        self.place: Place | None = None
        self.is_able: Callable[[], bool] = lambda: True
        self.speaks = scenario.profile.reports_status
        self._profile = scenario.profile
        self._holds: tuple[Hold, ...] = scenario.holds
        self._now = now
        self._tell = tell
        self._motors = {channel: MotorAccount() for channel in scenario.profile.channels}
        self._frame: tuple[Frame, bool] | None = None
        self._began_s = math.inf
        self._renewed_s = -math.inf
        self._paused_s = math.inf
        self._paused_why = ""
        self._ended_s = math.inf
        self._ended_why = ""
        self._returned: str | None = None
        self._is_given_up = False
        self._is_for_good = False

    @property
    def is_driven(self) -> bool:
        """Whether any motor is asked to run."""
        return any(motor.level for motor in self._motors.values())

    def begin(self) -> None:
        """The session begins; whatever runs already must be stopped by it now."""
        for motor in self._motors.values():
            motor.excused_until_s = self._now() + limits.AT_ONCE_S
        self._began_s = self._now()

    def renewed(self) -> None:
        """The runner says that the motor may run on."""
        self.check()
        self._renewed_s = self._now()

    def paused(self, why: str, *, for_good: bool = False) -> None:
        """The motor should be off, as soon as the runner gets to it."""
        self.check()
        self._is_for_good |= for_good
        if self._paused_s == math.inf:
            self._tell(f"permission lost: {why}")
            self._paused_why = why
        self._paused_s = min(self._paused_s, self._now())

    def resumed(self) -> None:
        """The motor may run again once the runner says so."""
        self.check()
        if self._is_for_good:
            return
        self._paused_s = math.inf
        for motor in self._motors.values():
            motor.offs_lost = 0

    def ended(self, why: str) -> None:
        """The motor must be off now, past everything, and stay so."""
        self.check()
        self._end(self._now(), why)

    def _end(self, at_s: float, why: str) -> None:
        if self._ended_s == math.inf:
            self._tell(f"must stop at once: {why}")
            self._ended_why = why
        self._ended_s = min(self._ended_s, at_s)

    @property
    def _due_s(self) -> float:
        """When the motor should have been off at the latest, if the line had carried every byte."""
        return min(self._renewed_s + limits.LEASE_S, self._paused_s + limits.LEASE_S, self._ended_s)

    def excuse(self, why: str, allowance_s: float, *, from_s: float | None = None, frame: Frame | None = None) -> None:
        """Nobody could stop the motor until now (or ``from_s``); from then on it takes ``allowance_s`` at most."""
        self.check()
        until_s = (self._now() if from_s is None else from_s) + allowance_s
        for name, motor in self._motors.items():
            if frame is None or name in frame.offs:
                if motor.level and until_s > motor.excused_until_s and self._now() + LOOK_AHEAD_S >= self._due_s:
                    self.figures.excuses[why] += 1
                motor.excused_until_s = max(motor.excused_until_s, until_s)

    def woke(self) -> None:
        """The computer did nothing until now. A permission that ran out meanwhile is not given again."""
        if self.is_driven and self._paused_s == math.inf and self._now() >= self._renewed_s + limits.LEASE_S:
            self._end(self._now(), "this computer slept or was too busy")
        for motor in self._motors.values():
            motor.excused_until_s = max(motor.excused_until_s, self._now() + limits.AT_ONCE_S)

    def lost(self, frame: Frame, how: str) -> None:
        """The line lost a frame, or what arrives is another one."""
        self.check()
        for name in {*frame.offs, *([frame.channel] if frame.channel else [])}:
            self._motors[name].disturbed_s = self._now()
        for name in frame.offs:
            self._motors[name].offs_lost += 1
        if frame.offs:
            # A link that refuses a write is opened anew.
            allowance_s = max(self._repeat_s, limits.BACK_S if how == "refused" else 0.0)
            self.excuse(f"off lost ({how})", allowance_s, frame=frame)

    def delayed(self, frame: Frame, until_s: float) -> None:
        """The line holds a frame back."""
        self.lost(frame, "late")
        for name in frame.offs:
            self._motors[name].off_arrives_s = until_s

    def arrived(self, frame: Frame) -> None:
        """A frame is at the device, unharmed."""
        for name in frame.offs:
            self._motors[name].offs_lost = 0

    def late(self, frame: Frame) -> None:
        """A frame came later than it was written: what it switches on may be over, what it switches off is off now."""
        for name in {*frame.offs, *([frame.channel] if frame.channel else [])}:
            self._motors[name].disturbed_s = self._now()
        on = Frame(frame.data, offs=frozenset([frame.channel])) if frame.channel and frame.level else None
        if on is not None:
            self.excuse("an old command arrived late", self._repeat_s, frame=on)

    def false_rest(self) -> None:
        """A report that the line kept or the device repeats says "at rest" while the motor runs: nobody can tell."""
        self.excuse("a false report of rest", limits.NOTICE_S)
        for motor in self._motors.values():
            if motor.level:
                motor.late_s = self._now()

    @property
    def _repeat_s(self) -> float:
        # Being stopped for good, or blind: Stop is repeated without waiting for the device's word.
        is_repeated = self._ended_s < math.inf or not self.speaks
        return limits.REPEAT_S if is_repeated else limits.NOTICE_S

    def obeying(self, frame: Frame | None, *, is_altered: bool = False) -> None:
        """The device takes a frame from now on; with None it has taken it."""
        self._frame = None if frame is None else (frame, is_altered)

    def append(self, entry: dict[str, Any], /) -> None:
        """Take an entry of the simulated device's record."""
        if entry["kind"] == "motor":
            motor, level = self._motors[entry["channel"]], int(entry["level"])
            if level != motor.level:
                self._change(str(entry["channel"]), motor, level, START_S + float(entry["t_s"]))
        elif entry["kind"] == "bad" and self._frame is not None and self._frame[0].channel:
            # The device does not take it: its battery is empty, its thermal switch open, or it is no command.
            self._motors[self._frame[0].channel].disturbed_s = self._now()
        elif entry["kind"] == "fault":
            self._tell(f"device: {entry['fault']}")

    def _change(self, name: str, motor: MotorAccount, level: int, at_s: float) -> None:
        self._tell(f"motor {name}: {motor.level} -> {level}")
        before, motor.level = motor.level, level
        if level > before:
            self._judge_level(name, motor, level)
            self._judge_rise(name, motor, before, level, at_s)
            motor.rose_s = at_s
        if level == 0:
            self._note_off(motor, at_s)
            if self._frame is None:
                motor.disturbed_s = at_s  # the device went off by itself, and nobody told the session
        elif before == 0:
            motor.is_reported = False
        self.check()

    def _judge_level(self, name: str, motor: MotorAccount, level: int) -> None:
        frame, is_altered = self._frame or (None, False)
        if frame is None or (self._began_s > self._now()):
            return
        cap = frame.cap if frame.channel == name else 0
        if level <= cap and not is_altered:
            return
        if is_altered and not limits.has_checksum(self._profile):
            # Flipped bits that are a valid command: no program can keep a device from obeying what it was not sent.
            # It is excused until the next off that arrives.
            self.figures.excuses["I2: a flipped bit made another command"] += 1
            motor.excused_until_s = math.inf
            motor.disturbed_s = self._now()
        elif level > cap:
            self._violate("I2", f"{name} obeyed level {level}, and the most was {cap}")

    def _judge_rise(self, name: str, motor: MotorAccount, before: int, level: int, at_s: float) -> None:
        frame, is_altered = self._frame or (None, False)
        if frame is None or self._began_s > self._now():
            return
        what = limits.wrong_rise(self._profile, before, level, frame.gentle, at_s - motor.rose_s)
        if not what:
            return
        if is_altered or motor.disturbed_s >= motor.rose_s - ROUNDING_S:
            # The session climbed as it should; what the line lost or held back on the way is a step that was felt.
            self.figures.excuses["I4: a step of the climb was lost or late"] += 1
        else:
            self._violate("I4", f"{name} {what}")

    def _note_off(self, motor: MotorAccount, at_s: float) -> None:
        lost_s = min(self._renewed_s + limits.LEASE_S, self._paused_s, self._ended_s)
        if lost_s < at_s and not self._is_given_up and self._began_s < math.inf:
            over_s = at_s - max(lost_s, self._began_s)
            is_excused = motor.excused_until_s >= lost_s
            self.figures.note_off(over_s, is_excused=is_excused, is_stop=lost_s == self._ended_s)
        # Whatever excused the motor is over with it.
        motor.excused_until_s = min(motor.excused_until_s, at_s)
        motor.is_reported = False

    def check(self) -> None:
        """Hold what runs now to the permission (I1) and, after the session, to being off (I3)."""
        now_s = self._now()
        if self._is_given_up or not self.is_driven:
            return
        if not self.is_able():
            for motor in self._motors.values():
                motor.excused_until_s = max(motor.excused_until_s, now_s + limits.BACK_S)
        for name, motor in self._motors.items():
            if not motor.level or motor.is_reported or now_s < self._began_s:
                continue
            if now_s > max(self._due_s + limits.AT_ONCE_S, motor.excused_until_s) + 1e-6:
                self._judge_running(name, motor)

    def _judge_running(self, name: str, motor: MotorAccount) -> None:
        motor.is_reported = True
        if not self.speaks and motor.offs_lost >= limits.BLIND_STOPS:
            self.figures.excuses["blind: the line lost every off"] += 1
            return
        over_s = self._now() - self._due_s
        why = self._paused_why if self._due_s == self._paused_s + limits.LEASE_S else "the lease ran out"
        why = self._ended_why if self._due_s == self._ended_s else why
        lost = f"; of the offs written last the line lost {motor.offs_lost}" if motor.offs_lost else ""
        kind = "speaks" if self.speaks else "blind"
        self._violate("I1", f"{name} ({kind}) still runs at {motor.level}, {over_s:.2f} s too long: {why}{lost}")

    def returned(self, outcome: str, reason: str) -> None:
        """The session is over."""
        self._returned = outcome
        if outcome == "stop_unconfirmed":
            self._is_given_up = True  # a person has the motor in hand now
            if "PRESS ITS BUTTON" not in reason:
                self._violate("I3", f"the stop is unconfirmed and nobody is told to press the button: {reason!r}")
            return
        self.ended("the session is over")
        for name, motor in self._motors.items():
            if not motor.level:
                continue
            if not self.speaks and motor.offs_lost >= limits.BLIND_STOPS:
                self.figures.excuses["blind: the line lost every off"] += 1
            elif motor.late_s > self._now() - limits.NOTICE_S:
                self.figures.excuses["I3: stopped by a false report of rest"] += 1
            elif motor.off_arrives_s > self._now():
                self.figures.excuses["I3: the last off was still on its way"] += 1
                motor.excused_until_s = motor.off_arrives_s + limits.AT_ONCE_S
                continue
            elif motor.excused_until_s == math.inf:
                self.figures.excuses["I3: a flipped bit"] += 1
            else:
                self._violate("I3", f"{name} runs at {motor.level} after the session ended as {outcome}")
            motor.is_reported = True

    def never_returned(self, after_s: float) -> None:
        """`Session.run` did not come back."""
        self._violate("I5", f"the session has not returned {after_s:.0f} s after the person's last word")

    def broke(self, what: str, *, rule: str = "I5") -> None:
        """Something came out that nobody documented, or went out that must not."""
        self._violate(rule, what)

    def _violate(self, rule: str, what: str) -> None:
        self.violations.append(Violation(self._now() - self._began_s, rule, what))
        self._tell(f"VIOLATION {rule}: {what}")
