"""Do what a command says, through the station, and say in a sentence what came of it."""

from __future__ import annotations

import asyncio
import math
from contextlib import aclosing

from controller import api
from controller.errors import RefusedError
from controller.events import (
    Event,
    IntensityChanged,
    RequestRefused,
    SessionEnded,
    SessionPaused,
    SessionResumed,
    SpanExtended,
    SpanStarted,
)
from controller.mqtt.choices import Choices
from controller.mqtt.commands import Ask, Choose, Command, Devices, Halt, Hold, Intensity, Pain, Start
from controller.mqtt.limits import HoldLimits, default_s, hold_limits
from controller.safety.supervisor import CHANGE_PERCENT
from controller.service import emergency
from controller.sessions import Request
from controller.station import Order, Running, Station
from controller.stopping import StopResult
from firmware_profiles.errors import PercussError

BY = "a message over MQTT"
ANSWER_S = 3.0
"""Real seconds that are waited for what comes of a request; a skip stops the device first."""

_COMES_OF: dict[Request, tuple[type[Event], ...]] = {
    Request.PAUSE: (SessionPaused,),
    Request.RESUME: (SessionResumed, SpanStarted),
    Request.SKIP: (SpanStarted,),
    Request.BACK: (SpanStarted,),
    Request.EXTRA: (SpanExtended,),
    Request.STRONGER: (IntensityChanged,),
    Request.SOFTER: (IntensityChanged,),
}


