"""What must not be written down of the bytes on a link: secrets of the person, and what tells this device from others.

A frame that holds any of it is left out whole: a checksum over a masked PIN would still tell much of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from firmware_profiles.codec import Codec
from firmware_profiles.dialect import Dialect
from firmware_profiles.errors import PercussError
from firmware_profiles.links import Link
from firmware_profiles.schema import Profile

_ADDRESS = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}(?![0-9A-Fa-f])")
SHORTEST = 2
"""Bytes that something must have to be looked for: a single one is everywhere."""


class Redaction:
    """Knows what to leave out of a capture of one link. It learns the device's identity when that is read."""

    def __init__(self, profile: Profile, over: Link | None = None) -> None:
        secrets = [name for name, parameter in profile.parameters.items() if parameter.secret]
        self._frames: frozenset[bytes] = frozenset()
        self._words: set[bytes] = set()
        if secrets:
            steps = zip(profile.init, Codec(profile, over).init_steps(), strict=True)
            self._frames = frozenset(
                step.write.data for table, step in steps if any(_names(name, table.frame) for name in secrets)
            )
            self._words = {word for name in secrets for word in _encodings(profile, name) if _tells(word)}

    def learn(self, *words: str | None) -> None:
        """Also leave out frames with these words in them: an address in any form, a serial number, a name, a URL."""
        for word in filter(None, words):
            for address in _ADDRESS.findall(word):
                raw = bytes.fromhex(re.sub("[:-]", "", address))
                spellings = {address, raw.hex(), raw.hex(":")}
                self._words |= {raw, raw[::-1]} | {s.encode() for s in spellings | {s.upper() for s in spellings}}
            if "/" not in word and len(word) > SHORTEST:
                self._words |= {word.encode(), word.upper().encode(), word.lower().encode()}

    def hides(self, data: bytes) -> bool:
        """Whether a frame must not be written down."""
        return data in self._frames or any(word in data for word in self._words)


def _tells(word: bytes) -> bool:
    """Whether bytes are worth looking for: zeros are in every frame, and 0000 is the PIN of those who set none."""
    return len(word) >= SHORTEST and any(word)


def _names(parameter: str, frame: str) -> bool:
    return re.search(rf"\{{{parameter}:", frame) is not None


def _encodings(profile: Profile, name: str) -> Iterator[bytes]:
    """The bytes of a parameter's value as the frames of the profile write it, and as text."""
    value = profile.parameters[name].default
    yield value.encode()
    frames = [step.frame for step in profile.init]
    frames += [text for table in profile.commands.given().values() for text in table.frames]
    frames += [text for table in profile.extra.values() for text in table.frames]
    frames += profile.keepalive.frames if profile.keepalive is not None else ()
    frames += [text for table in profile.reports.values() for text in table.frames]
    for token in {token for text in frames for token in re.findall(rf"\{{{name}:[^}}]*\}}", text)}:
        with suppress(PercussError, ValueError):
            yield Dialect(profile).frame(token).encode({name: value})
