"""What a device wants to hear before it listens to anything else: its wake bytes, and its ``[[init]]`` in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from firmware_profiles.codec import Codec
from firmware_profiles.commands import BadFrame
from firmware_profiles.errors import PercussError
from firmware_profiles.firmware import FirmwareCodec, Received
from firmware_profiles.links import Link
from firmware_profiles.schema import Profile

_QUERIES = ("query_status", "query_version")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a command: whether it is obeyed, why not, and the report that answers an init."""

    obeys: bool
    reason: str = ""
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    heard: Received | BadFrame
    expect: str | None


class Handshake:
    """How far a host has come with waking and initialising this device.

    ``remembers`` are parameters that this one device has instead of the defaults and of ``[simulator] remembers``.
    Raises PercussError for one that the profile does not have or that does not fit.
    """

    def __init__(self, profile: Profile, over: Link | None, remembers: Mapping[str, str]) -> None:
        try:
            mine = profile.with_parameters({**profile.simulator.remembers, **remembers})
        except ValueError as problem:
            raise PercussError(str(problem), where=profile.id, fix="Look at its [parameters].") from problem
        is_ble = over == "ble" or (over is None and profile.serial is None)
        ble = profile.ble if is_ble else None
        self._wake = bytes.fromhex(ble.wake) if ble is not None and ble.wake is not None else None
        self._is_needed = profile.simulator.needs_init
        self._parameters = {name: _plain(parameter.default) for name, parameter in mine.parameters.items()}
        # What the right bytes read as is what has to be heard: so it does not matter how a parameter is written in a
        # frame, nor whether a step looks like another command.
        self._steps = tuple(
            _Step(FirmwareCodec(profile, over).feed(step.write.data)[0], step.expect)
            for step in Codec(mine, over).init_steps()
        )
        self._is_awake = False
        self._done = 0

    @property
    def is_over(self) -> bool:
        """Whether the device listens."""
        if not self._is_needed:
            return True
        return (self._is_awake or self._wake is None) and self._done == len(self._steps)

    def forget(self) -> None:
        """Begin anew: the host has gone."""
        self._is_awake, self._done = False, 0

    def wakes(self, data: bytes) -> bool:
        """Take a write as a whole; whether it was the wake bytes."""
        if data != self._wake:
            return False
        self._is_awake = True
        return True

    def judge(self, heard: Received) -> Verdict:
        """Take a command, before it is obeyed."""
        is_init = heard.command == "init"
        if not self._is_needed:
            return Verdict(not is_init, answer=self._expected(heard) if is_init else None)
        if self._wake is not None and not self._is_awake:
            return Verdict(False, "it sleeps: the wake bytes have not come.")
        at = self._step_of(heard)
        if at is not None:
            self._done = max(self._done, at + 1)
            # A query in the place of a step is answered as any other.
            answer = None if heard.command in _QUERIES else self._steps[at].expect
            return Verdict(not is_init, answer=answer)
        if is_init:
            return Verdict(False, "an init that is not the next one, or that carries another parameter than its own.")
        if self._done < len(self._steps):
            return Verdict(False, f"it waits for step {self._done + 1} of {len(self._steps)} of its init.")
        for name in self._parameters.keys() & heard.values.keys():
            if _plain(heard.values[name]) != self._parameters[name]:
                return Verdict(False, f"it has another {name}.")
        return Verdict(True)

    def _step_of(self, heard: Received) -> int | None:
        """The number of the step that this is: the one that is due, else one that has been done."""
        for at in reversed(range(min(self._done + 1, len(self._steps)))):
            if heard == self._steps[at].heard:
                return at
        return None

    def _expected(self, heard: Received) -> str | None:
        index = heard.values["index"]
        assert isinstance(index, int)
        return self._steps[index].expect


def _plain(value: object) -> str:
    """A parameter without what two ways of writing it differ in: blanks, and the case of hex digits."""
    return str(value).replace(" ", "").upper()
