"""Run a session in front of a person: keys, signals, display, events as JSON lines."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import click

from controller.cli.display import REFRESH_S, Display, make_display
from controller.cli.exits import Exit
from controller.cli.keys import KEYS, QUIT, keys_heard, restore_terminal
from controller.cli.output import print_json, say
from controller.events import Event, SessionEnded, event_json
from controller.service.running import Binding, run_timeline
from controller.sessions import Session
from firmware_profiles.capabilities import Role
from routines.timeline import Timeline

STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK", "SIGQUIT", "SIGTSTP")
"""Ctrl-Z too: a suspended program could not stop the motor."""


async def drive(
    timeline: Timeline,
    bindings: Mapping[Role, Binding],
    *,
    speed: float = 1.0,
    as_json: bool = False,
    waits_for_key: bool = False,
) -> tuple[SessionEnded, list[Event]]:
    """Run a timeline with everything a person needs around it; how it ended, and all that happened.

    The first Ctrl-C (or SIGTERM, SIGHUP, or a reader that goes away) stops the motor, a second one quits.
    """
    if bindings:
        say(f"connecting to {', '.join(binding.name for binding in bindings.values())} …")
    driving = _Driving(make_display(is_quiet=as_json), as_json=as_json)
    with driving.signals_caught(), keys_heard(driving.key) as has_keys:
        refreshing = asyncio.create_task(driving.refresh())
        try:
            ended = await run_timeline(
                timeline,
                bindings,
                emit=driving.emit,
                started=driving.begin,
                speed=speed,
                waits_for_key=waits_for_key and has_keys,
                can_be_resumed=has_keys,
            )
        except asyncio.CancelledError:
            # Before anything was driven there is no session that could end in order; later it has stopped everything.
            raise click.Abort from None
        finally:
            refreshing.cancel()
            driving.end()
    return ended, driving.events


class _Driving:
    def __init__(self, display: Display, *, as_json: bool) -> None:
        self.events: list[Event] = []
        self._display = display
        self._as_json = as_json
        self._session: Session | None = None
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        self._is_stopping = False
        self._interrupts = 0
        self._output_is_open = True

    def begin(self, session: Session) -> None:
        self._session = session
        self._guarded(lambda: self._display.begin(session))
        if self._is_stopping:
            session.stop()

    def emit(self, event: Event) -> None:
        self.events.append(event)
        if self._as_json:
            self._guarded(lambda: print_json(event_json(event)))
        self._guarded(lambda: self._display.event(event))

    def end(self) -> None:
        self._guarded(self._display.end)

    def key(self, key: str) -> None:
        if key.lower() == QUIT:
            self.stop()
        elif self._session is not None and (request := KEYS.get(key.lower())) is not None:
            self._session.request(request)

    def stop(self) -> None:
        """Stop; while nothing is driven yet, give up."""
        self._is_stopping = True
        if self._session is not None:
            self._session.stop()
        elif self._task is not None:
            self._task.cancel()

    def interrupt(self) -> None:
        """The first Ctrl-C stops, the second quits, even when the event loop hangs."""
        self._interrupts += 1
        if self._interrupts > 1:
            self.end()
            restore_terminal()
            with suppress(OSError):
                say("quit before the stop was confirmed: look at the device and press its button if it runs.")
            os._exit(Exit.STOP_UNCONFIRMED)
        self._loop.call_soon_threadsafe(self.stop)

    async def refresh(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            self._guarded(self._display.refresh)

    @contextmanager
    def signals_caught(self) -> Iterator[None]:
        before = {}
        for name in STOP_SIGNALS:
            if (number := getattr(signal, name, None)) is not None:
                before[number] = signal.signal(number, self._on_signal)
        try:
            yield
        finally:
            for number, handler_before in before.items():
                signal.signal(number, handler_before)

    def _on_signal(self, number: int, _frame: object) -> None:
        if number == signal.SIGINT:
            self.interrupt()
        else:
            self._loop.call_soon_threadsafe(self.stop)

    def _guarded(self, show: Callable[[], None]) -> None:
        """Show something; when nobody can see it any more, stop: a closed terminal must not leave a motor running."""
        if not self._output_is_open:
            return
        try:
            show()
        except OSError:
            self._output_is_open = False
            # Nothing may be written at interpreter exit either.
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
            self.stop()
