"""An off is written again until the device says that it rests: one may be lost on the way."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from controller.clock import Clock, real_sleep
from controller.devices.hearing import Hearing
from controller.devices.obedience import Obedience
from controller.devices.write_queue import WriteQueue
from controller.stopping import Stopper
from controller.transports import Transport
from firmware_profiles.codec import Codec
from firmware_profiles.commands import SetLevel
from firmware_profiles.errors import PercussError
from firmware_profiles.units import Level

REST_REPEAT_S = 1.2
"""Real seconds after which an off is written again to a device that has not said that it rests: it may be lost."""


class Resting:
    """Repeats the offs of one device between `watch` and `end`, wherever no level above 0 was asked since."""

    def __init__(
        self,
        codec: Codec,
        transport: Transport,
        *,
        queue: WriteQueue,
        stopper: Stopper,
        obedience: Obedience,
        hearing: Hearing,
        clock: Clock,
    ) -> None:
        self._codec = codec
        self._transport = transport
        self._queue = queue
        self._stopper = stopper
        self._obedience = obedience
        self._hearing = hearing
        self._clock = clock
        self._rest_repeat_s = max(REST_REPEAT_S, 4 * sum(write.gap_s for write in codec.stop_writes()))
        self._resting: asyncio.Task[None] | None = None
        self._rest_writing = asyncio.Lock()
        self._rising: int | None = None

    def watch(self) -> None:
        """Begin, if it has not begun: something was told to rest."""
        if not self._transport.is_open:
            return  # the link that comes gets Stop first
        if self._resting is None or self._resting.done():
            self._resting = asyncio.create_task(self._repeat_rest())

    def end(self) -> None:
        """Write nothing more."""
        resting, self._resting = self._resting, None
        if resting is not None:
            resting.cancel()

    async def make_way(self, halts: int) -> None:
        """Let a command to run go out: until `end_way`, no off is written unless a Stop overtakes the command.

        ``halts`` is the queue's, from when the command was given.
        """
        self._rising = halts
        async with self._rest_writing:
            pass  # an off that is still under way would arrive behind this command

    def end_way(self) -> None:
        """Take up that the command went out, or never will."""
        self._rising = None

    async def _repeat_rest(self) -> None:
        """Write the offs again until the device says that it rests; one that cannot say so gets them on and on."""
        me = asyncio.current_task()
        while self._resting is me:  # a driver may swallow a cancellation
            asked_s = self._obedience.asked_s
            await real_sleep(self._clock, self._rest_repeat_s)
            quiet = [channel for channel, level in self._obedience.asked.items() if not level]
            is_all = len(quiet) == len(self._obedience.asked)
            if not quiet or (is_all and self._hearing.has_rested_since(asked_s)):
                return
            if self._resting is not me or self._rising == self._queue.halts or asked_s != self._obedience.asked_s:
                continue  # something else was asked meanwhile
            with suppress(PercussError, TimeoutError):
                if is_all:
                    async with self._rest_writing:
                        await self._stopper.write()
                    continue
                # Without the gap: whoever waits behind it has a permission that runs.
                async with self._queue.turn(keeps_gap=False):
                    for channel in [channel for channel in quiet if not self._obedience.asked[channel]]:
                        await self._queue.write(self._codec.encode(SetLevel(channel, Level(0))), self._queue.halts)
