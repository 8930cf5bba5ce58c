"""One frame, compiled: a line of text that says what the bytes of a message are, in both directions.

For example ``AA {sum8@2..} 01 03 {level:u16be} 03``. docs/reference/profile-format.md lists the tokens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from firmware_profiles.frames.body import MAX_BYTES, Body, Values
from firmware_profiles.frames.grammar import Group, Lookups, Place, Rest, Token, for_channel, names_channel, parse

if TYPE_CHECKING:
    import regex


class Found(NamedTuple):
    """A frame in a row of bytes: its values, where it ends, and whether its checksums are right."""

    values: dict[str, Any]
    end: int
    checksum_ok: bool


class Frame:
    """A compiled frame. Raises ValueError with a sentence when the text is no frame.

    ``channel`` is whose frame it is, where its text names a channel; ``channels`` are all, for ``each channel``.
    """

    def __init__(
        self, text: str, lookups: Lookups | None = None, *, channel: Place | None = None, channels: Sequence[Place] = ()
    ) -> None:
        self.text = text
        tokens = parse(text, lookups or {})
        try:
            self._body = Body(for_channel(tokens, channel, channels))
        except ValueError as problem:
            raise ValueError(f"frame {text!r}: {problem}") from None
        self.fields = self._body.names
        self.is_open_ended = any(isinstance(token, Rest) for token in tokens)
        self.ends_openly = self._body.ends_openly
        self.has_options = any(_is_option(token) for token in tokens)
        if self._body.size is not None and self._body.size > MAX_BYTES:
            raise ValueError(f"frame {text!r} has {self._body.size} bytes; at most {MAX_BYTES} are possible.")

    @property
    def size(self) -> int | None:
        """How many bytes it has; None where that varies."""
        return self._body.size

    def encode(self, values: Values) -> bytes:
        """The bytes of the frame with these values; unknown bytes are 00.

        Raises ValueRefusedError when a value is missing or does not fit.
        """
        return self._body.encode(values)

    def match(self, data: bytes, at: int = 0, *, is_whole: bool = False) -> Found | None:
        """The frame that starts at ``at`` (with ``is_whole``: that goes to the end); None when none does."""
        if self._body.has_length and (length := self._body.length_in(data, at)) is not None:
            if at + length > len(data) or length < 1:
                return None
            found = self._pattern.fullmatch(data, at, at + length)
        elif is_whole:
            found = self._pattern.fullmatch(data, at)
        else:
            found = self._pattern.match(data, at)
        if found is None:
            return None
        read = self._body.read(found, data)
        return None if read is None else Found(read[0], found.end(), read[1])

    def may_grow(self, data: bytes, at: int = 0) -> bool:
        """Whether the bytes from ``at`` to the end are the beginning of a frame whose rest has not arrived."""
        if len(data) - at >= MAX_BYTES:
            return False
        length = self._body.length_in(data, at)
        if length is not None and (length > MAX_BYTES or at + length <= len(data)):
            return False
        found = self._growing.match(data, at, partial=True)
        # With a length that has more to come, what is there may look whole already.
        return found is not None and (found.partial or length is not None)

    @cached_property
    def _pattern(self) -> re.Pattern[bytes]:
        return re.compile(self._body.pattern, re.DOTALL)

    @cached_property
    def _growing(self) -> regex.Pattern[bytes]:
        import regex  # knows partial matches; only streams need them

        return regex.compile(self._body.pattern, regex.DOTALL)


def is_for_each_channel(text: str, lookups: Lookups) -> bool:
    """Whether a frame is another one for every channel. Raises ValueError with a sentence."""
    return names_channel(parse(text, lookups))


def _is_option(token: Token) -> bool:
    return isinstance(token, Group) and token.kind == "optional"
