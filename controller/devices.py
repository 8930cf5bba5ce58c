"""One massager or timer: a transport, a codec and a lock, and the stop that goes past all three."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from controller.clock import Clock, wait_until
from controller.errors import DeviceFaultError, IdentityError, LinkLostError, RetryableError, TransportError
from controller.events import (
    BytesIgnored,
    DeviceReported,
    DeviceStopped,
    LevelAsked,
    LinkLost,
    LinkRestored,
    Listener,
)
from controller.handshake import Handshake
from controller.obedience import Obedience
from controller.stopping import Stopper, StopResult
from controller.transports import Identity, Transport, link_of
from controller.upkeep import Upkeep
from firmware_profiles.codec import Codec
from firmware_profiles.commands import (
    BadFrame,
    Command,
    QueryStatus,
    QueryVersion,
    SetLevel,
    Status,
    Stop,
    Version,
    Write,
)
from firmware_profiles.errors import PercussError
from firmware_profiles.loader import report_name
from firmware_profiles.redaction import Redaction
from firmware_profiles.schema import Profile
from firmware_profiles.units import Level

ANSWER_S = 2.0
"""Real seconds that a device that can answer has to do so."""

WRITE_S = 1.5
"""Real seconds that a device may take to acknowledge a command: less than the motor's permission lasts."""

FIRST_STOP_FRAMES = 8
"""How much of a Stop goes before a greeting: all of it, but for one of many presses."""

POLL_END_S = 0.1
"""Real seconds that a question under way gets to end."""

REST_REPEAT_S = 1.2
"""Real seconds after which an off is written again to a device that has not said that it rests: it may be lost."""

BACK_OFF_S = (0.25, 0.5, 1.0, 2.0, 4.0, 5.0)
"""Real seconds between attempts to reconnect; the last one repeats."""

