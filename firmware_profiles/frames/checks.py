"""What a frame says about itself: checksums and lengths. CRCs are those of the library crccheck."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import xor

from firmware_profiles.frames.kinds import ByteOrder

Buffer = bytes | bytearray


@dataclass(frozen=True, slots=True)
class Check:
    """One way to calculate ``size`` bytes from others; ``order`` is how they usually stand in a frame."""

    name: str
    size: int
    order: ByteOrder
    compute: Callable[[Buffer], int]


def check_named(name: str) -> Check:
    """The checksum or length that a frame names. Raises ValueError with a sentence."""
    if (plain := _PLAIN.get(name)) is not None:
        return plain
    if (crc := _CRCS.get(name)) is not None:
        return Check(name, crc[1], crc[2], _crc(crc[0]))
    raise ValueError(f"{name!r} is no checksum; known: {', '.join([*_PLAIN, *_CRCS])}.")


def _crc(class_name: str) -> Callable[[Buffer], int]:
    from crccheck import crc  # loaded by the few profiles that need it

    compute: Callable[[Buffer], int] = getattr(crc, class_name).calc
    return compute


_PLAIN = {
    check.name: check
    for check in (
        Check("sum8", 1, "big", sum),
        Check("sum16be", 2, "big", sum),
        Check("sum16le", 2, "little", sum),
        Check("not_sum8", 1, "big", lambda data: ~sum(data)),
        Check("neg_sum8", 1, "big", lambda data: -sum(data)),
        Check("xor8", 1, "big", lambda data: reduce(xor, data, 0)),
        Check("len8", 1, "big", len),
        Check("len16be", 2, "big", len),
        Check("len16le", 2, "little", len),
    )
}

_CRCS: dict[str, tuple[str, int, ByteOrder]] = {
    "crc8": ("Crc8Smbus", 1, "big"),
    "crc16_modbus": ("CrcModbus", 2, "little"),
    "crc16_xmodem": ("CrcXmodem", 2, "big"),
    "crc16_ccitt_false": ("Crc16CcittFalse", 2, "big"),
    "crc16_arc": ("CrcArc", 2, "little"),
    "crc32": ("Crc32", 4, "big"),
}
