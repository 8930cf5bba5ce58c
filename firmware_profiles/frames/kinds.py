"""Kinds of value: how a number, a word or some bytes stand in a frame."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from firmware_profiles.commands import Value

MAX_RUN = 255
"""How many bytes a value of open length may have."""

MAX_DIGITS = 9
"""How many digits a decimal may have: more than any device counts."""

ByteOrder = Literal["big", "little"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to write a value. ``size`` is None where its length varies; ``pattern`` matches its bytes.

    ``put`` raises ValueError with the end of a sentence for a value that does not fit; ``take`` gives None for bytes
    that say "nothing". ``is_number`` says that it can be calculated with.
    """

    name: str
    pattern: bytes
    size: int | None
    put: Callable[[Value | None], bytes]
    take: Callable[[bytes], Value | None]
    is_number: bool = True


def kind_named(name: str, lookups: Mapping[str, Mapping[str, bytes]]) -> Kind:
    """The kind that a frame names. Raises ValueError with a sentence."""
    if name in lookups:
        return _lookup(name, lookups[name])
    if name in _PLAIN:
        return _PLAIN[name]
    found = re.fullmatch(r"([a-z]+)([1-9]\d?)(be|le)?", name)
    if found is not None:
        word, number, order = found[1], int(found[2]), found[3]
        if word in "ui" and (made := _integer(name, word == "i", number, order)):
            return made
        make = _SIZED.get(word)
        if make is not None and order is None and number <= make[0]:
            return make[1](name, number)
    known = ", ".join(
        [*_PLAIN, "u8", "u16be", "i16le", *(f"{word}1…{word}{most}" for word, (most, _) in _SIZED.items())]
    )
    raise ValueError(f"{name!r} is no kind of value; known: {known}, and [lookups.NAME].")


