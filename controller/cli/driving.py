"""Run a session in front of a person: keys, signals, display, events as JSON lines."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

import click

from controller.cli.exits import Exit
from controller.cli.guided import REFRESH_S, Display, make_display
from controller.cli.keys import KEYS, NERVE_SIGN, PAIN_KEYS, QUIT, keys_heard, restore_terminal
from controller.cli.opening import Driven, Hold, opened
from controller.cli.output import print_json, say
from controller.events import Event, SessionEnded, event_json
from controller.service.binding import Bindings, touches_a_body
from controller.service.emergency import BY_A_PROCESS
from controller.service.running import Wishes
from controller.sessions import BY_THE_PERSON
from routines.loader import Routine

TEN_S = 0.7
"""Real seconds after the key 1 in which a 0 makes it ten."""

STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK", "SIGQUIT", "SIGTSTP")
"""Ctrl-Z too: a suspended program could not stop the motor."""


async def drive(
    what: Routine | Hold, bindings: Bindings, wishes: Wishes, *, as_json: bool = False, sound: bool = True
) -> tuple[SessionEnded, Sequence[Event]]:
    """Run a session with everything a person needs around it; how it ended, and all that happened.

    The service runs it where there is one, since the paired devices are its own; else it runs here. The first Ctrl-C
    (or SIGTERM, SIGHUP, or a reader that goes away) stops the motor, a second one quits.
    """
    driving = _Driving(make_display(is_quiet=as_json, sound=sound), as_json=as_json)
    with driving.signals_caught(), keys_heard(driving.key) as has_keys:
        wishes = replace(
            wishes,
            asks_pain=wishes.asks_pain and has_keys and touches_a_body(bindings) and not as_json,
            waits_for_key=wishes.waits_for_key and has_keys,
            can_be_resumed=has_keys,
        )
        refreshing = asyncio.create_task(driving.refresh())
        try:
            async with opened(what, bindings, wishes) as session:
                driving.begin(session)
                async for event in session.events():
                    driving.emit(event)
                return await session.ended(), session.happened
        except asyncio.CancelledError:
            # Before anything was driven there is no session that could end in order; later it has stopped everything.
            raise click.Abort from None
        finally:
            refreshing.cancel()
            driving.end()


class _Driving:
    def __init__(self, display: Display, *, as_json: bool) -> None:
        self._display = display
        self._as_json = as_json
        self._session: Driven | None = None
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        self._is_stopping = False
        self._one: asyncio.TimerHandle | None = None
        self._interrupts = 0
        self._output_is_open = True

    def begin(self, session: Driven) -> None:
        self._session = session
        self._guarded(lambda: self._display.begin(session))
        if self._is_stopping:
            session.stop()

    def emit(self, event: Event) -> None:
        if self._as_json:
            self._guarded(lambda: print_json(event_json(event)))
        self._guarded(lambda: self._display.event(event))

    def end(self) -> None:
        self._guarded(self._display.end)

    def key(self, key: str) -> None:
        if key.lower() == QUIT:
            self.stop()
        elif key.lower() == NERVE_SIGN and self._session is not None:
            self._session.tell_nerve_sign()
        elif (score := PAIN_KEYS.get(key.lower())) is not None and self._session is not None:
            self._tell_pain(self._session, score)
        elif self._session is not None and (request := KEYS.get(key.lower())) is not None:
            self._session.request(request)

    def _tell_pain(self, session: Driven, score: int) -> None:
        """Take a digit; after a 1 a 0 may follow, which makes ten."""
        was_one, self._one = self._one, None
        if was_one is not None:
            was_one.cancel()
            if score == 0:
                session.tell_pain(10)
                return
            session.tell_pain(1)
        if score == 1:
            self._one = self._loop.call_later(TEN_S, self._tell_one, session)
        else:
            session.tell_pain(score)

    def _tell_one(self, session: Driven) -> None:
        self._one = None
        session.tell_pain(1)

    def stop(self, reason: str = BY_THE_PERSON) -> None:
        """Stop; while nothing is driven yet, give up."""
        self._is_stopping = True
        if self._session is not None:
            self._session.stop(reason)
        elif self._task is not None:
            self._task.cancel()

    def interrupt(self) -> None:
        """The first Ctrl-C stops, the second quits, even when the event loop hangs."""
        self._interrupts += 1
        if self._interrupts > 1:
            self.end()
            restore_terminal()
            with suppress(OSError):
                say("quit before the stop was confirmed; the guardian goes on stopping. Press the button if it runs.")
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
            reason = BY_A_PROCESS if number == signal.SIGTERM else BY_THE_PERSON
            self._loop.call_soon_threadsafe(self.stop, reason)

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
