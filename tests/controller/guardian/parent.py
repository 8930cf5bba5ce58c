"""A process with a guardian: ``python -m tests.controller.guardian.parent DEED URL PROFILE [URL PROFILE …]``.

It opens the devices, arms a guardian with them, sets each running, says so in one line of JSON and then does DEED.
With ``--unopened`` it opens and drives nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

from controller.clock import SystemClock
from controller.devices import Device
from controller.guardian.wards import make_ward
from controller.guardian.watching import Guardian
from controller.transports import open_url
from firmware_profiles.commands import SetLevel
from firmware_profiles.library import find_profile
from firmware_profiles.units import Level

FOR_EVER_S = 3600.0


async def run(deed: str, devices: list[Device], guardian: Guardian) -> None:
    """Do something to this process."""
    match deed:
        case "sleep":  # somebody else does something
            await asyncio.sleep(FOR_EVER_S)
        case "block":
            time.sleep(FOR_EVER_S)  # noqa: ASYNC251
        case "exit":
            os._exit(7)
        case "raise":
            raise ZeroDivisionError
        case "hand over":
            guardian.hand_over()
            print(await asyncio.to_thread(guardian._process.wait), flush=True)
            await asyncio.sleep(FOR_EVER_S)
        case "release":
            await guardian.release()
            print(await asyncio.to_thread(guardian._process.wait), flush=True)
            await asyncio.sleep(FOR_EVER_S)
        case _:
            raise AssertionError(deed)


async def main(deed: str, pairs: list[tuple[str, str]], *, is_opened: bool) -> None:
    """Arm, drive, do."""
    clock = SystemClock()
    devices = []
    guardian = Guardian()
    wards = []
    for number, (url, profile_id) in enumerate(pairs):
        profile = find_profile(profile_id)
        name = f"device{number}"
        wards.append(make_ward(name, url, profile))
        if is_opened:
            device = Device(name, profile, open_url(url, profile), clock=clock, emit=lambda _: None)
            await device.open()
            devices.append(device)
    await guardian.guard(wards)
    for device in devices:
        levels = next(iter(device.capabilities.channels.values())).levels
        await device.send(SetLevel(next(iter(device.capabilities.channels)), levels.not_above(50.0) or Level(1)))
    print(json.dumps({"guardian": guardian.pid}), flush=True)
    await run(deed, devices, guardian)


if __name__ == "__main__":
    words = sys.argv[1:]
    is_opened = "--unopened" not in words
    words = [word for word in words if not word.startswith("--")]
    asyncio.run(main(words[0], list(zip(words[1::2], words[2::2], strict=True)), is_opened=is_opened))
