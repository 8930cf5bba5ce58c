"""The memory of one process with a Bluetooth session on a simulator."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.figures import Figure
from tests.helpers.processes import simulator

SESSION = """
import asyncio, resource, sys
from controller import api
from controller.service.binding import Binding
from firmware_profiles.library import find_profile


async def main():
    gun = Binding("gun", sys.argv[1], find_profile("theragun-gen4"), is_simulated=True)
    async with api.session("piriformis-release", massager=gun, speed=60) as session:
        await session.ended()


asyncio.run(main())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def measure() -> list[Figure]:
    """The most that the process held, beside a Python that has only imported bleak and bumble."""
    with (
        tempfile.TemporaryDirectory() as folder,
        simulator(Path(folder), "theragun-gen4", "--ble", "--speed", "60") as gun,
    ):
        environment = {**os.environ, "PERCUSS_HOME": folder}
        # The first journal of all is made with Alembic, which later sessions do not load.
        made = "from controller.journal import open_journal; open_journal().close()"
        subprocess.run([sys.executable, "-c", made], check=True, env=environment)
        ours = subprocess.run(
            [sys.executable, "-c", SESSION, gun.url], check=True, capture_output=True, text=True, env=environment
        )
    bare = (
        "import bleak, bumble.device, bumble.host, resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    raw = subprocess.run([sys.executable, "-c", bare], check=True, capture_output=True, text=True)
    megabytes = [int(done.stdout.split()[-1]) / 1024 for done in (ours, raw)]
    return [Figure("memory of a Bluetooth session", megabytes[0], "MB", "<= 80 MB", megabytes[1])]
