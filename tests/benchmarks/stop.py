"""From the wish to stop to the frame at the simulator, on the clock that all processes of this machine share."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from controller.clock import SystemClock
from controller.devices import Device
from controller.service import emergency
from controller.transports import open_url
from firmware_profiles.codec import Codec
from firmware_profiles.commands import SetLevel
from firmware_profiles.library import find_profile
from firmware_profiles.schema import Profile
from tests.benchmarks.figures import Figure
from tests.helpers.processes import RunningSimulator, percuss, simulator, started

ROUNDS = 100
QUEUED = 50
GAP_S = 0.5
SESSIONS = 15
AIM_MS = {"pty": "<= 50 ms", "BLE": "<= 100 ms"}
DEVICES = {"pty": ("nlr-hf8", "hamstrings"), "BLE": ("theragun-gen4", "hamstrings")}


def measure() -> list[Figure]:
    """The 99th percentile for each link: behind a queue, from Ctrl-C, from a signal, from another terminal."""
    return [figure for link in DEVICES for figure in (_queued(link), *_from_outside(link))]


def _queued(link: str) -> Figure:
    profile_id, _ = DEVICES[link]
    with tempfile.TemporaryDirectory() as folder, simulator(Path(folder), profile_id) as device:
        times_ms = asyncio.run(_halts(find_profile(profile_id), device))
    return Figure(f"{link}, stop behind {QUEUED} commands and a {GAP_S:g} s gap (p99)", times_ms, "ms", AIM_MS[link])


async def _halts(profile: Profile, simulated: RunningSimulator) -> float:
    link = "ble" if profile.ble is not None else "serial"
    slow = profile.model_copy(
        update={
            link: (profile.ble or profile.serial).model_copy(update={"write_gap_s": GAP_S}),  # type: ignore[union-attr]
            "status_period_s": None,
        }
    )
    device = Device("device", slow, open_url(simulated.url, slow), clock=SystemClock(), emit=lambda _: None)
    await device.open()
    channel, levels = next((name, channel.levels) for name, channel in device.capabilities.channels.items())
    times_ms = []
    for _ in range(ROUNDS):
        queue = [asyncio.create_task(device.send(SetLevel(channel, levels.lowest))) for _ in range(QUEUED)]
        await asyncio.sleep(0.01)
        asked_s = time.monotonic()
        await device.halt()
        times_ms.append(1000 * (await asyncio.to_thread(_arrival_s, simulated, profile, asked_s) - asked_s))
        await asyncio.gather(*queue)
    await device.close()
    return _p99(times_ms)


def _from_outside(link: str) -> list[Figure]:
    """A real session in a process of its own, stopped in three ways."""
    profile_id, region = DEVICES[link]

    def interrupt(process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGINT)

    def terminate(process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGTERM)

    def press(_: subprocess.Popen[str]) -> None:
        emergency.stop_sessions()

    ways: dict[str, Callable[[subprocess.Popen[str]], None]] = {
        "stop from Ctrl-C (p99)": interrupt,
        "stop from a signal (p99)": terminate,
        "stop from another process (p99)": press,
    }
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PERCUSS_HOME"] = folder
        with simulator(Path(folder), profile_id) as device:
            percuss("pair", device.url, "--profile", profile_id, "--as", "device")
            for what, way in ways.items():
                times_ms = [_session(device, find_profile(profile_id), region, way) for _ in range(SESSIONS)]
                figures.append(Figure(f"{link}, {what}", _p99(times_ms), "ms", AIM_MS[link]))
            whole_ms = _whole_command(device, find_profile(profile_id), region)
            figures.append(Figure(f"{link}, `percuss stop --all` with the start of Python", whole_ms, "ms", ""))
        del os.environ["PERCUSS_HOME"]
    return figures


def _session(
    device: RunningSimulator, profile: Profile, region: str, way: Callable[[subprocess.Popen[str]], None]
) -> float:
    with started("set", "device", "75%", "--for", "60s", "--region", region, "--json") as process:
        _wait_until_driven(process)
        asked_s = time.monotonic()
        way(process)
        arrived_s = _arrival_s(device, profile, asked_s)
        process.communicate()
    return 1000 * (arrived_s - asked_s)


def _whole_command(device: RunningSimulator, profile: Profile, region: str) -> float:
    with started("set", "device", "75%", "--for", "60s", "--region", region, "--json") as process:
        _wait_until_driven(process)
        asked_s = time.monotonic()
        subprocess.run([sys.executable, "-m", "controller", "stop", "--all"], check=False, capture_output=True)
        arrived_s = _arrival_s(device, profile, asked_s)
        process.communicate()
    emergency.clear()
    return 1000 * (arrived_s - asked_s)


def _wait_until_driven(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "level_asked" and event["level"] > 0:
            return
    raise AssertionError("the session drove nothing")


def _arrival_s(device: RunningSimulator, profile: Profile, after_s: float) -> float:
    """When the first Stop came in after a moment."""
    stop = Codec(profile).stop_writes()[0].data.hex(" ").upper()
    while True:
        with suppress(ValueError):  # a line that is being written
            for line in reversed(device.recorded("rx")):
                if line["mono_s"] < after_s:
                    break
                if stop in line["hex"]:
                    first = next(r for r in device.recorded("rx") if r["mono_s"] >= after_s and stop in r["hex"])
                    return float(first["mono_s"])
        time.sleep(0.005)


def _p99(times: list[float]) -> float:
    """The 99th percentile; of few, the worst."""
    return sorted(times)[min(len(times) - 1, round(0.99 * len(times)))]
