"""Stop, past everything: written to a link again and again until the device says that it is at rest.

The devices of a session and the guardian share it; it knows bytes and a transport, no codec and no session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from controller.clock import Clock, wait_until
from controller.errors import DeviceFaultError, LinkLostError
from controller.events import StopProof
from controller.transports import Transport
from firmware_profiles.commands import Write
from firmware_profiles.errors import PercussError

STOP_BUDGET_S = 10.0
"""Real seconds for a stop to be confirmed, before a person has to press the button."""

STOP_REPEAT_S = 0.3
"""Real seconds between two stops."""

STOP_WRITE_S = 0.5
"""Real seconds that a stop waits for its acknowledgement before it is written without one."""

SETTLE_S = 0.5
"""Real seconds after a toggle was pressed, either way, during which what the device says may be about before."""

STUCK_FRAMES = 2
"""After so many frames in a row that nobody took, the link counts as stuck."""

BLIND_STOPS = 3
"""How often Stop is sent to a device that cannot say whether it worked."""


@dataclass(frozen=True, slots=True)
class StopResult:
    """How a stop went, after how many attempts."""

    proof: StopProof
    attempts: int


class Stopper:
    """The stop of one device. ``stop`` and ``ask`` are its frames, encoded before anything runs.

    ``ask`` is empty for a device that cannot be asked what it is doing; one that ``tells`` says so by itself. Whoever
    hears the device calls `hear`. With ``only_when_running`` the stop is a toggle: it is written only to a device that
    is known to run.
    """

    def __init__(
        self,
        name: str,
        transport: Transport,
        *,
        stop: Sequence[Write],
        ask: Sequence[Write],
        clock: Clock,
        tells: bool = False,
        only_when_running: bool = False,
    ) -> None:
        self.name = name
        self._transport = transport
        self._stop = tuple(stop)
        self._ask = tuple(ask)
        self._clock = clock
        self._heard = asyncio.Event()
        self._is_at_rest = False
        self._tells = tells and not self._ask
        self._is_toggle = only_when_running
        self._runs = False
        self._toggled_s = -SETTLE_S

    @property
    def can_confirm(self) -> bool:
        """Whether the device can be asked what it is doing."""
        return bool(self._ask)

    def hear(self, *, is_at_rest: bool) -> None:
        """Take up what the device just said."""
        is_settled = self._now_s() - self._toggled_s >= SETTLE_S
        if self._is_toggle and not is_settled and is_at_rest == self._runs:
            return
        self._is_at_rest, self._runs = is_at_rest, not is_at_rest
        self._heard.set()

    def expect_running(self) -> None:
        """Take up that the device is being told to run."""
        self._runs, self._toggled_s = True, self._now_s()

    async def write(self) -> None:
        """Write Stop once, past every lock, gap and queue. Raises the last PercussError.

        Every frame is tried, unless the link is gone or takes nothing any more: then a new one is worth more.
        """
        if self._is_toggle:
            if not self._runs:
                return
            self._runs, self._toggled_s = False, self._now_s()
        failure: PercussError | None = None
        stuck = 0
        for number, write in enumerate(self._stop):
            if number and self._stop[number - 1].gap_s:
                await self._sleep(self._stop[number - 1].gap_s)
            try:
                await self._write_frame(write)
                stuck = 0
            except PercussError as problem:
                failure = problem
                if isinstance(problem, LinkLostError) or not self._transport.is_open:
                    break
            except TimeoutError as problem:
                failure = DeviceFaultError(f"Stop could not be written ({problem!r}).", where=self.name)
                stuck += 1
                if stuck == STUCK_FRAMES:
                    break
            except Exception as problem:  # noqa: BLE001 - whatever goes wrong with one frame, the next is tried
                failure = DeviceFaultError(f"Stop could not be written ({problem!r}).", where=self.name)
        if failure is not None:
            raise failure

    async def _write_frame(self, write: Write) -> None:
        try:
            async with asyncio.timeout(STOP_WRITE_S):
                await self._transport.write(write.data, with_response=write.with_response)
        except TimeoutError:
            if self._is_toggle:
                raise  # it may have arrived, and once more would switch it on: its status decides
            # Whatever it is busy with: a write without acknowledgement goes past it.
            async with asyncio.timeout(STOP_WRITE_S):
                await self._transport.write(write.data, with_response=False)

    async def until_confirmed(
        self,
        reopen: Callable[[], Awaitable[None]],
        *,
        write: Callable[[], Awaitable[None]] | None = None,
        budget_s: float = STOP_BUDGET_S,
    ) -> StopResult:
        """Write Stop until the device says that it is at rest, or ``budget_s`` real seconds are over. Never raises.

        A device that cannot say so gets it `BLIND_STOPS` times. ``reopen`` opens the link anew; ``write`` stands in for
        `write` where more has to happen with it.
        """
        attempts = 0
        blind = 0
        is_fresh = False
        # Stops that take their time, as presses do, must not use up the budget by themselves.
        deadline_s = self._now_s() + budget_s + BLIND_STOPS * sum(write.gap_s for write in self._stop)
        while self._now_s() < deadline_s:
            attempts += 1
            self._heard.clear()  # what it says from now on counts
            try:
                await (write or self.write)()
                if (self.can_confirm or self._tells) and await self._rests():
                    return StopResult("confirmed", attempts)
                if not self.can_confirm and not (self._tells and self._runs):
                    blind += 1
                    if blind >= BLIND_STOPS:
                        return StopResult("cannot_report", attempts)
                    await self._sleep(STOP_REPEAT_S)
                is_fresh = False
            except Exception:  # noqa: BLE001 - whatever it is, Stop is tried again
                # A link that takes nothing any more, twice, is opened anew; one that breaks again at once gets a pause.
                is_stuck = not self._transport.is_open or attempts % 2 == 0
                is_new = is_stuck and await _succeeds(reopen, max(0.0, deadline_s - self._now_s()))
                if is_fresh or not is_new:
                    await self._sleep(STOP_REPEAT_S)
                is_fresh = is_new
        return StopResult("unconfirmed", attempts)

    async def _rests(self) -> bool:
        """Ask until the device says that it is at rest, for as long as one repeat of Stop."""
        until_s = self._now_s() + STOP_REPEAT_S
        while self._now_s() < until_s:
            if self._ask:
                self._heard.clear()
            for write in self._ask:
                with suppress(TimeoutError):
                    async with asyncio.timeout(STOP_WRITE_S):
                        await self._transport.write(write.data, with_response=write.with_response)
            within_s = self._clock.now() + STOP_REPEAT_S * self._clock.speed
            if await wait_until(self._clock, self._heard, within_s) and self._is_at_rest:
                return True
            self._heard.clear()
            await self._sleep(STOP_REPEAT_S / 10)
        return False

    def _now_s(self) -> float:
        """Real seconds: links and motors do not run faster because a session does."""
        return self._clock.now() / self._clock.speed

    async def _sleep(self, duration_s: float) -> None:
        await self._clock.sleep_until(self._clock.now() + duration_s * self._clock.speed)


async def _succeeds(reopen: Callable[[], Awaitable[None]], budget_s: float) -> bool:
    try:
        async with asyncio.timeout(budget_s):
            await reopen()
    except Exception:  # noqa: BLE001 - a link that cannot be opened, for whatever reason
        return False
    return True
