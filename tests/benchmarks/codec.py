"""Encoding and decoding against code written by hand with `struct` that gives and checks the same; loading profiles."""

from __future__ import annotations

import itertools
import struct
import tomllib

from firmware_profiles.codec import Codec
from firmware_profiles.commands import SetLevel, Status, Write
from firmware_profiles.library import BUNDLED, find_profile, load_profiles
from firmware_profiles.units import Level
from tests.benchmarks.figures import Figure, median_us


def measure() -> list[Figure]:
    """Encode every level in turn, so that no result can be remembered; decode one status."""
    codec = Codec(find_profile("theragun-gen4"))
    commands = itertools.cycle([SetLevel("head", Level(level)) for level in range(2401)])
    by_hand_commands = itertools.cycle([SetLevel("head", Level(level)) for level in range(2401)])
    status = bytes.fromhex("BB ED 10 00 01 00 00 00 00 00 00 00 00 06 D6")
    return [
        Figure(
            "encode a speed",
            median_us(lambda: codec.encode(next(commands))),
            "us",
            "<= 3 x",
            median_us(lambda: encode_by_hand(next(by_hand_commands))),
        ),
        Figure(
            "decode a status",
            median_us(lambda: codec.feed(status)),
            "us",
            "<= 3 x",
            median_us(lambda: decode_by_hand(status)),
        ),
        Figure(
            "load all profiles",
            median_us(load_profiles, rounds=7, per_round=1) / 1000,
            "ms",
            "<= 50 ms",
            median_us(read_plainly, rounds=7, per_round=1) / 1000,
        ),
        Figure("load one profile by its id", median_us(lambda: find_profile("jensen"), per_round=20) / 1000, "ms", ""),
    ]


def read_plainly() -> list[dict[str, object]]:
    """The same files through `tomllib` alone."""
    return [tomllib.loads(path.read_text(encoding="utf-8")) for path in BUNDLED.glob("*.toml")]


def encode_by_hand(command: SetLevel) -> tuple[Write, ...]:
    """What anybody would write for this one device."""
    if command.channel != "head" or not 0 <= command.level <= 2400:
        raise ValueError(command)
    body = struct.pack(">BBHB", 1, 3, command.level, 3)
    return (Write(bytes((0xAA, sum(body) & 0xFF)) + body, with_response=True),)


def decode_by_hand(data: bytes) -> list[Status]:
    """What anybody would write for this one device."""
    if len(data) < 15 or data[0] != 0xBB or data[2] != 0x10 or data[1] != sum(data[2:]) & 0xFF:
        raise ValueError(data)
    running, level = struct.unpack_from(">4xB8xH", data)
    return [Status(running=bool(running), levels={"head": Level(level)})]
