"""Run a session in front of a person: keys, signals, display, events as JSON lines."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import click

from controller import api
from controller.cli.exits import Exit
from controller.cli.guided import REFRESH_S, Display, make_display
from controller.cli.keys import KEYS, NERVE_SIGN, PAIN_KEYS, QUIT, keys_heard, restore_terminal
from controller.cli.output import print_json, say
from controller.cli.roles import parts
from controller.events import Event, SessionEnded, event_json
from controller.service.binding import Bindings, touches_a_body
from controller.service.clearance import LeftOver
from controller.service.running import Planned, Preparation, Wishes
from controller.sessions import BY_THE_PERSON
from firmware_profiles.capabilities import MASSAGERS

TEN_S = 0.7
"""Real seconds after the key 1 in which a 0 makes it ten."""

BY_A_PROCESS = "another process asked for it, such as `percuss stop`"

STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK", "SIGQUIT", "SIGTSTP")
"""Ctrl-Z too: a suspended program could not stop the motor."""


async def drive(
    what: api.What, bindings: Bindings, wishes: Wishes, *, as_json: bool = False, sound: bool = True
) -> tuple[SessionEnded, Sequence[Event]]:
    """Run a session with everything a person needs around it; how it ended, and all that happened.

    The first Ctrl-C (or SIGTERM, SIGHUP, or a reader that goes away) stops the motor, a second one quits.
    """
    driving = _Driving(make_display(is_quiet=as_json, sound=sound), as_json=as_json)
    with driving.signals_caught(), keys_heard(driving.key) as has_keys:
        refreshing = asyncio.create_task(driving.refresh())
        try:
            async with api.session(
                what,
                **parts(bindings),
                speed=wishes.speed,
                pain_before=wishes.pain_before,
                asks_pain=wishes.asks_pain and has_keys and touches_a_body(bindings) and not as_json,
                waits_for_key=wishes.waits_for_key and has_keys,
                can_be_resumed=has_keys,
                tell=_say_preparation,
            ) as session:
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


def _say_preparation(preparation: Preparation) -> None:
    match preparation:
        case LeftOver(session, stops):
            say(f"The session {session.routine} of {session.started_utc:%Y-%m-%d %H:%M} UTC ended without a word.")
            for name, what in stops.items():
                say(f"  {name}: {what}.")
        case Planned(plan, devices, bounds):
            for reason in dict.fromkeys(bound.reason for bound in bounds if bound.cap is not None):
                say(f"Today: {reason}.")
            driven = {drive.role for span in plan.spans for drive in span.drives}
            for role in MASSAGERS:
                if role in devices and role not in driven:
                    say(f"{devices[role]} has nothing to do in this routine.")
            if devices:
                say(f"connecting to {', '.join(devices.values())} …")


class _Driving:
    def __init__(self, display: Display, *, as_json: bool) -> None:
        self._display = display
        self._as_json = as_json
        self._session: api.LiveSession | None = None
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        self._is_stopping = False
        self._one: asyncio.TimerHandle | None = None
        self._interrupts = 0
        self._output_is_open = True

    def begin(self, session: api.LiveSession) -> None:
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

    def _tell_pain(self, session: api.LiveSession, score: int) -> None:
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

    def _tell_one(self, session: api.LiveSession) -> None:
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