def _integer(name: str, is_signed: bool, bits: int, order_name: str | None) -> Kind | None:
    if bits not in {8, 16, 24, 32} or (bits > 8) != (order_name is not None):
        return None
    size = bits // 8
    order: ByteOrder = "little" if order_name == "le" else "big"
    lowest, highest = (-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed else (0, (1 << bits) - 1)

    def put(value: Value | None) -> bytes:
        if not isinstance(value, int) or not lowest <= value <= highest:
            raise ValueError(f"is not a whole number from {lowest} to {highest}.")
        return value.to_bytes(size, order, signed=is_signed)

    def take(raw: bytes) -> Value:
        return int.from_bytes(raw, order, signed=is_signed)

    return Kind(name, b"." * size, size, put, take)


def _put_bool(value: Value | None) -> bytes:
    if value not in (0, 1):
        raise ValueError("is neither true nor false.")
    return bytes([bool(value)])


def _decimal(name: str, pattern: bytes, size: int | None, highest: int) -> Kind:
    def put(value: Value | None) -> bytes:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= highest:
            raise ValueError(f"is not a whole number from 0 to {highest}.")
        return b"%0*d" % (size or 1, value)

    return Kind(name, pattern, size, put, int)


def _dec(name: str, digits: int) -> Kind:
    return _decimal(name, b"[0-9]{%d}" % digits, digits, 10**digits - 1)


def _hex(name: str, digits: int) -> Kind:
    highest = 16**digits - 1

    def put(value: Value | None) -> bytes:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= highest:
            raise ValueError(f"is not a whole number from 0 to {highest}.")
        return b"%0*X" % (digits, value)

    return Kind(name, b"[0-9A-Fa-f]{%d}" % digits, digits, put, lambda raw: int(raw, 16))


def _fixed_point(name: str, digits: int) -> Kind:
    scale = 10**digits

    def put(value: Value | None) -> bytes:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**MAX_DIGITS:
            raise ValueError(f"is not a whole number from 0 to {10**MAX_DIGITS - 1}.")
        return b"%d.%0*d" % (value // scale, digits, value % scale)

    def take(raw: bytes) -> Value:
        return int(raw.replace(b".", b""))

    return Kind(name, b"[0-9]{1,%d}[.][0-9]{%d}" % (MAX_DIGITS, digits), None, put, take)


def _unpacked_bcd(name: str, digits: int) -> Kind:
    def put(value: Value | None) -> bytes:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            value = f"{value:0{digits}d}"
        if not isinstance(value, str) or re.fullmatch(f"[0-9]{{{digits}}}", value) is None:
            raise ValueError(f'is not {digits} digits, such as "{"3060601234"[:digits]}".')
        return bytes(int(digit) for digit in value)

    def take(raw: bytes) -> Value:
        return "".join(str(digit) for digit in raw)

    return Kind(name, rb"[\x00-\x09]{%d}" % digits, digits, put, take, is_number=False)


def _ascii(name: str, length: int) -> Kind:
    def put(value: Value | None) -> bytes:
        if not isinstance(value, str) or re.fullmatch(f"[ -~]{{{length}}}", value) is None:
            raise ValueError(f"is not {length} printable ASCII characters.")
        return value.encode("ascii")

    return Kind(name, b"[ -~]{%d}" % length, length, put, lambda raw: raw.decode("ascii"), is_number=False)


def _put_text(value: Value | None) -> bytes:
    if not isinstance(value, str) or re.fullmatch(f"[ -~]{{0,{MAX_RUN}}}", value) is None:
        raise ValueError(f"is not printable ASCII of at most {MAX_RUN} characters.")
    return value.encode("ascii")


def _put_bytes(value: Value | None) -> bytes:
    try:
        data = bytes.fromhex(value) if isinstance(value, str) else None
    except ValueError:
        data = None
    if data is None or len(data) > MAX_RUN:
        raise ValueError(f'is not at most {MAX_RUN} bytes in hex, such as "0A FF".')
    return data


def _lookup(name: str, table: Mapping[str, bytes]) -> Kind:
    to_bytes: dict[Value | None, bytes] = {}
    to_value: dict[bytes, Value | None] = {}
    for key, data in table.items():
        value = _key_value(key)
        to_bytes[value] = data
        to_value.setdefault(data, value)
    longest_first = sorted(to_value, key=len, reverse=True)
    sizes = {len(data) for data in to_value}

    def put(value: Value | None) -> bytes:
        try:
            return to_bytes[value]
        except (KeyError, TypeError):
            raise ValueError(f"is none of {', '.join(table)} ([lookups.{name}]).") from None

    size = sizes.pop() if len(sizes) == 1 else None
    pattern = b"(?:" + b"|".join(re.escape(data) for data in longest_first) + b")"
    return Kind(name, pattern, size, put, to_value.__getitem__, is_number=False)


def _key_value(key: str) -> Value | None:
    """A key of a lookup as the value that it stands for."""
    if re.fullmatch(r"-?[0-9]{1,9}", key):
        return int(key)
    return {"true": True, "false": False, "none": None}.get(key, key)


_PLAIN: dict[str, Kind] = {
    "bool": Kind("bool", b".", 1, _put_bool, lambda raw: raw != b"\0", is_number=False),
    "digit": _decimal("digit", b"[0-9]", 1, 9),
    "dec": _decimal("dec", b"[0-9]{1,%d}" % MAX_DIGITS, None, 10**MAX_DIGITS - 1),
    "text": Kind("text", b"[ -~]{0,%d}?" % MAX_RUN, None, _put_text, lambda raw: raw.decode("ascii"), is_number=False),
    "bytes": Kind("bytes", b".{0,%d}?" % MAX_RUN, None, _put_bytes, lambda raw: raw.hex(" ").upper(), is_number=False),
}

_SIZED: dict[str, tuple[int, Callable[[str, int], Kind]]] = {
    "dec": (MAX_DIGITS, _dec),
    "hex": (8, _hex),
    "fix": (6, _fixed_point),
    "ubcd": (9, _unpacked_bcd),
    "ascii": (20, _ascii),
}


def scaled(kind: Kind, *, times: int, over: int, plus: int) -> Kind:
    """A kind whose wire carries the value times ``times`` over ``over``, plus ``plus``. Raises ValueError."""
    if not kind.is_number:
        raise ValueError(f"{kind.name} is no number to calculate with.")

    def put(value: Value | None) -> bytes:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError("is not a number.")
        return kind.put(round(value * times / over) + plus)

    def take(raw: bytes) -> Value:
        wire = kind.take(raw)
        assert isinstance(wire, int)
        value = (wire - plus) * over / times
        return int(value) if value == int(value) else value

    return Kind(kind.name, kind.pattern, kind.size, put, take)


def dotted(kind: Kind) -> Kind:
    """A kind whose wire carries 216 for version 2.1.6. Raises ValueError."""
    if not kind.is_number:
        raise ValueError(f"{kind.name} is no number that could be a version.")

    def put(value: Value | None) -> bytes:
        found = re.fullmatch(r"(\d{1,3})\.(\d)\.(\d)", str(value))
        if found is None:
            raise ValueError("is not a version such as 2.1.6.")
        return kind.put(100 * int(found[1]) + 10 * int(found[2]) + int(found[3]))

    def take(raw: bytes) -> Value:
        number = kind.take(raw)
        assert isinstance(number, int)
        return f"{number // 100}.{number // 10 % 10}.{number % 10}"

    return Kind(kind.name, kind.pattern, kind.size, put, take, is_number=False)
