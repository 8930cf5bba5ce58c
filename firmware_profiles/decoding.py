"""What the bytes of a capture mean by a profile: every frame as a command or a report, or as what fits nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from firmware_profiles.captures import Opened, Over, Passed
from firmware_profiles.codec import Codec
from firmware_profiles.commands import BadFrame, Report
from firmware_profiles.firmware import FirmwareCodec, Received
from firmware_profiles.plain_values import report_name, report_values
from firmware_profiles.schema import Profile

MAX_STREAMS = 256
"""Links and handles that are told apart; all beyond that share one decoder."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What bytes said, in order: commands to the device, or reports from it. Nothing while a frame is unfinished."""

    passed: Passed
    said: tuple[Received | Report, ...]

    @property
    def is_understood(self) -> bool:
        """Whether something was said and all of it makes sense."""
        return bool(self.said) and not any(isinstance(one, BadFrame) for one in self.said)


class Decoder:
    """Reads what passes by one profile. Each link, and each handle on it, has its own unfinished frames."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.understood = 0
        self.total = 0
        self._over: dict[str, Over] = {}
        self._devices: dict[tuple[str, int | None], FirmwareCodec] = {}
        self._hosts: dict[tuple[str, int | None], Codec] = {}
        self._waiting: dict[tuple[str, int | None, str], int] = {}

    @property
    def share(self) -> float:
        """How much of what passed is understood, 0 to 1: of the frames, or the pieces in which they arrived."""
        return self.understood / self.total if self.total else 0.0

    def open(self, opened: Opened) -> None:
        """Take up that a link is opened (anew): what was unfinished on it is forgotten."""
        if len(self._over) < MAX_STREAMS and opened.over is not None:
            self._over[opened.link] = opened.over
        self._devices = {key: codec for key, codec in self._devices.items() if key[0] != opened.link}
        self._hosts = {key: codec for key, codec in self._hosts.items() if key[0] != opened.link}
        self._waiting = {key: count for key, count in self._waiting.items() if key[0] != opened.link}

    def take(self, passed: Passed) -> Meaning:
        """What these bytes say. Never raises."""
        if passed.left_out:
            return Meaning(passed, ())
        key = (passed.link, passed.handle)
        said: tuple[Received | Report, ...]
        if passed.direction == "tx":
            said = tuple(self._device(key).feed(passed.data))
        else:
            said = tuple(self._host(key).feed(passed.data))
        meaning = Meaning(passed, said)
        self._count(meaning)
        return meaning

    def _count(self, meaning: Meaning) -> None:
        """Count pieces of an unfinished frame once it is known whether it was one."""
        passed = meaning.passed
        self.total += 1
        key = (passed.link, passed.handle, passed.direction)
        if not meaning.said:
            if key in self._waiting or len(self._waiting) < MAX_STREAMS:
                self._waiting[key] = self._waiting.get(key, 0) + 1
            return
        waiting = self._waiting.pop(key, 0)
        if not isinstance(meaning.said[0], BadFrame):
            self.understood += waiting
        self.understood += meaning.is_understood

    def _link(self, link: str) -> Over | None:
        over = self._over.get(link)
        if over == "ble" and self.profile.ble is not None:
            return "ble"
        return "serial" if over == "serial" and self.profile.serial is not None else None

    def _device(self, key: tuple[str, int | None]) -> FirmwareCodec:
        key = key if key in self._devices or len(self._devices) < MAX_STREAMS else ("", None)
        if key not in self._devices:
            self._devices[key] = FirmwareCodec(self.profile, self._link(key[0]))
        return self._devices[key]

    def _host(self, key: tuple[str, int | None]) -> Codec:
        key = key if key in self._hosts or len(self._hosts) < MAX_STREAMS else ("", None)
        if key not in self._hosts:
            self._hosts[key] = Codec(self.profile, self._link(key[0]))
        return self._hosts[key]


def explain(passed: Iterable[Opened | Passed], decoders: Sequence[Decoder]) -> None:
    """Let several decoders read one capture, in one go. Raises what reading it raises; what came before counts."""
    for one in passed:
        for decoder in decoders:
            if isinstance(one, Opened):
                decoder.open(one)
            else:
                decoder.take(one)


def said_json(said: Received | Report) -> dict[str, Any]:
    """One command or report as plain values, such as ``{"command": "set_level", "levels": {"head": 50}}``."""
    if isinstance(said, BadFrame):
        return {"unknown": said.data.hex(" ").upper(), "reason": said.reason}
    if isinstance(said, Received):
        plain: dict[str, Any] = {"command": said.command}
        if said.channel is not None:
            plain["channel"] = said.channel
        if said.levels:
            plain["levels"] = dict(said.levels)
        values = {name: value for name, value in said.values.items() if not name.startswith("level")}
        return {**plain, **({"values": values} if values else {})}
    return {"report": report_name(said), **report_values(said)}


def passed_json(meaning: Meaning) -> dict[str, Any]:
    """What passed and what it says, as plain values; keys that are not known are left out."""
    passed = meaning.passed
    plain: dict[str, Any] = {
        "t_s": None if passed.t_s is None else round(passed.t_s, 6),
        "dir": passed.direction,
        "link": passed.link or None,
        "handle": passed.handle,
        "uuid": passed.uuid,
        "hex": passed.data.hex(" ").upper() if not passed.left_out else None,
        "left_out_bytes": passed.left_out or None,
    }
    known = {name: value for name, value in plain.items() if value is not None}
    return {**known, "said": [said_json(one) for one in meaning.said]}