class Obeying:
    """Obeys one command after the other, except a halt, which may come while another is obeyed."""

    def __init__(self, station: Station, choices: Choices) -> None:
        self._station = station
        self._choices = choices
        self._stopping_everything = 0

    @property
    def stops(self) -> int:
        """How many stops were asked for so far, by whatever door."""
        return self._station.stops

    async def obey(self, command: Command, *, as_of: int) -> str:
        """Do it; what came of it. Raises PercussError, and nothing that was not running runs then.

        ``as_of`` is what ``stops`` was when the command came: a stop since then was meant for what it starts, too.
        """
        match command:
            case Start():
                return await self._start(command, as_of)
            case Hold():
                return await self._hold(command, as_of)
            case Choose():
                await self._choices.choose(routine=command.routine, region=command.region, massager=command.massager)
                return "chosen"
            case Intensity(percent=percent):
                if (running := self._station.running) is not None:
                    return await self._reach(running, percent)
                self._choices.choose_percent(percent)
                return "chosen"
            case Ask():
                return await self._ask(self._running(), Request[command.do.upper()])
            case Pain(score=score):
                self._station.tell_pain(score)
                return "told"
            case Halt():
                return await self.halt(command)

    async def halt(self, command: Halt | Pain) -> str:
        """Stop; what the devices said to it. Raises PercussError."""
        match command:
            case Halt(do="emergency_stop") if self._stopping_everything and emergency.is_engaged():
                # Again and again they would be in each other's way at the devices; a session may have been started.
                await self._station.stop(f"stopped by {BY}")
                return "everything is being stopped already"
            case Halt(do="emergency_stop"):
                return await self._stop_everything()
        try:
            if self._station.running is not None:
                self._tell_why(command)
        finally:
            ended = await self._station.stop(f"stopped by {BY}")
        return "nothing ran" if ended is None else f"{ended.outcome}: {ended.reason}"

    def _tell_why(self, command: Halt | Pain) -> None:
        """Stop for what a person feels, so that it is written down; a mere stop says nothing."""
        match command:
            case Pain(score=score):
                self._station.tell_pain(score)
            case Halt(do="nerve_sign"):
                self._station.tell_nerve_sign()

    async def _stop_everything(self) -> str:
        self._stopping_everything += 1
        try:
            results = await self._station.stop_everything(BY)
        finally:
            self._stopping_everything -= 1
        return "; ".join(f"{name}: {_proof(result)}" for name, result in results.items()) or "stopped"

    async def _start(self, command: Start, as_of: int) -> str:
        if command.routine is not None and command.script is not None:
            raise RefusedError("a routine and a script are two things.", fix="Say one of them.")
        if command.script is not None:
            what: api.What = await asyncio.to_thread(api.script, command.script)
        elif (name := command.routine or self._choices.routine) is not None:
            what = await asyncio.to_thread(api.routine, name)
        else:
            raise RefusedError("no routine is chosen.", fix="Choose one, or name one.")
        return await self._begin(what, command, self._massager(command, without=command.no_device), as_of)

    async def _hold(self, command: Hold, as_of: int) -> str:
        if (running := self._station.running) is not None:
            if command.percent is None:
                raise RefusedError(f"a session runs already, started by {running.by}.", fix="Stop it first.")
            return await self._reach(running, command.percent)
        region = command.region or self._choices.region
        massager = self._massager(command)
        percent = command.percent or (self._choices.percent if command.region is None else None)
        if percent is None:
            limits = await asyncio.to_thread(hold_limits, massager, region)
            if not isinstance(limits, HoldLimits):
                raise limits
            percent = limits.gentle_percent
        duration_s = command.duration_s or default_s(region)
        said = await self._begin(api.hold(percent, duration_s, region=region), command, massager, as_of)
        if command.percent is not None and command.region is None:
            self._choices.percent = command.percent  # the plan has found it inside the limits
        return said

    def _massager(self, command: Devices, *, without: bool = False) -> str | None:
        if without or command.simulator is not None:
            if command.massager is not None:
                raise RefusedError("a massager is named, and something else instead of it.", fix="Say one of them.")
            return None
        massager = command.massager or self._choices.massager
        if massager is None:
            raise RefusedError("no massager is chosen.", fix="Pair one, or choose or name one of several.")
        return massager

    async def _begin(self, what: api.What, command: Devices, massager: str | None, as_of: int) -> str:
        running = await self._station.start(
            Order(
                what=what,
                by=BY,
                massager=massager,
                massager2=command.massager2,
                timer=command.timer,
                simulator=command.simulator,
                speed=command.speed,
                pain_before=command.pain_before,
            ),
            as_of=as_of,
        )
        return f"session {running.number} runs: {running.routine}, {running.live.plan.duration_s:.0f} s"

    async def _reach(self, running: Running, percent: float) -> str:
        """Change what runs by steps until it is at ``percent``, or the last step below; and choose that then."""
        self._choices.check_percent(percent)
        span = running.progress.span
        targets = [
            drive.levels.percent(target) for drive in (span.drives if span else ()) for _, target in drive.targets
        ]
        planned = next((each for each in targets if each), None)
        if planned is None:
            raise RefusedError("nothing is driven in this step.", where=span.place if span else "")
        changes = [each for each in running.live.happened if isinstance(each, IntensityChanged)]
        change = changes[-1].change_percent if changes else 0.0
        steps = math.floor((percent - planned - change) / CHANGE_PERCENT + 1e-9)
        for _ in range(abs(steps)):
            await self._ask(running, Request.STRONGER if steps > 0 else Request.SOFTER)
        self._choices.choose_percent(percent)
        return f"{planned + change + steps * CHANGE_PERCENT:.0f} % of full scale, in steps of {CHANGE_PERCENT:.0f}"

    async def _ask(self, running: Running, request: Request) -> str:
        """Ask, and wait for what comes of it."""
        progress = running.progress
        is_at_rest = progress.is_paused or progress.is_waiting
        if request is Request.PAUSE and is_at_rest:
            return "it is at rest already"
        # Where it asks how much it hurts it may be waiting for that.
        if request is Request.RESUME and not is_at_rest and not running.order.asks_pain:
            raise RefusedError("it is not paused.")
        seen = len(running.live.happened)
        self._station.ask(request)
        try:
            async with asyncio.timeout(ANSWER_S), aclosing(running.live.events()) as events:  # type: ignore[type-var]
                number = 0
                async for event in events:
                    number += 1
                    if number <= seen:
                        continue
                    if isinstance(event, RequestRefused):
                        raise RefusedError(event.reason)
                    if isinstance(event, (*_COMES_OF[request], SessionEnded)):
                        return "done"
        except TimeoutError:
            return "asked; nothing has come of it yet"
        return "the session is over"

    def _running(self) -> Running:
        if self._station.running is None:
            raise RefusedError("no session runs.", fix="Start one.")
        return self._station.running


def _proof(result: StopResult | PercussError) -> str:
    return str(result) if isinstance(result, PercussError) else result.proof
