"""What systemd is told of a service (sd_notify): that it is ready, that it lives, that it ends.

https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html; without systemd nothing is sent.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress


def notify(state: str) -> bool:
    """Tell systemd, such as ``READY=1``; whether it could be told. Never raises for its sake."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return False
    if address.startswith("@"):  # a name without a file
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
        link.setblocking(False)
        link.sendto(state.encode(), address)
        return True
    return False


def watchdog_s() -> float | None:
    """How often systemd wants to hear that this process lives, in seconds; None when it does not."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        period_s = int(os.environ["WATCHDOG_USEC"]) / 1e6
    except (KeyError, ValueError):
        return None
    return period_s if period_s > 0 else None


async def keep_telling() -> None:
    """Tell systemd that this loop lives, twice in each period that it gives; for ever."""
    period_s = watchdog_s()
    while period_s is not None:
        notify("WATCHDOG=1")
        await asyncio.sleep(period_s / 2)
