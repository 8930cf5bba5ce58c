"""The time that bytes take."""

from __future__ import annotations

import asyncio

from simulators.adapters.wire import MAX_WAITING_BYTES, Wire
from tests.simulators.test_pty import Ears


async def test_without_a_baud_rate_bytes_arrive_at_once() -> None:
    heard: list[bytes] = []
    Wire(None, heard.append).carry(b"now")
    assert heard == [b"now"]


async def test_each_byte_takes_ten_bits_and_keeps_its_place() -> None:
    ears = Ears()
    wire = Wire(9600, ears)
    began_s = asyncio.get_running_loop().time()
    wire.carry(b"A" * 24)
    wire.carry(b"B" * 24)
    assert ears.heard == b""
    await ears.until(b"A" * 24 + b"B" * 24)
    # Never earlier than the wire allows; how much later is the machine's business.
    assert asyncio.get_running_loop().time() - began_s >= 48 * 10 / 9600 - 0.001


async def test_a_flood_overruns_the_buffer_and_is_lost() -> None:
    ears = Ears()
    wire = Wire(4_000_000, ears)
    for _ in range(10):
        wire.carry(bytes(1000))
    await ears.until(bytes(MAX_WAITING_BYTES))


async def test_a_cut_wire_loses_what_is_on_the_way() -> None:
    ears = Ears()
    wire = Wire(50, ears)
    wire.carry(b"lost")
    wire.cut()
    wire = Wire(4_000_000, ears)
    wire.carry(b"kept")
    await ears.until(b"kept")
