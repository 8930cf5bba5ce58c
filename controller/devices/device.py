"""The device itself: opened, commanded, stopped; what goes on besides is done by the modules next to this one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from controller.clock import Clock, real_now_s, wait_until
from controller.devices.back_off import retried
from controller.devices.hearing import ANSWER_S, Hearing
from controller.devices.identity import check_identity
from controller.devices.obedience import Obedience
from controller.devices.polling import StatusPoll
from controller.devices.resting import Resting
from controller.devices.upkeep import upkeep_of
from controller.devices.write_queue import WriteQueue
from controller.errors import DeviceFaultError, TransportError
from controller.events import (
    DeviceStopped,
    LevelAsked,
    LinkLost,
    LinkRestored,
    Listener,
)
from controller.handshake import Handshake
from controller.stopping import Stopper, StopResult
from controller.transports import Identity, Transport, link_of
from firmware_profiles.codec import Codec
from firmware_profiles.commands import (
    Command,
    QueryStatus,
    QueryVersion,
    SetLevel,
    Status,
    Stop,
)
from firmware_profiles.errors import PercussError
from firmware_profiles.redaction import Redaction
from firmware_profiles.schema import Profile

FIRST_STOP_FRAMES = 8
"""How much of a Stop goes before a greeting: all of it, but for one of many presses."""


class Device:
    """A device that can be driven. ``on_fault`` is told, once, when it must not be driven any longer.

    ``on_written`` is called after every frame of a command that has several: presses take longer than a motor's
    permission lasts, and whoever commanded them is still there. What is sent again by itself calls nobody.
    """

    def __init__(
        self,
        name: str,
        profile: Profile,
        transport: Transport,
        *,
        clock: Clock,
        emit: Listener,
        expected: Identity | None = None,
    ) -> None:
        self.name = name
        self.profile = profile
        self.capabilities = profile.capabilities()
        self.on_fault: Callable[[PercussError], None] = lambda _: None
        self.on_status: Callable[[Status], None] = lambda _: None
        self.on_written: Callable[[], None] = lambda: None
        self._transport = transport
        self._clock = clock
        self._emit = emit
        self._expected = expected
        link = link_of(transport.url)
        self._codec = Codec(profile, link)
        self._handshake = Handshake(name, self._codec.init_steps(), clock)
        self._stopper = Stopper(
            name,
            transport,
            stop=self._codec.stop_writes(),
            ask=self._codec.status_writes(),
            clock=clock,
            tells=profile.reports_status,
            only_when_running=self._codec.stops_only_when_running,
        )
        self._first_stop = () if self._codec.stops_only_when_running else self._codec.stop_writes()[:FIRST_STOP_FRAMES]
        levels = profile.levels if profile.level is not None else None
        self._obedience = Obedience(name, profile.channels, levels)
        self._hearing = Hearing(
            name,
            self._codec,
            redaction=Redaction(profile, link),
            handshake=self._handshake,
            stopper=self._stopper,
            obedience=self._obedience,
            clock=clock,
            emit=emit,
            on_status=self._tell_status,
            on_fault=self._tell_fault,
        )
        self._poll = StatusPoll(
            name, profile.poll_period_s, self._ask_status, hearing=self._hearing, clock=clock, on_fault=self._tell_fault
        )
        gap_s = profile.write_gap_s(is_stream=link == "serial")
        self._queue = WriteQueue(name, transport, gap_s=gap_s, clock=clock, on_lost=self._codec.note_lost)
        self._upkeep = upkeep_of(self._codec, self._queue, self._obedience, clock)
        self._resting = Resting(
            self._codec,
            transport,
            queue=self._queue,
            stopper=self._stopper,
            obedience=self._obedience,
            hearing=self._hearing,
            clock=clock,
        )

    @property
    def status(self) -> Status | None:
        """What it last said that it is doing."""
        return self._hearing.status

    @property
    def can_confirm_stop(self) -> bool:
        """Whether the device says what it is doing."""
        return self._stopper.can_confirm

    @property
    def is_heard(self) -> bool:
        """Whether what the device last said is fresh; always true of one that cannot say anything."""
        return self._poll.is_heard

    def can(self, command: type[Command]) -> bool:
        """Whether the device has a command."""
        return self._codec.can(command)

    async def connect(self) -> None:
        """Open the link, say what the device must hear first, and nothing more: enough to stop it, whoever it is.

        Raises TransportError.
        """
        await self._connect(is_strict=False)

    async def open(self, *, stops_first: bool = False) -> Identity:
        """Connect, check that it is the device that was paired, and listen to it.

        With ``stops_first`` Stop is written before anything is asked.

        Raises TransportError, IdentityError, and DeviceFaultError when it connects but does not answer.
        """
        await self._connect(is_strict=not stops_first)
        self._obedience.forget()
        try:
            # A device that only steps is taken down to zero, where counting begins.
            if stops_first or (self.profile.level is not None and self.profile.level.model == "relative"):
                await self.halt()
            identity = await self._identify()
            if self.can_confirm_stop:
                await self._ask(QueryStatus(), self._hearing.status_changed)
        except BaseException:
            await self._transport.close()
            raise
        self._hearing.heard_s = real_now_s(self._clock)
        if self.can_confirm_stop:
            self._poll.start()
        for upkeep in self._upkeep:
            upkeep.start()
        return identity

    async def close(self) -> None:
        """Close the link. It does not stop the motor: that is `stop`, before."""
        self._resting.end()
        self._end_upkeep()
        await self._poll.end()
        await self._transport.close()

    async def pair(self) -> None:
        """Bond where the link knows bonding."""
        await self._transport.pair()

    async def send(self, command: Command) -> None:
        """Send a command, one at a time and no sooner than the device bears.

        A command that a halt overtakes while it waits is dropped: after a stop nothing old may move the motor.
        """
        halts = self._queue.halts
        async with self._queue.turn():
            try:
                if isinstance(command, SetLevel) and command.level:
                    await self._resting.make_way(halts)
                    self._stopper.expect_running()
                # Not sooner: what a frame says may depend on what was sent, or stopped, before it.
                if not await self._queue.write(self._codec.encode(command), halts, self.on_written):
                    return
            finally:
                self._resting.end_way()
            self._codec.note_sent(command)
            self._remember(command)

    async def halt(self) -> None:
        """Send Stop now, past the lock, the gap and whatever waits. It does not wait for the device's word.

        Raises PercussError when a frame could not be written; all of them are tried first.
        """
        self._queue.halts += 1
        ran = [channel for channel, level in self._obedience.asked.items() if level]
        self._obedience.ask_rest(real_now_s(self._clock))
        self._codec.note_stopped()
        self._resting.watch()
        try:
            await self._stopper.write()
        except BaseException:
            self._codec.note_lost()
            raise
        finally:
            for channel in ran:
                self._emit(LevelAsked(self.name, channel, 0, 0.0, 0))

    async def stop(self) -> StopResult:
        """Send Stop until the device says that it is at rest, or the budget ends. Never raises for its sake."""
        self._resting.end()
        self._end_upkeep()
        await self._poll.end()
        result = await self._stopper.until_confirmed(self._reopen, write=self.halt)
        self._resting.end()
        self._emit(DeviceStopped(self.name, result.proof, result.attempts))
        return result

    async def reconnect(self, budget_s: float) -> None:
        """Open a lost link again, trying with growing pauses for ``budget_s`` real seconds; Stop goes first.

        Raises the last TransportError when the budget ends.
        """
        await self._poll.end()
        await retried(lambda: self.open(stops_first=True), budget_s, self._clock)
        self._emit(LinkRestored(self.name))

    async def _identify(self) -> Identity:
        identity = await self._transport.read_identity()
        if self._codec.can(QueryVersion):
            await self._ask(QueryVersion(), self._hearing.version_heard)
        identity = Identity(identity.address, identity.serial, self._hearing.version or identity.firmware)
        if self._expected is not None:
            check_identity(self.name, self._expected, identity)
        return identity

    async def _ask(self, question: QueryStatus | QueryVersion, answered: asyncio.Event) -> None:
        answered.clear()
        await self.send(question)
        if not await wait_until(self._clock, answered, self._clock.now() + ANSWER_S * self._clock.speed):
            raise DeviceFaultError(
                f"is connected but does not answer ({'garbled bytes' if self._hearing.garbage else 'silence'}).",
                where=f"{self.name} ({self._transport.url})",
                fix="Switch it off and on, and check that its profile is the right one.",
            )

    async def _ask_status(self) -> None:
        await self.send(QueryStatus())

    async def _reopen(self) -> None:
        await self._transport.close()
        self._codec.reset()
        await self._transport.open(self._hearing.receive, self._lose)
        await self._handshake.perform(self._transport, is_strict=False, stop=self._first_stop)

    async def _connect(self, *, is_strict: bool) -> None:
        self._end_upkeep()
        await self._poll.end()
        self._codec.reset()
        self._hearing.garbage = 0
        await self._transport.open(self._hearing.receive, self._lose)
        try:
            await self._handshake.perform(self._transport, is_strict=is_strict, stop=self._first_stop)
        except BaseException:
            await self._transport.close()
            raise

    def _end_upkeep(self) -> None:
        for upkeep in self._upkeep:
            upkeep.end()

    def _remember(self, command: Command) -> None:
        if isinstance(command, Stop):
            self._obedience.ask_rest(real_now_s(self._clock))
        elif isinstance(command, SetLevel):
            self._obedience.ask(command.channel, command.level, real_now_s(self._clock))
            if not command.level:
                self._resting.watch()
            levels = self.capabilities.channels[command.channel].levels
            percent = round(levels.percent(command.level), 1)
            self._emit(LevelAsked(self.name, command.channel, command.level, percent, levels.ppm(command.level)))

    def _lose(self, problem: TransportError) -> None:
        self._emit(LinkLost(self.name, problem.what))
        self.on_fault(problem)

    # Whoever listens says so after the device was made.
    def _tell_status(self, status: Status) -> None:
        self.on_status(status)

    def _tell_fault(self, problem: PercussError) -> None:
        self.on_fault(problem)
