"""One command to a device, against the raw library: bleak on virtual Bluetooth, pyserial on a pty.

Both are measured in turn, round by round, in one process; the simulator is another.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
import tty
from collections.abc import Awaitable, Callable
from pathlib import Path

import serial

from controller.clock import SystemClock
from controller.devices import Device
from controller.transports import open_url
from controller.transports.ble import parse_ble_url
from firmware_profiles.commands import SetLevel
from firmware_profiles.library import find_profile
from firmware_profiles.units import Level
from tests.benchmarks.figures import Figure
from tests.helpers.processes import simulator

ROUNDS, PER_ROUND = 30, 40


def measure() -> list[Figure]:
    """Acknowledged writes over virtual Bluetooth; writes to a pty that somebody reads."""
    with (
        tempfile.TemporaryDirectory() as folder,
        simulator(Path(folder), "theragun-gen4", "--ble", "--serial", "OURS") as gun,
        simulator(Path(folder), "theragun-gen4", "--ble", "--serial", "RAW") as raw_gun,
    ):
        ble_command, ble_write, ble_raw = asyncio.run(_ble(gun.url, raw_gun.url))
    pty_command, pty_write, pty_raw = asyncio.run(_pty())
    return [
        Figure("BLE, acknowledged write through the transport (median)", ble_write, "us", "<= 1.15 x", ble_raw),
        Figure("BLE, whole command: gate, encode, lock, write, event", ble_command, "us", "<= 1.15 x", ble_raw),
        Figure("pty, write through the transport (median)", pty_write, "us", "<= 1.15 x", pty_raw),
        Figure("pty, whole command: encode, lock, write, event", pty_command, "us", "", pty_raw),
    ]


async def _ble(url: str, raw_url: str) -> tuple[float, float, float]:
    """Medians of a whole command, a write of ours, and a write of bleak's own client to a second simulated gun."""
    from bleak import BleakClient, BleakScanner

    from controller.transports.bumble_client import client_backend
    from controller.transports.bumble_scanner import scanner_backend

    profile = find_profile("theragun-gen4")
    assert profile.ble is not None
    written = profile.ble.write
    eager = profile.model_copy(
        update={"ble": profile.ble.model_copy(update={"write_gap_s": 0.0}), "status_period_s": None}
    )
    transport = open_url(url, eager)
    ours = Device("gun", eager, transport, clock=SystemClock(), emit=lambda _: None)
    await ours.open()
    parts = parse_ble_url(raw_url)
    assert parts.hci is not None
    seen = await BleakScanner.find_device_by_address(parts.address, 10, backend=scanner_backend(parts.hci))
    assert seen is not None
    frame = bytes.fromhex("AA 07 01 03 00 00 03")
    async with BleakClient(seen, backend=client_backend(parts.hci, None)) as client:
        medians = await _in_turn(
            lambda: ours.send(SetLevel("head", Level(0))),
            lambda: transport.write(frame, with_response=True),
            lambda: client.write_gatt_char(written, frame, response=True),
        )
    await ours.close()
    return medians


async def _pty() -> tuple[float, float, float]:
    """Medians of a whole command, a write of ours, and a write of pyserial's."""
    master, slave = os.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    os.set_blocking(master, False)
    asyncio.get_running_loop().add_reader(master, lambda: os.read(master, 65536))
    profile = find_profile("nlr-hf8")
    transport = open_url(path, profile)
    ours = Device("pad", profile, transport, clock=SystemClock(), emit=lambda _: None)
    await ours.open()
    raw = serial.Serial(path, 115200, timeout=0)

    async def write_raw() -> None:
        raw.write(b"M0128\r")

    medians = await _in_turn(
        lambda: ours.send(SetLevel("right_thigh", Level(128))),
        lambda: transport.write(b"M0128\r", with_response=False),
        write_raw,
    )
    await ours.close()
    raw.close()
    asyncio.get_running_loop().remove_reader(master)
    os.close(master)
    os.close(slave)
    return medians


async def _in_turn(*works: Callable[[], Awaitable[None]]) -> tuple[float, float, float]:
    """The median of each in microseconds, measured round by round so that all see the same machine."""
    times: list[list[float]] = [[], [], []]
    for _ in range(ROUNDS):
        for work, times_us in zip(works, times, strict=True):
            await _repeat(work, times_us)
            await asyncio.sleep(0)
    return statistics.median(times[0]), statistics.median(times[1]), statistics.median(times[2])


async def _repeat(work: Callable[[], Awaitable[None]], times_us: list[float]) -> None:
    for _ in range(PER_ROUND):
        began = time.perf_counter()
        await work()
        times_us.append((time.perf_counter() - began) * 1e6)
