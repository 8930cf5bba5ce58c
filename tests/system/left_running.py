"""Try to leave a motor running: a trial does something terrible to a real session and watches the simulator.

``python -m tests.system.left_running --kills 200`` prints the figures of docs/explanation/safety.md. The clock is the
monotonic one that all processes of a machine share; the motor is the simulator's.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from firmware_profiles.codec import Codec
from firmware_profiles.library import find_profile
from tests.helpers.processes import HANG_S, PERCUSS, RunningSimulator, simulator

PROFILES = {"serial": "nlr-hf8", "BLE": "theragun-gen4"}
WITHIN_S = {("kill", "serial"): 0.5, ("kill", "BLE"): 2.0, ("freeze", "serial"): 2.0, ("freeze", "BLE"): 2.0}
BUSY = 2.0
"""So many times the limit is what a test allows, on a machine that is busy with others. A campaign allows nothing."""
SPEED = 3.0
"""How fast the sessions run, so that a random moment need not be waited for so long; links and processes do not."""

ROUTINE = """schema = 1
name = "restless"
title = "Many short places"
"""
STEP = """[[steps]]
region = "{region}"
side = "{side}"
intensity = "firm"
duration = 6
move = 1
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one: seconds from the deed to the first Stop at the device (None: none came), and to rest."""

    link: str
    stop_s: float | None
    rest_s: float | None
    said: str


def assert_stopped_in_time(deed: str, link: str, stop_s: float | None, rest_s: float | None) -> None:
    """The limit of `WITHIN_S`, as far as a test can hold anybody to it, and rest after it."""
    limit_s = BUSY * WITHIN_S[deed, link]
    assert stop_s is not None, f"no Stop came to the {link} device after {deed}"
    assert stop_s <= limit_s, f"Stop came {stop_s:.3f} s after {deed} to the {link} device; {limit_s:g} s are allowed"
    assert rest_s is not None, f"the {link} device never came to rest after {deed}"


class Motor:
    """The motor of a simulator, by its own record."""

    def __init__(self, link: str, device: RunningSimulator) -> None:
        self._device = device
        self._stop = Codec(find_profile(PROFILES[link])).stop_writes()[0].data.hex(" ").upper()

    def is_stop(self, frame: str) -> bool:
        """Whether a frame is the first of Stop."""
        return self._stop in frame

    def is_at_rest(self) -> bool:
        """Whether no channel turns."""
        return self._rest_s(0.0) is not None

    def wait_until_it_turns(self) -> None:
        """Wait for it to have really started. Time only bounds a hang."""
        deadline_s = time.monotonic() + HANG_S
        while self.is_at_rest():
            assert time.monotonic() < deadline_s, "it never turned"
            time.sleep(0.02)

    def watch(self, since_s: float, *, patience_s: float = 30.0) -> tuple[float | None, float | None]:
        """Wait for the first Stop after a moment, and for rest: seconds from there, None for what never came."""
        stop_s = self._seconds_until(lambda: self._first_stop_s(since_s), since_s, patience_s)
        rest_s = self._seconds_until(lambda: self._rest_s(since_s), since_s, patience_s)
        return stop_s, rest_s

    def _first_stop_s(self, since_s: float) -> float | None:
        frames = [line for line in self._recorded("rx") if float(line["mono_s"]) >= since_s]
        return next((float(line["mono_s"]) for line in frames if self._stop in str(line["hex"])), None)

    def _rest_s(self, since_s: float) -> float | None:
        """When the last channel came to rest; at once where none turned."""
        last = {str(line["channel"]): line for line in self._recorded("motor")}
        if any(line["ppm"] for line in last.values()):
            return None
        return max([since_s, *(float(line["mono_s"]) for line in last.values())])

    def _recorded(self, kind: str) -> list[dict[str, float | str]]:
        try:
            return self._device.recorded(kind)
        except ValueError:  # a line that is being written
            return []

    @staticmethod
    def _seconds_until(look: Callable[[], float | None], since_s: float, patience_s: float) -> float | None:
        while time.monotonic() - since_s < patience_s:
            if (moment_s := look()) is not None:
                # What was seen may have been the calm before the last command: look again.
                time.sleep(0.05)
                if (again_s := look()) is not None:
                    return max(moment_s, again_s) - since_s
            time.sleep(0.01)
        return None


class Victim:
    """A session of a process of its own, on a simulator of its own, in a home of its own."""

    def __init__(self, link: str, home: Path, device: RunningSimulator, process: subprocess.Popen[str]) -> None:
        self.link = link
        self.home = home
        self.device = device
        self.process = process
        self.motor = Motor(link, device)

    def wait_for(self, event: str) -> None:
        """Read the session's events until one of this kind; a level must be above 0."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            told = json.loads(line)
            if told["event"] == event and told.get("level") != 0:
                return
        assert self.process.stderr is not None
        raise AssertionError(f"there was no {event}: {self.process.stderr.read()}")

    def percuss(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command in the same home."""
        return subprocess.run(
            [*PERCUSS, *arguments],
            env={**os.environ, "PERCUSS_HOME": str(self.home), "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=HANG_S,
            check=False,
        )

    def watch(self, since_s: float) -> Trial:
        """Wait for the first Stop after a moment, and for rest; then end the session and take what it said."""
        stop_s, rest_s = self.motor.watch(since_s)
        self.process.kill()
        _, said = self.process.communicate(timeout=HANG_S)
        return Trial(self.link, stop_s, rest_s, said)

    @property
    def guardian_pid(self) -> int:
        """The guardian of the session."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in children:
            if b"controller.guardian" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return int(pid)
        raise AssertionError("the session has no guardian")


@contextmanager
def victim(
    link: str,
    *options: str,
    command: list[str] | None = None,
    speed: float = SPEED,
    new_session: bool = False,
    cwd: Path | None = None,
) -> Iterator[Victim]:
    """A session that has begun, on a simulator."""
    with tempfile.TemporaryDirectory(prefix="victim-") as folder:
        home = Path(folder)
        environment = {**os.environ, "PERCUSS_HOME": folder, "NO_COLOR": "1"}
        places = [("hamstrings", "left"), ("hamstrings", "right")] * 3
        text = ROUTINE + "".join(STEP.format(region=region, side=side) for region, side in places)
        routine = home / "restless.toml"
        routine.write_text(text, encoding="utf-8")
        profile = PROFILES[link]
        with simulator(home, profile, "--speed", str(speed), *options, environment=environment) as device:
            pair = [*PERCUSS, "pair", device.url, "--profile", profile, "--as", "device"]
            subprocess.run(pair, env=environment, check=True, capture_output=True, timeout=HANG_S)
            run = ["run", str(routine), "--on", "device", "--speed", str(speed), "--json"]
            with subprocess.Popen(
                [*(command or PERCUSS), *run],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=new_session,
                cwd=cwd,
            ) as process:
                try:
                    yield Victim(link, home, device, process)
                finally:
                    process.kill()


def strike(link: str, deed: str, after_s: float, *options: str) -> Trial:
    """One trial that keeps its limit: kill (SIGKILL) or freeze (SIGSTOP) a session some seconds after it began."""
    trial = try_to_leave(link, deed, after_s, *options)
    assert_stopped_in_time(deed, link, trial.stop_s, trial.rest_s)
    return trial


def try_to_leave(link: str, deed: str, after_s: float, *options: str) -> Trial:
    """One trial, whatever comes of it."""
    with victim(link, *options) as session:
        session.wait_for("session_started")
        time.sleep(after_s)
        since_s = time.monotonic()
        session.process.send_signal(signal.SIGKILL if deed == "kill" else signal.SIGSTOP)
        return session.watch(since_s)


def campaign(link: str, deed: str, count: int, seed: int, jobs: int) -> bool:
    """Print the figures of many trials at random moments; whether all kept their limit."""
    moments = random.Random(seed)
    afters_s = [moments.uniform(0.0, 38.0 / SPEED) for _ in range(count)]
    with ThreadPoolExecutor(jobs) as pool:
        trials = list(pool.map(lambda after_s: try_to_leave(link, deed, after_s), afters_s))
    limit_s = WITHIN_S[deed, link]
    stops_s = sorted(trial.stop_s for trial in trials if trial.stop_s is not None)
    late = [
        (round(after_s, 3), trial)
        for after_s, trial in zip(afters_s, trials, strict=True)
        if trial.stop_s is None or trial.stop_s > limit_s or trial.rest_s is None
    ]
    median_s, p99_s = stops_s[len(stops_s) // 2], stops_s[min(len(stops_s) - 1, round(0.99 * len(stops_s)))]
    rest_s = max((trial.rest_s or 0.0) for trial in trials)
    print(
        f"{deed:>7} {link:<6} {count:>4} moments   stop: median {median_s:.3f} s, p99 {p99_s:.3f} s, "
        f"worst {stops_s[-1]:.3f} s (limit {limit_s:g} s)   rest: worst {rest_s:.2f} s   failed: {len(late)}",
        flush=True,
    )
    for after_s, trial in late:
        print(f"        after {after_s} s (seed {seed}): {trial}", flush=True)
    return not late


def main() -> None:
    """Run the campaigns and exit with 1 when one trial failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="how often each link is struck by SIGKILL")
    parser.add_argument("--freezes", type=int, default=40, help="and by SIGSTOP")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="trials at a time")
    options = parser.parse_args()
    is_good = True
    for link in PROFILES:
        for deed, count in (("kill", options.kills), ("freeze", options.freezes)):
            is_good &= not count or campaign(link, deed, count, options.seed, options.jobs)
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
