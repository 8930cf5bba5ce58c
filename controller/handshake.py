"""What a device wants to hear before its first command: written every time its link is opened, also to stop it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from controller.clock import Clock, wait_until
from controller.errors import DeviceFaultError
from controller.transports import Transport
from firmware_profiles.codec import InitWrite
from firmware_profiles.commands import Write
from firmware_profiles.errors import PercussError

INIT_WRITE_S = 1.5
"""Real seconds that one of these writes may take to be acknowledged."""

HASTE_S = 0.5
"""Real seconds for each write, answer and wait when the device has to be stopped."""


class Handshake:
    """The writes of one device, in order. Whoever hears the device calls `hear` with the names of its reports."""

    def __init__(self, name: str, steps: Sequence[InitWrite], clock: Clock) -> None:
        self._name = name
        self._steps = tuple(steps)
        self._clock = clock
        self._awaited: str | None = None
        self._heard = asyncio.Event()

    def hear(self, report: str) -> None:
        """Take up that a report arrived."""
        if report == self._awaited:
            self._heard.set()

    async def perform(self, transport: Transport, *, is_strict: bool, stop: Sequence[Write] = ()) -> None:
        """Write what the device wants to hear first.

        Raises TransportError, and with ``is_strict`` DeviceFaultError when an answer that the profile expects does not
        come. Without it (a device that has to be stopped) ``stop`` is written before, nothing is waited for long, and
        whatever goes wrong, the next write follows as long as the link is there.
        """
        if not self._steps:
            return
        if not is_strict:
            for write in stop:
                with suppress(PercussError, TimeoutError):
                    async with asyncio.timeout(HASTE_S):
                        await transport.write(write.data, with_response=write.with_response)
        for number, step in enumerate(self._steps, 1):
            try:
                await self._take(number, step, transport, is_strict=is_strict)
            except PercussError:
                if is_strict or not transport.is_open:
                    raise

    async def _take(self, number: int, step: InitWrite, transport: Transport, *, is_strict: bool) -> None:
        self._awaited = step.expect
        self._heard.clear()
        try:
            async with asyncio.timeout(INIT_WRITE_S if is_strict else HASTE_S):
                await transport.write(step.write.data, with_response=step.write.with_response)
        except TimeoutError:
            if is_strict:
                raise self._fault(number, "was not acknowledged") from None
        timeout_s = step.timeout_s if is_strict else min(step.timeout_s, HASTE_S)
        if step.expect is not None and not await self._answered(timeout_s) and is_strict:
            raise self._fault(number, f"was not answered with {step.expect!r} within {step.timeout_s:g} s")
        if step.wait_s:
            wait_s = step.wait_s if is_strict else min(step.wait_s, HASTE_S)
            await self._clock.sleep_until(self._clock.now() + wait_s * self._clock.speed)

    async def _answered(self, within_s: float) -> bool:
        return await wait_until(self._clock, self._heard, self._clock.now() + within_s * self._clock.speed)

    def _fault(self, number: int, what: str) -> DeviceFaultError:
        return DeviceFaultError(
            f"number {number} of the {len(self._steps)} writes that must come first {what}.",
            where=self._name,
            fix="Check its parameters (a PIN?) with `percuss devices`, and that its profile is the right one.",
        )