MAX_GARBAGE = 8
"""Frames in a row that make no sense before the device counts as broken; some may be reports that no profile lists."""


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
        self.status: Status | None = None
        self.on_fault: Callable[[PercussError], None] = lambda _: None
        self.on_status: Callable[[Status], None] = lambda _: None
        self.on_written: Callable[[], None] = lambda: None
        self._transport = transport
        self._clock = clock
        self._emit = emit
        self._expected = expected
        link = link_of(transport.url)
        self._codec = Codec(profile, link)
        self._redaction = Redaction(profile, link)
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
        self._write_gap_s = profile.write_gap_s(is_stream=link == "serial")
        self._rest_repeat_s = max(REST_REPEAT_S, 4 * sum(write.gap_s for write in self._codec.stop_writes()))
        self._upkeep = [
            *([Upkeep(profile.keepalive.period_s, self._keep_alive, clock)] if profile.keepalive else []),
            *(
                [Upkeep(profile.level.resend_s, self._resend, clock)]
                if profile.level and profile.level.resend_s
                else []
            ),
        ]
        self._lock = asyncio.Lock()
        self._next_write_s = 0.0
        self._halts = 0
        levels = profile.levels if profile.level is not None else None
        self._obedience = Obedience(name, profile.channels, levels)
        self._heard_s = 0.0
        self._garbage = 0
        self._version: str | None = None
        self._status_changed = asyncio.Event()
        self._version_heard = asyncio.Event()
        self._poll: asyncio.Task[None] | None = None
        self._resting: asyncio.Task[None] | None = None
        self._rest_writing = asyncio.Lock()
        self._rising: int | None = None

    @property
    def can_confirm_stop(self) -> bool:
        """Whether the device says what it is doing."""
        return self._stopper.can_confirm

    @property
    def is_heard(self) -> bool:
        """Whether what the device last said is fresh; always true of one that cannot say anything."""
        if self._poll is None or self.profile.poll_period_s is None:
            return True
        return self._now_s() - self._heard_s <= self._silence_s(self.profile.poll_period_s)

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
                await self._ask(QueryStatus(), self._status_changed)
        except BaseException:
            await self._transport.close()
            raise
        self._heard_s = self._now_s()
        if self.can_confirm_stop and self.profile.poll_period_s is not None:
            self._poll = asyncio.create_task(self._poll_status(self.profile.poll_period_s))
        for upkeep in self._upkeep:
            upkeep.start()
        return identity

    async def close(self) -> None:
        """Close the link. It does not stop the motor: that is `stop`, before."""
        self._end_rest()
        self._end_upkeep()
        await self._end_poll()
        await self._transport.close()

    async def pair(self) -> None:
        """Bond where the link knows bonding."""
        await self._transport.pair()

    async def send(self, command: Command) -> None:
        """Send a command, one at a time and no sooner than the device bears.

        A command that a halt overtakes while it waits is dropped: after a stop nothing old may move the motor.
        """
        halts = self._halts
        async with self._lock:
            await self._keep_gap()
            try:
                if isinstance(command, SetLevel) and command.level:
                    self._rising = halts
                    async with self._rest_writing:
                        pass  # an off that is still under way would arrive behind this command
                    self._stopper.expect_running()
                # Not sooner: what a frame says may depend on what was sent, or stopped, before it.
                if not await self._write_all(self._codec.encode(command), halts, self.on_written):
                    return
            finally:
                self._rising = None
            self._codec.note_sent(command)
            self._remember(command)

    async def halt(self) -> None:
        """Send Stop now, past the lock, the gap and whatever waits. It does not wait for the device's word.

        Raises PercussError when a frame could not be written; all of them are tried first.
        """
        self._halts += 1
        ran = [channel for channel, level in self._obedience.asked.items() if level]
        self._obedience.ask_rest(self._now_s())
        self._codec.note_stopped()
        self._watch_rest()
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
        self._end_rest()
        self._end_upkeep()
        await self._end_poll()
        result = await self._stopper.until_confirmed(self._reopen, write=self.halt)
        self._end_rest()
        self._emit(DeviceStopped(self.name, result.proof, result.attempts))
        return result

    async def reconnect(self, budget_s: float) -> None:
        """Open a lost link again, trying with growing pauses for ``budget_s`` real seconds; Stop goes first.

        Raises the last TransportError when the budget ends.
        """
        await self._end_poll()
        deadline_s = self._now_s() + budget_s
        attempt = 0
        while True:
            try:
                await self.open(stops_first=True)
            except RetryableError:
                pause_s = BACK_OFF_S[min(attempt, len(BACK_OFF_S) - 1)]
                attempt += 1
                if self._now_s() + pause_s > deadline_s:
                    raise
                await self._real_sleep(pause_s)
            else:
                self._emit(LinkRestored(self.name))
                return

    async def _identify(self) -> Identity:
        identity = await self._transport.read_identity()
        if self._codec.can(QueryVersion):
            await self._ask(QueryVersion(), self._version_heard)
        identity = Identity(identity.address, identity.serial, self._version or identity.firmware)
        if self._expected is not None:
            _check_identity(self.name, self._expected, identity)
        return identity

    async def _ask(self, question: QueryStatus | QueryVersion, answered: asyncio.Event) -> None:
        answered.clear()
        await self.send(question)
        if not await self._heard(answered, ANSWER_S):
            raise DeviceFaultError(
                f"is connected but does not answer ({'garbled bytes' if self._garbage else 'silence'}).",
                where=f"{self.name} ({self._transport.url})",
                fix="Switch it off and on, and check that its profile is the right one.",
            )

    async def _reopen(self) -> None:
        await self._transport.close()
        self._codec.reset()
        await self._transport.open(self._receive, self._lose)
        await self._handshake.perform(self._transport, is_strict=False, stop=self._first_stop)

    async def _connect(self, *, is_strict: bool) -> None:
        self._end_upkeep()
        await self._end_poll()
        self._codec.reset()
        self._garbage = 0
        await self._transport.open(self._receive, self._lose)
        try:
            await self._handshake.perform(self._transport, is_strict=is_strict, stop=self._first_stop)
        except BaseException:
            await self._transport.close()
            raise

    async def _write_all(
        self, writes: Sequence[Write], halts: int, on_written: Callable[[], None] = lambda: None
    ) -> bool:
        """Write the frames of a command; False when a Stop came between: nothing must follow that."""
        gaps_s = sum(write.gap_s for write in writes)
        after_s = max(self._write_gap_s, writes[-1].gap_s if writes else 0.0)
        try:
            async with asyncio.timeout(WRITE_S + gaps_s):
                for number, write in enumerate(writes):
                    if number and writes[number - 1].gap_s:
                        await self._real_sleep(writes[number - 1].gap_s)
                    if halts != self._halts:
                        return False
                    await self._transport.write(write.data, with_response=write.with_response)
                    if number < len(writes) - 1:
                        on_written()
        except TimeoutError:
            self._codec.note_lost()
            raise DeviceFaultError(
                "does not acknowledge what is written to it.", where=self.name, fix="Switch it off and on again."
            ) from None
        except BaseException:
            self._codec.note_lost()
            raise
        finally:
            self._next_write_s = self._clock.now() + after_s * self._clock.speed
        return halts == self._halts

    async def _keep_gap(self) -> None:
        """Wait until the device bears the next write; the lock is held."""
        if self._next_write_s > self._clock.now():
            await self._clock.sleep_until(self._next_write_s)

    async def _keep_alive(self) -> None:
        if self.profile.keepalive is None or (
            self.profile.keepalive.while_running and not self._obedience.is_asked_to_run
        ):
            return
        async with self._lock:
            await self._keep_gap()
            await self._write_all(self._codec.keepalive_writes(), self._halts)

    async def _resend(self) -> None:
        """Say the levels again to a device that falls silent otherwise; a Stop ends that as it ends the levels."""
        async with self._lock:
            await self._keep_gap()
            for channel, level in list(self._obedience.asked.items()):
                if level and self._obedience.asked[channel] == level:
                    await self._write_all(self._codec.encode(SetLevel(channel, Level(level))), self._halts)

    def _end_upkeep(self) -> None:
        for upkeep in self._upkeep:
            upkeep.end()

    def _remember(self, command: Command) -> None:
        if isinstance(command, Stop):
            self._obedience.ask_rest(self._now_s())
        elif isinstance(command, SetLevel):
            self._obedience.ask(command.channel, command.level, self._now_s())
            if not command.level:
                self._watch_rest()
            levels = self.capabilities.channels[command.channel].levels
            self._emit(
                LevelAsked(
                    self.name,
                    command.channel,
                    command.level,
                    round(levels.percent(command.level), 1),
                    levels.ppm(command.level),
                )
            )

    def _receive(self, data: bytes) -> None:
        for report in self._codec.feed(data):
            if isinstance(report, BadFrame):
                shown = "left out" if self._redaction.hides(report.data) else report.data.hex(" ").upper()
                self._emit(BytesIgnored(self.name, report.reason, shown))
                self._garbage += 1
                if self._garbage == MAX_GARBAGE and self.can_confirm_stop:
                    self._fail("sends bytes that make no sense.", "Check that its profile is the right one.")
                continue
            self._garbage = 0
            self._heard_s = self._now_s()
            if isinstance(report, Version) or report.checksum_ok:
                self._handshake.hear(report_name(report))
            if isinstance(report, Version):
                self._version = report.firmware
                self._version_heard.set()
            elif isinstance(report, Status):
                self._take_status(report)

    def _take_status(self, status: Status) -> None:
        level = max(status.levels.values(), default=None)
        levels = next((channel.levels for channel in self.capabilities.channels.values()), None)
        ppm = None if level is None or levels is None else levels.ppm(level)
        self._emit(DeviceReported(self.name, status.running, ppm, status.battery_pct, status.temperature_c))
        if not status.checksum_ok:
            return  # shown, and believed in nothing
        self.status = status
        self._status_changed.set()
        self._stopper.hear(is_at_rest=status.is_at_rest)
        self.on_status(status)
        if (fault := self._obedience.judge(status, self._now_s())) is not None:
            self.on_fault(fault)

    def _lose(self, problem: TransportError) -> None:
        self._emit(LinkLost(self.name, problem.what))
        self.on_fault(problem)

    def _fail(self, what: str, fix: str) -> None:
        self.on_fault(DeviceFaultError(what, where=self.name, fix=fix))

    async def _poll_status(self, period_s: float) -> None:
        """Ask for the status on absolute deadlines; a device that falls silent is a fault."""
        due_s = self._clock.now()
        while True:
            due_s = max(due_s + period_s, self._clock.now())
            await self._clock.sleep_until(due_s)
            problem: PercussError | None = None
            try:
                await self.send(QueryStatus())
            except LinkLostError:
                return  # the transport tells of it by itself
            except PercussError as told:
                problem = told
            except Exception as unknown:  # noqa: BLE001 - a device that cannot be asked must not go on unwatched
                problem = DeviceFaultError(f"cannot be asked what it does ({unknown!r}).", where=self.name)
            if self._poll is not asyncio.current_task():
                return  # it is over, and a driver swallowed that
            if problem is None and self._now_s() - self._heard_s > self._silence_s(period_s):
                problem = DeviceFaultError(
                    "does not answer any more.", where=self.name, fix="Is it switched off or out of reach?"
                )
            if problem is not None:
                self.on_fault(problem)
                return

    def _silence_s(self, period_s: float) -> float:
        """How many real seconds of silence make what it said stale."""
        return max(2 * ANSWER_S, 3 * period_s / self._clock.speed)

    async def _end_poll(self) -> None:
        poll, self._poll = self._poll, None
        if poll is not None:
            poll.cancel()
            # However it ends, and even if a driver swallows the cancellation: a stop does not wait for it.
            await asyncio.wait({poll}, timeout=POLL_END_S)

    def _watch_rest(self) -> None:
        if not self._transport.is_open:
            return  # the link that comes gets Stop first
        if self._resting is None or self._resting.done():
            self._resting = asyncio.create_task(self._repeat_rest())

    def _end_rest(self) -> None:
        resting, self._resting = self._resting, None
        if resting is not None:
            resting.cancel()

    async def _repeat_rest(self) -> None:
        """Write the offs again until the device says that it rests; one that cannot say so gets them on and on."""
        me = asyncio.current_task()
        while self._resting is me:  # a driver may swallow a cancellation
            asked_s = self._obedience.asked_s
            await self._real_sleep(self._rest_repeat_s)
            quiet = [channel for channel, level in self._obedience.asked.items() if not level]
            is_all = len(quiet) == len(self._obedience.asked)
            if not quiet or (is_all and self._has_rested_since(asked_s)):
                return
            if self._resting is not me or self._rising == self._halts or asked_s != self._obedience.asked_s:
                continue  # something else was asked meanwhile
            with suppress(PercussError, TimeoutError):
                if is_all:
                    async with self._rest_writing:
                        await self._stopper.write()
                    continue
                async with self._lock:
                    for channel in [channel for channel in quiet if not self._obedience.asked[channel]]:
                        await self._write_all(self._codec.encode(SetLevel(channel, Level(0))), self._halts)

    def _has_rested_since(self, moment_s: float) -> bool:
        is_fresh = self._heard_s > moment_s
        return self.can_confirm_stop and is_fresh and self.status is not None and self.status.is_at_rest

    async def _heard(self, answer: asyncio.Event, within_s: float) -> bool:
        return await wait_until(self._clock, answer, self._clock.now() + within_s * self._clock.speed)

    def _now_s(self) -> float:
        """Real seconds: links and motors do not run faster because a session does."""
        return self._clock.now() / self._clock.speed

    async def _real_sleep(self, duration_s: float) -> None:
        await self._clock.sleep_until(self._clock.now() + duration_s * self._clock.speed)


def _check_identity(name: str, expected: Identity, found: Identity) -> None:
    """Refuse a device that answers to the address but is another one."""
    for what, then, now in (
        ("serial number", expected.serial, found.serial),
        ("firmware", expected.firmware, found.firmware),
    ):
        if then is not None and then != now:
            raise IdentityError(
                f"its {what} is {now or 'not told'}; the device that was paired had {then}.",
                where=name,
                fix=f"If it is yours and changed on purpose: `percuss forget {name}`, then `percuss pair` again.",
            )
