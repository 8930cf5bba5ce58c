"""The text of a frame, taken apart into tokens. The grammar is described in docs/reference/profile-format.md."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from firmware_profiles.frames.checks import Check, check_named
from firmware_profiles.frames.kinds import ByteOrder, Kind, dotted, kind_named, scaled

Lookups = Mapping[str, Mapping[str, bytes]]

MAX_DEPTH = 8
"""How deep groups may stand in groups."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Bytes that mean nothing to us."""

    count: int


@dataclass(frozen=True, slots=True)
class Rest:
    """Anything to the end."""


@dataclass(frozen=True, slots=True)
class Field:
    """A value."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class ChannelCode:
    """Bytes that belong to a channel: they are put in when it is known which."""

    name: str


@dataclass(frozen=True, slots=True)
class Bits:
    """Values of less than a byte, the highest bit first: (name, width, 0), or (None, width, number) of a fixed one."""

    parts: tuple[tuple[str | None, int, int], ...]
    size: int
    order: ByteOrder


_ONE_BYTE = tuple(bytes([number]) for number in range(256))


@dataclass(frozen=True, slots=True)
class Checked:
    """A checksum or a length over the bytes from ``start`` to ``end`` (see `span`)."""

    check: Check
    plus: int
    start: int
    end: int | None
    order: ByteOrder

    @property
    def is_length(self) -> bool:
        """Whether it says how long the frame is."""
        return self.check.name.startswith("len")

    def span(self, at: int, length: int) -> tuple[int, int]:
        """The first and the last-but-one byte that it counts, in a frame of ``length`` where it stands at ``at``."""
        if self.end is None:
            return self.start, at if self.start < at else length
        return self.start, length + self.end if self.end < 0 else self.end

    def value(self, data: bytes | bytearray) -> bytes:
        """Its bytes for the ones that it counts."""
        number = self.check.compute(data) + self.plus
        if self.check.size == 1:
            return _ONE_BYTE[number & 0xFF]
        return (number & (1 << 8 * self.check.size) - 1).to_bytes(self.check.size, self.order)


@dataclass(frozen=True, slots=True)
class Group:
    """Tokens that may be missing, stand as text, or come once for each channel or interval."""

    kind: Literal["optional", "base64", "hex", "channel", "interval"]
    tokens: tuple[Token, ...]
    between: bytes = b""


Token = bytes | Unknown | Rest | Field | ChannelCode | Bits | Checked | Group

_TOKEN = re.compile(
    r"""
      (?P<hex>[0-9A-Fa-f]{2})(?=[\s\])]|$)
    | '(?P<text>[^']*)'
    | (?P<any>\?\?)(?:\*(?P<times>\d{1,3}))?(?=[\s\])]|$)
    | (?P<rest>\.\.\.)(?=\s*$)
    | \{(?P<check>[a-z0-9_]+)(?P<plus>[+-](?:0x[0-9A-Fa-f]+|\d+))?
      @(?P<start>\d+)\.\.(?P<end>-?\d+)?(?::(?P<order>be|le))?\}
    | \{channel\.(?P<code>[a-z][a-z0-9_]*)\}
    | \{(?P<name>[a-z_][a-z0-9_.]*):(?P<kind>[a-z0-9_]+)(?P<scale>[*/+-][^:}]*)?(?P<dotted>:dotted)?\}
    | <(?P<bits>[^>]*)>(?P<bits_order>le)?
    | (?P<each>each\s+(?:channel|interval))(?:\s+by\s+'(?P<between>[^']*)')?\s*\(
    | (?P<codec>base64|hex)\s*\(
    | (?P<optional>\[)
    | (?P<close>[\])])
    """,
    re.VERBOSE,
)
_NUMBER = r"(?:0x[0-9A-Fa-f]+|\d+)"
_SCALE = re.compile(rf"(?:(?P<by>[*/])(?P<factor>{_NUMBER}))?(?P<plus>[+-]{_NUMBER})?")
_BITS = re.compile(r"(?P<name>[a-z_][a-z0-9_.]*):(?P<width>\d{1,2})|0b(?P<fixed>[01]{1,32})")


def parse(text: str, lookups: Lookups) -> tuple[Token, ...]:
    """The tokens of a frame. Raises ValueError with a sentence."""
    try:
        tokens, _ = _row(text, 0, lookups, "", 0)
    except ValueError as problem:
        raise ValueError(f"frame {text!r}: {problem}") from None
    if not tokens or isinstance(tokens[0], Rest):
        raise ValueError(f"frame {text!r} is empty.")
    return tokens


def parse_literal(text: str) -> bytes:
    """A piece of a frame that is only hex and text. Raises ValueError with a sentence."""
    tokens, _ = _row(text, 0, {}, "", 0)
    if not all(isinstance(token, bytes) for token in tokens):
        raise ValueError(f"{text!r} may only be bytes in hex and 'text'.")
    return b"".join(token for token in tokens if isinstance(token, bytes))


def names_channel(tokens: Sequence[Token]) -> bool:
    """Whether the frame is another one for every channel."""
    return any(
        isinstance(token, ChannelCode)
        or (isinstance(token, Field) and token.name == "channel")
        or (isinstance(token, Group) and token.kind != "channel" and names_channel(token.tokens))
        for token in tokens
    )


@dataclass(frozen=True, slots=True)
class Place:
    """What a frame needs to know of a channel."""

    name: str
    number: int
    codes: Mapping[str, bytes]


def for_channel(
    tokens: Sequence[Token], channel: Place | None, channels: Sequence[Place], *, suffix: str = ""
) -> tuple[Token, ...]:
    """The tokens with what belongs to ``channel`` put in, and groups ``each channel`` written out.

    Raises ValueError with a sentence.
    """
    made: list[Token] = []
    for token in tokens:
        if isinstance(token, ChannelCode) or (isinstance(token, Field) and token.name == "channel"):
            made.append(_of_channel(token, channel))
        elif isinstance(token, Field) and suffix and token.name == "level":
            made.append(replace(token, name=f"level{suffix}"))
        elif isinstance(token, Group) and token.kind == "channel":
            for number, each in enumerate(channels):
                if number and token.between:
                    made.append(token.between)
                made += for_channel(token.tokens, each, channels, suffix=f".{each.name}")
        elif isinstance(token, Group):
            made.append(replace(token, tokens=for_channel(token.tokens, channel, channels, suffix=suffix)))
        else:
            made.append(token)
    return tuple(made)


def _of_channel(token: ChannelCode | Field, channel: Place | None) -> bytes:
    if channel is None:
        raise ValueError("names a channel where there is none.")
    if isinstance(token, Field):
        try:
            return token.kind.put(channel.number)
        except ValueError as problem:
            raise ValueError(f"the number {channel.number} of channel {channel.name} {problem}") from None
    if token.name not in channel.codes:
        raise ValueError(f"[channels.{channel.name}.codes] has no {token.name!r}.")
    return channel.codes[token.name]


def _row(text: str, at: int, lookups: Lookups, until: str, depth: int) -> tuple[tuple[Token, ...], int]:
    """The tokens up to the closing bracket ``until`` (or the end), and where they end."""
    if depth > MAX_DEPTH:
        raise ValueError("has too many brackets in brackets.")
    tokens: list[Token] = []
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if at == len(text):
            if until:
                raise ValueError(f"a {until!r} is missing.")
            return tuple(tokens), at
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"no token starts at {text[at : at + 40]!r}.")
        at = found.end()
        if found["close"]:
            if found["close"] != until:
                raise ValueError(f"{found['close']!r} closes nothing.")
            return tuple(tokens), at
        if found["each"] or found["codec"] or found["optional"]:
            inner, at = _row(text, at, lookups, "]" if found["optional"] else ")", depth + 1)
            tokens.append(_group(found, inner))
        else:
            tokens.append(_token(found, lookups))


def _group(found: re.Match[str], inner: tuple[Token, ...]) -> Group:
    if not inner or any(isinstance(token, Rest) for token in inner):
        raise ValueError("brackets hold nothing, or '...'.")
    if found["optional"]:
        return Group("optional", inner)
    if found["codec"]:
        return Group("base64" if found["codec"] == "base64" else "hex", inner)
    between = _ascii(found["between"] or "")
    return Group("channel" if found["each"].endswith("channel") else "interval", inner, between)


def _token(found: re.Match[str], lookups: Lookups) -> Token:
    if found["hex"]:
        return bytes.fromhex(found["hex"])
    if found["text"] is not None:
        return _ascii(found["text"])
    if found["any"]:
        return Unknown(int(found["times"] or 1))
    if found["rest"]:
        return Rest()
    if found["check"]:
        check = check_named(found["check"])
        order: ByteOrder = {"be": "big", "le": "little", None: check.order}[found["order"]]
        end = int(found["end"]) if found["end"] else None
        return Checked(check, int(found["plus"] or "0", 0), int(found["start"]), end, order)
    if found["code"]:
        return ChannelCode(found["code"])
    if found["bits"] is not None:
        return _bits(found["bits"], "little" if found["bits_order"] else "big")
    kind = kind_named(found["kind"], lookups)
    if found["scale"]:
        kind = _scaled(kind, found["scale"])
    return Field(found["name"], dotted(kind) if found["dotted"] else kind)


def _scaled(kind: Kind, text: str) -> Kind:
    found = _SCALE.fullmatch(text)
    factor = int(found["factor"] or "1", 0) if found else 0
    if found is None or factor == 0:
        raise ValueError(f"{text!r} is no calculation such as *100, /10, +1 or *2+1.")
    times, over = (1, factor) if found["by"] == "/" else (factor, 1)
    return scaled(kind, times=times, over=over, plus=int(found["plus"] or "0", 0))


def _bits(text: str, order: ByteOrder) -> Bits:
    parts: list[tuple[str | None, int, int]] = []
    for word in text.split():
        found = _BITS.fullmatch(word)
        if found is None:
            raise ValueError(f"{word!r} is no bits such as running:1, _:4 or 0b101.")
        if found["fixed"]:
            parts.append((None, len(found["fixed"]), int(found["fixed"], 2)))
        else:
            parts.append((found["name"], int(found["width"]), 0))
    width = sum(part[1] for part in parts)
    if width not in {8, 16, 24, 32} or any(part[1] == 0 for part in parts):
        raise ValueError(f"<{text}> has {width} bits; 8, 16, 24 or 32 fill whole bytes.")
    return Bits(tuple(parts), width // 8, order)


def _ascii(text: str) -> bytes:
    try:
        return text.encode("ascii")
    except UnicodeEncodeError:
        raise ValueError("text must be ASCII.") from None


def walk(tokens: Sequence[Token]) -> Iterator[Token]:
    """All tokens, also those in groups."""
    for token in tokens:
        yield token
        if isinstance(token, Group):
            yield from walk(token.tokens)
