"""Single keys from a terminal while a session runs."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from controller.sessions import Request

KEYS = {
    " ": Request.TOGGLE,
    "s": Request.SKIP,
    "b": Request.BACK,
    "+": Request.STRONGER,
    "=": Request.STRONGER,
    "-": Request.SOFTER,
    "e": Request.EXTRA,
}
QUIT = "q"
NERVE_SIGN = "t"
"""Tingling, numbness or shooting pain: everything stops at once."""

PAIN_KEYS = {str(score): score for score in range(10)}
"""How much it hurts, 0 to 9; a 1 and a 0 are ten."""


def legend(space: str = "pause") -> tuple[str, ...]:
    """What each key does, what stops first; ``space`` is what the space bar does now."""
    stopping = ("q stop", "t tingling, numb or shooting pain: stops")
    return (
        *stopping,
        f"space {space}",
        "s skip",
        "b back",
        "+ - intensity",
        "e extra time",
        "0 to 10 how much it hurts",
    )


_restores: list[Callable[[], None]] = []


def restore_terminal() -> None:
    """Leave the terminal as it was; for an end that runs no clean-up."""
    while _restores:
        _restores.pop()()


@contextmanager
def keys_heard(on_key: Callable[[str], None]) -> Iterator[bool]:
    """Hear every key in the block, where stdin is a terminal; yields whether it is. The terminal is restored after."""
    if not sys.stdin.isatty():
        yield False
        return
    if sys.platform == "win32":
        _hear_in_thread(on_key)
        yield True
        return
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            pressed = os.read(descriptor, 64)
        except OSError:
            pressed = b""
        if not pressed:  # the terminal is gone; SIGHUP tells of it
            loop.remove_reader(descriptor)
        for key in pressed.decode(errors="ignore"):
            on_key(key)

    def restore() -> None:
        # When the terminal is gone, so is what there was to restore.
        with suppress(termios.error):
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

    _restores.append(restore)
    # cbreak leaves Ctrl-C a signal.
    tty.setcbreak(descriptor)
    loop.add_reader(descriptor, read)
    try:
        yield True
    finally:
        loop.remove_reader(descriptor)
        restore_terminal()


def _hear_in_thread(on_key: Callable[[str], None]) -> None:
    import threading

    import click

    loop = asyncio.get_running_loop()

    def listen() -> None:
        while True:
            key = click.getchar()
            try:
                loop.call_soon_threadsafe(on_key, key)
            except RuntimeError:
                return  # the loop is closed

    threading.Thread(target=listen, daemon=True).start()
