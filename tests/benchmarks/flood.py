"""A session of the service while 500 requests a second and 200 readers of events come in, beside the same in quiet.

Both are taken in turn, round by round, against one service; the simulator and those who flood are processes of their
own. Lateness is how much later than planned a span begins (by the service's clock), and its first frame arrives at the
simulator (by the simulator's record): spans follow each other by absolute deadlines, so lateness never adds up.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Figure
from tests.helpers.flood import flooded, memory_mb
from tests.helpers.processes import RunningSimulator, percuss, simulator
from tests.helpers.service import Service, service

ROUNDS = 3
SPEED = 10.0
PAIRS = 45
STOPS = 10
SCRIPT = "; ".join(["calves:left 40% 2s; rest 1s"] * PAIRS)


BARE = """
import asyncio, json, sys, time

async def main():
    ending = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
    began, late = time.monotonic(), []
    while not ending.done():
        due = began + 0.1 * (len(late) + 1)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        late.append(1000 * (time.monotonic() - due))
    print(json.dumps(late))

asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late each span of a session began, its first frame came to the simulator, and a bare loop woke meanwhile.

    Real milliseconds. The bare loop, a process of its own, says what the computer as a whole is late by.
    """

    spans_ms: list[float]
    frames_ms: list[float]
    bare_ms: list[float]


def measure() -> list[Figure]:
    """The 99th percentiles, memory of the service's processes, and how soon a stop is at the simulator."""
    quiet: list[Lateness] = []
    loud: list[Lateness] = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PERCUSS_HOME"] = folder
        try:
            with simulator(Path(folder), "theragun-gen4", "--speed", str(SPEED)) as gun:
                percuss("pair", gun.url, "--profile", "theragun-gen4", "--as", "gun")
                with service(Path(folder)) as running:
                    memory = [memory_mb(running.process.pid)]
                    for _ in range(ROUNDS):
                        quiet.append(_session(running, gun))
                        with _flood(running) as look:
                            loud.append(_session(running, gun))
                            memory.append(memory_mb(running.process.pid))
                            _say(look())
                    quiet_stops = [_stop_ms(running, gun) for _ in range(STOPS)]
                    with _flood(running) as look:
                        loud_stops = [_stop_ms(running, gun) for _ in range(STOPS)]
                        _say(look())
        finally:
            del os.environ["PERCUSS_HOME"]
    return [
        *_lateness("a span begins late", [each.spans_ms for each in loud], [each.spans_ms for each in quiet]),
        *_lateness("its frame comes late", [each.frames_ms for each in loud], [each.frames_ms for each in quiet]),
        *_lateness("a bare loop wakes late", [each.bare_ms for each in loud], [each.bare_ms for each in quiet]),
        Figure(f"stop by HTTP in a flood (worst of {STOPS})", max(loud_stops), "ms", "<= 100 ms", max(quiet_stops)),
        Figure("memory in the first flood, beside before", memory[1], "MB", "", memory[0]),
        Figure("memory in the last flood, beside the first", memory[-1], "MB", "bounded", memory[1]),
    ]


def _lateness(what: str, loud_ms: list[list[float]], quiet_ms: list[list[float]]) -> list[Figure]:
    """Of each session its 99th percentile, and of those the median: what else this computer does comes in bursts."""
    most, least = (statistics.median(map(_p99, sessions_ms)) for sessions_ms in (loud_ms, quiet_ms))
    middle, low = (statistics.median(map(statistics.median, sessions_ms)) for sessions_ms in (loud_ms, quiet_ms))
    return [
        Figure(f"{what} in a flood (p99)", most, "ms", "", least),
        Figure(f"{what}: more than in quiet (p99)", most - least, "ms", "<= 10 ms"),
        Figure(f"{what} in a flood (median)", middle, "ms", "", low),
    ]


def _flood(running: Service) -> Any:
    token = running.client.headers["Authorization"].removeprefix("Bearer ")
    return flooded(running.url, token)


def _say(seen: dict[str, Any]) -> None:
    rate = sum(seen["statuses"].values()) / seen["for_s"]
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(
        f"  {rate:.0f} requests/s, {seen['statuses']}, {seen['read_bytes'] / 1e6:.0f} MB read, load {load}", flush=True
    )


def _session(running: Service, gun: RunningSimulator) -> Lateness:
    """Run a session to its end."""
    bare = subprocess.Popen([sys.executable, "-c", BARE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    started = running.post("session", {"script": SCRIPT, "massager": "gun", "speed": SPEED})
    told = []
    for kind, happening in _events(running):
        if happening.get("session") != started["number"]:
            continue
        if kind == "span_started":
            told.append(happening["data"])
        elif kind == "session_ended":
            assert happening["data"]["outcome"] == "done", happening
            break
    frames = [each["mono_s"] for each in gun.recorded("rx") if " 01 03 " in each["hex"][3:]]
    late, frames_late = [], []
    planned_s = told[0]["mono_s"]
    for span in told:
        late.append(1000 * (span["mono_s"] - planned_s))
        if span["index"] > 0:
            frames_late.append(1000 * (next(at_s for at_s in frames if at_s >= planned_s) - planned_s))
        planned_s += span["duration_s"] / SPEED
    return Lateness(late, frames_late, json.loads(bare.communicate()[0]))


def _events(running: Service) -> Iterator[tuple[str, dict[str, Any]]]:
    """All events; under a flood it may take a few tries until somebody may read them."""
    while True:
        told = False
        for event in running.events():
            told = True
            yield event
        if told:
            return
        time.sleep(0.1)


def _stop_ms(running: Service, gun: RunningSimulator) -> float:
    """From the request to the first frame that says off at the simulator."""
    running.post("session", {"script": "calves:left 40% 100s", "massager": "gun", "speed": SPEED})
    count = len(gun.recorded("motor"))
    while not any(float(each["ppm"]) > 0 for each in gun.recorded("motor")[count:]):
        time.sleep(0.02)
    asked_s = time.monotonic()
    running.post("session/stop")
    off = (
        each["mono_s"]
        for each in gun.recorded("rx")
        if each["mono_s"] >= asked_s and each["hex"].endswith("01 03 00 00 03")
    )
    return 1000 * (float(next(off)) - asked_s)


def _p99(late_ms: list[float]) -> float:
    return sorted(late_ms)[int(len(late_ms) * 0.99)]
