"""Work that blocks, such as a disk's, done in a thread: the loop turns on meanwhile, and heartbeats go out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

Done = TypeVar("Done")


async def in_thread(work: Callable[[], Done]) -> Done:
    """Do something in a thread, always to its end; gives and raises what it does.

    Being cancelled meanwhile takes effect at the next await of whoever called, who can undo by then what was done.
    """
    doing = asyncio.ensure_future(asyncio.to_thread(work))
    is_cancelled = False
    while not doing.done():
        try:
            await asyncio.wait({doing})
        except asyncio.CancelledError:
            is_cancelled = True
    if is_cancelled and (task := asyncio.current_task()) is not None:
        task.cancel()
    return doing.result()
