"""A gun with a motor, as a simulator that is paired, and what its own record says of that motor."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.helpers.processes import RunningSimulator, percuss, simulator

SPEED = 20.0
"""How fast its time goes, and that of a session on it."""


@contextmanager
def paired_gun(folder: Path, *options: str, speed: float = SPEED) -> Iterator[RunningSimulator]:
    """A simulator that is paired as ``gun``; ``options`` are those of `percuss simulate`."""
    with simulator(folder, "theragun-gen4", *options, "--speed", str(speed)) as device:
        paired = percuss("pair", device.url, "--profile", "theragun-gen4", "--as", "gun")
        assert paired.returncode == 0, paired.stderr
        yield device


def is_at_rest(device: RunningSimulator) -> bool:
    """Whether nothing turns now."""
    last = {line["channel"]: line["ppm"] for line in device.recorded("motor")}
    return not any(last.values())


def has_turned(device: RunningSimulator) -> bool:
    """Whether the motor ever turned."""
    return any(float(each["ppm"]) > 0 for each in device.recorded("motor"))


def wait_for_rest(device: RunningSimulator) -> None:
    """Until the motor is at rest; one that stays on becomes the test's timeout."""
    while not is_at_rest(device):
        time.sleep(0.01)


def wait_for_motion(device: RunningSimulator) -> None:
    """Until the motor has turned."""
    while not has_turned(device):
        time.sleep(0.01)


def rpm_of(frame: str) -> int | None:
    """The speed in a Theragun frame, read by hand: AA CK 01 03 HH LL 03."""
    parts = frame.split()
    return int(parts[4] + parts[5], 16) if parts[2:4] == ["01", "03"] and len(parts) == 7 else None
