"""Tokens made into bytes, and bytes made into values: the two directions of one row of tokens."""

from __future__ import annotations

import base64
import binascii
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from firmware_profiles.commands import Value
from firmware_profiles.errors import ValueRefusedError
from firmware_profiles.frames.grammar import Bits, ChannelCode, Checked, Field, Group, Rest, Token, Unknown, walk

Values = Mapping[str, Any]
"""Values by name; ``intervals`` is a list of such mappings, one for each."""

MAX_BYTES = 512
"""The longest frame there is; nothing longer is waited for."""


_OPEN = b"(?:)("
"""Opens a group that is read. Its first half does nothing: it tells such a group from every other bracket."""

MAX_RUNS = 2
"""How many values of open length a frame may have: more would take a regular expression for ever."""


class Body:
    """A row of tokens. ``size`` is how many bytes it has, None where that varies."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tuple(tokens)
        self._inner: dict[int, Body] = {}
        self._slots: list[Token] = []
        self.pattern = b"".join(self._pattern(token) for token in self.tokens)
        sizes = [self._size(token) for token in self.tokens]
        self.size = sum(cast("list[int]", sizes)) if None not in sizes else None
        self._pieces = _joined(self.tokens)
        self._length_at = self._find_length(sizes)
        self.has_length = self._length_at is not None
        self.ends_openly = bool(self.tokens) and not self.has_length and _is_open(self.tokens[-1])
        self._check_runs()
        self.names = tuple(dict.fromkeys(name for token in self.tokens for name in self._names_of(token)))
        if self.size is not None:
            self._check_spans(sizes)
        if any(isinstance(token, Checked) and token.start == at for token, at in self._places(sizes)):
            raise ValueError("the checksum would count itself.")

    def encode(self, values: Values) -> bytes:
        """The bytes with these values; bytes that mean nothing are 00.

        Raises ValueRefusedError when a value is missing or does not fit.
        """
        out = bytearray()
        checks: list[tuple[int, Checked]] = []
        self._put(self._pieces, out, values, checks)
        if not checks:
            return bytes(out)
        if len(checks) == 1:
            ((at, check),) = checks
            first, last = check.span(at, len(out))
            out[at : at + check.check.size] = check.value(out[first:last])
        else:
            _fill_in(out, checks)
        return bytes(out)

    def read(self, found: re.Match[bytes], data: bytes) -> tuple[dict[str, Any], bool] | None:
        """The values of a match of `pattern`, and whether its checksums are right; None when it is none after all."""
        values: dict[str, Any] = {}
        is_right = True
        for number, (slot, raw) in enumerate(zip(self._slots, found.groups(), strict=True), 1):
            if raw is None:
                continue
            if isinstance(slot, Field):
                value = slot.kind.take(raw)
                if slot.name in values and values[slot.name] != value:
                    return None  # a value that stands there twice is one value
                if value is not None:
                    values[slot.name] = value
            elif isinstance(slot, Checked):
                begin, end = found.span()
                first, last = slot.span(found.start(number) - begin, end - begin)
                if slot.value(data[begin + first : begin + last]) != raw:
                    if slot.is_length:
                        return None
                    is_right = False
            elif isinstance(slot, Bits):
                if not _read_bits(slot, raw, values):
                    return None
            elif isinstance(slot, Group):
                inner = self._read_group(slot, raw)
                if inner is None:
                    return None
                values |= inner[0]
                is_right = is_right and inner[1]
        return values, is_right

    def length_in(self, data: bytes, at: int) -> int | None:
        """How long the frame at ``at`` says that it is; None when it does not say, or has not said yet."""
        if self._length_at is None:
            return None
        place, token = self._length_at
        raw = data[at + place : at + place + token.check.size]
        if len(raw) < token.check.size:
            return None
        counted = int.from_bytes(raw, token.order) - token.plus
        return token.start + counted - (token.end or 0)

    def _check_spans(self, sizes: Sequence[int | None]) -> None:
        for token, at in self._places(sizes):
            if isinstance(token, Checked):
                first, last = token.span(at, self.size or 0)
                if first < at + token.check.size and at < last:
                    raise ValueError("the checksum would count itself; @1.. ends before it.")
                if first >= last or last > (self.size or 0):
                    raise ValueError("the checksum counts no bytes, or bytes that are not there.")

    def _check_runs(self) -> None:
        """Refuse what a regular expression could split in too many ways."""
        if sum(_is_run(token) for token in walk(self.tokens)) > MAX_RUNS:
            raise ValueError(f"has more than {MAX_RUNS} values of kind text or bytes, or groups of open length.")
        for token, behind in itertools.pairwise(self.tokens):
            is_number = isinstance(token, Field) and token.kind.is_number and token.kind.size is None
            if is_number and not (isinstance(behind, bytes) and not behind[:1].isdigit()):
                raise ValueError("behind a number of open length must stand a byte or text that is no digit.")
        for group in walk(self.tokens):
            if isinstance(group, Group) and group.kind == "interval" and any(_is_run(one) for one in group.tokens):
                raise ValueError("an interval holds no value of kind text or bytes.")

    def _pattern(self, token: Token) -> bytes:
        """A token as a regular expression; what is read of it stands in one group, noted in the slots."""
        if isinstance(token, bytes):
            return re.escape(token)
        if isinstance(token, Unknown):
            return b".{%d}" % token.count
        if isinstance(token, Rest):
            return b".*"
        if isinstance(token, ChannelCode):
            raise ValueError(f"{{channel.{token.name}}} names a channel where there is none.")
        if isinstance(token, Group) and token.kind == "optional":
            return b"(?:" + b"".join(self._pattern(inner) for inner in token.tokens) + b")?"
        self._slots.append(token)
        if isinstance(token, Field):
            return _OPEN + token.kind.pattern + b")"
        if isinstance(token, Bits):
            return _OPEN + b".{%d})" % token.size
        if isinstance(token, Checked):
            return _OPEN + b".{%d})" % token.check.size
        return _OPEN + self._group_pattern(token) + b")"

    def _group_pattern(self, group: Group) -> bytes:
        inner = self._inner.setdefault(id(group), Body(group.tokens))
        if group.kind == "interval":
            if not group.between and inner.size is None:
                raise ValueError("intervals of open length need a text between them: each interval by ',' ( … ).")
            item = b"(?:" + inner.pattern.replace(_OPEN, b"(?:") + b")"
            return b"(?:" + item + b"(?:" + re.escape(group.between) + item + b"){0,%d})?" % MAX_BYTES
        if inner.size is None:
            return b"[A-Za-z0-9+/]*={0,2}" if group.kind == "base64" else b"(?:[0-9A-Fa-f]{2})*"
        if group.kind == "base64":
            return b"[A-Za-z0-9+/=]{%d}" % (4 * -(-inner.size // 3))
        return b"[0-9A-Fa-f]{%d}" % (2 * inner.size)

    def _size(self, token: Token) -> int | None:
        if isinstance(token, bytes):
            return len(token)
        if isinstance(token, Unknown):
            return token.count
        if isinstance(token, Field):
            return token.kind.size
        if isinstance(token, Bits):
            return token.size
        if isinstance(token, Checked):
            return token.check.size
        if isinstance(token, Group) and token.kind in {"base64", "hex"}:
            inner = self._inner[id(token)].size
            return None if inner is None else (4 * -(-inner // 3) if token.kind == "base64" else 2 * inner)
        return None

    def _places(self, sizes: Sequence[int | None]) -> list[tuple[Token, int]]:
        """The tokens up to the first of open length, with where they stand."""
        placed: list[tuple[Token, int]] = []
        at = 0
        for token, size in zip(self.tokens, sizes, strict=True):
            placed.append((token, at))
            if size is None:
                break
            at += size
        return placed

    def _find_length(self, sizes: Sequence[int | None]) -> tuple[int, Checked] | None:
        """The length that says where a frame of open length ends."""
        if self.size is not None:
            return None
        for token, at in self._places(sizes):
            is_length = isinstance(token, Checked) and token.is_length
            if is_length and isinstance(token, Checked) and token.start > at and (token.end is None or token.end < 0):
                return at, token
        return None

    def _names_of(self, token: Token) -> list[str]:
        if isinstance(token, Field):
            return [token.name]
        if isinstance(token, Bits):
            return [name for name, _, _ in token.parts if name not in {None, "_"} and name is not None]
        if isinstance(token, Group):
            if token.kind == "interval":
                return ["intervals"]
            return [name for inner in token.tokens for name in self._names_of(inner)]
        return []

    def _put(self, pieces: Sequence[Token], out: bytearray, values: Values, checks: list[tuple[int, Checked]]) -> None:
        for piece in pieces:
            if isinstance(piece, bytes):
                out += piece
            elif isinstance(piece, Field):
                try:
                    out += piece.kind.put(values.get(piece.name))
                except ValueError as problem:
                    out += _put_text_number(piece, values, str(problem))
            elif isinstance(piece, Checked):
                checks.append((len(out), piece))
                out += bytes(piece.check.size)
            elif isinstance(piece, Bits):
                out += _bits(piece, values)
            elif isinstance(piece, Group):
                self._put_group(piece, out, values, checks)

    def _put_group(self, group: Group, out: bytearray, values: Values, checks: list[tuple[int, Checked]]) -> None:
        if group.kind == "optional":
            if all(name in values for name in self._names_of(group)):
                self._put(group.tokens, out, values, checks)
            return
        inner = self._inner[id(group)]
        if group.kind == "interval":
            out += group.between.join(inner.encode(interval) for interval in values.get("intervals", ()))
        else:
            data = inner.encode(values)
            out += base64.b64encode(data) if group.kind == "base64" else data.hex().upper().encode()

    def _read_group(self, group: Group, raw: bytes) -> tuple[dict[str, Any], bool] | None:
        inner = self._inner[id(group)]
        pattern = re.compile(inner.pattern, re.DOTALL)
        if group.kind == "interval":
            read = [inner.read(found, raw) for found in pattern.finditer(raw) if found.group()]
            whole = [one for one in read if one is not None]
            return {"intervals": [values for values, _ in whole]}, all(right for _, right in whole)
        try:
            data = base64.b64decode(raw, validate=True) if group.kind == "base64" else bytes.fromhex(raw.decode())
        except (binascii.Error, ValueError):
            return None
        found = pattern.fullmatch(data)
        return None if found is None else inner.read(found, data)


def _is_run(token: Token) -> bool:
    return isinstance(token, Field) and token.kind.name in {"text", "bytes"}


def _is_open(token: Token) -> bool:
    """Whether it may go on for as long as bytes come."""
    if isinstance(token, Group):
        return token.kind != "channel"
    return isinstance(token, Rest) or (isinstance(token, Field) and token.kind.size is None)


def _put_text_number(field: Field, values: Values, problem: str) -> bytes:
    """Parameters are text: one that stands as a number is made one. Raises ValueRefusedError."""
    value = values.get(field.name)
    if field.kind.is_number and isinstance(value, str):
        try:
            return field.kind.put(int(value, 0))
        except ValueError as told:
            problem = str(told)
    raise _refusal(field.name, values, problem)


def _refusal(name: str, values: Values, problem: str) -> ValueRefusedError:
    if name not in values:
        return ValueRefusedError("is missing.", where=name, fix=f"Give it as {name}=….")
    return ValueRefusedError(f"{values[name]!r} {problem}", where=name)


def _fill_in(out: bytearray, checks: list[tuple[int, Checked]]) -> None:
    """Put checksums in their places: lengths first, then those that count no other before those that do."""
    spans = {at: check.span(at, len(out)) for at, check in checks}

    def counted(place: tuple[int, Checked]) -> tuple[bool, int]:
        first, last = spans[place[0]]
        return not place[1].is_length, sum(first <= at < last for at, _ in checks)

    for at, check in sorted(checks, key=counted):
        first, last = spans[at]
        out[at : at + check.check.size] = check.value(out[first:last])


def _bits(token: Bits, values: Values) -> bytes:
    number = 0
    for name, width, fixed in token.parts:
        part = fixed if name is None else 0
        if name is not None and name != "_":
            value: Value | None = values.get(name, 0)
            if not isinstance(value, int) or not 0 <= value < 1 << width:
                what = f"{value!r} is not a whole number from 0 to {(1 << width) - 1}."
                raise ValueRefusedError(what, where=name)
            part = int(value)
        number = number << width | part
    return number.to_bytes(token.size, token.order)


def _read_bits(token: Bits, raw: bytes, values: dict[str, Any]) -> bool:
    """Note the bits in ``values``; False when a fixed one is another."""
    number = int.from_bytes(raw, token.order)
    left = 8 * token.size
    for name, width, fixed in token.parts:
        left -= width
        part = number >> left & (1 << width) - 1
        if name is None and part != fixed:
            return False
        if name is not None and name != "_":
            values[name] = bool(part) if width == 1 else part
    return True


def _joined(tokens: Sequence[Token]) -> tuple[Token, ...]:
    """The tokens for encoding: neighbouring constants as one, unknown bytes as 00, the open end left out."""
    pieces: list[Token] = []
    for token in tokens:
        if isinstance(token, Rest):
            continue
        constant = bytes(token.count) if isinstance(token, Unknown) else token
        if isinstance(constant, bytes) and pieces and isinstance(last := pieces[-1], bytes):
            pieces[-1] = last + constant
        else:
            pieces.append(constant)
    return tuple(pieces)
