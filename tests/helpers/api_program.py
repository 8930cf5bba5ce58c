"""A program of somebody's own that drives a device, and does something terrible when the motor has begun to turn.

``python -m tests.helpers.api_program DEED run ROUTINE --on NAME --speed SPEED --json``: the arguments of ``percuss``.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable

from controller import api
from controller.events import Event, LevelAsked, event_json

_kept: list[object] = []


def _raise() -> None:
    raise ValueError("what nobody thought of")


DEEDS: dict[str, Callable[[], object]] = {
    "follow": lambda: None,
    "raise": _raise,
    "block": lambda: time.sleep(1000),
    "exit": lambda: os._exit(1),
    "system-exit": lambda: sys.exit(7),
}


def tell(event: Event) -> None:
    """Print an event as percuss does."""
    print(json.dumps(event_json(event)), flush=True)


async def follow(routine: str, device: str, speed: float, deed: Callable[[], object]) -> None:
    """Run a session and do the deed once."""
    is_done = False
    async with api.session(routine, massager=device, speed=speed) as session:
        async for event in session.events():
            tell(event)
            if isinstance(event, LevelAsked) and event.level and not is_done:
                is_done = True
                deed()


async def abandon(routine: str, device: str, speed: float) -> None:
    """Begin a session and leave it to itself."""
    entered = api.session(routine, massager=device, speed=speed)
    _kept.append(entered)  # nobody may say that it was collected
    session = await entered.__aenter__()
    async for event in session.events():
        tell(event)
        if isinstance(event, LevelAsked) and event.level:
            return


def main() -> None:
    """Do what the first argument says."""
    deed, _, routine, _, device, _, speed, *_ = sys.argv[1:]
    match deed:
        case "abandon":
            asyncio.run(abandon(routine, device, float(speed)))
            time.sleep(1000)
        case "close-loop":
            loop = asyncio.new_event_loop()
            loop.run_until_complete(abandon(routine, device, float(speed)))
            loop.close()
            time.sleep(1000)
        case _:
            asyncio.run(follow(routine, device, float(speed), DEEDS[deed]))


if __name__ == "__main__":
    main()
