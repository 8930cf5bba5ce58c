"""The real command line with one thing broken: ``python -m tests.helpers.sabotage WHAT WHERE AFTER_S -- run …``.

WHAT is ``raise`` (the function raises RuntimeError from then on) or ``block`` (the event loop stands still in it).
WHERE is ``module:Class.function``. AFTER_S counts from the first motor command, so that something runs when it breaks.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import time
from collections.abc import Callable
from typing import Any

from controller.cli import main
from controller.devices import Device
from firmware_profiles.commands import SetLevel

BLOCKED_S = 600.0

_began_s: list[float] = []


def watch_for_the_motor() -> None:
    """Note when the first command to run was sent."""
    plain = Device.send

    async def send(self: Device, command: Any) -> None:
        await plain(self, command)
        if isinstance(command, SetLevel) and command.level and not _began_s:
            _began_s.append(time.monotonic())

    Device.send = send  # type: ignore[method-assign]


def broken(plain: Callable[..., Any], what: str, after_s: float) -> Callable[..., Any]:
    """The function, until it breaks."""

    def fail() -> None:
        if _began_s and time.monotonic() - _began_s[0] >= after_s:
            if what == "block":
                time.sleep(BLOCKED_S)
            raise RuntimeError("sabotaged")

    if inspect.iscoroutinefunction(plain):

        async def waits(*args: Any, **kwargs: Any) -> Any:
            fail()
            return await plain(*args, **kwargs)

        return waits

    def runs(*args: Any, **kwargs: Any) -> Any:
        fail()
        return plain(*args, **kwargs)

    return runs


if __name__ == "__main__":
    what, where, after = sys.argv[1:4]
    module_name, _, path = where.partition(":")
    owner: Any = importlib.import_module(module_name)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    watch_for_the_motor()
    setattr(owner, name, broken(getattr(owner, name), what, float(after)))
    sys.argv = ["percuss", *sys.argv[5:]]
    main()
