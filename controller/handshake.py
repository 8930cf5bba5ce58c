"""What a device wants to hear before its first command: written every time its link is opened, also to stop it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from controller.clock import Clock, wait_until
from controller.errors import DeviceFaultError
from controller.transports import Transport
from firmware_profiles.codec import InitWrite

INIT_WRITE_S = 1.5
"""Real seconds that one of these writes may take to be acknowledged."""


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

    async def perform(self, transport: Transport, *, is_strict: bool) -> None:
        """Write what the device wants to hear first.

        Raises TransportError, and with ``is_strict`` DeviceFaultError when an answer that the profile expects does not
        come; without it (a device that has to be stopped) the next write follows all the same.
        """
        for number, step in enumerate(self._steps, 1):
            self._awaited = step.expect
            self._heard.clear()
            try:
                async with asyncio.timeout(INIT_WRITE_S):
                    await transport.write(step.write.data, with_response=step.write.with_response)
            except TimeoutError:
                if is_strict:
                    raise self._fault(number, "was not acknowledged") from None
            if step.expect is not None and not await self._answered(step.timeout_s) and is_strict:
                raise self._fault(number, f"was not answered with {step.expect!r} within {step.timeout_s:g} s")
            if step.wait_s:
                await self._clock.sleep_until(self._clock.now() + step.wait_s * self._clock.speed)

    async def _answered(self, within_s: float) -> bool:
        return await wait_until(self._clock, self._heard, self._clock.now() + within_s * self._clock.speed)

    def _fault(self, number: int, what: str) -> DeviceFaultError:
        return DeviceFaultError(
            f"number {number} of the {len(self._steps)} writes that must come first {what}.",
            where=self._name,
            fix="Check its parameters (a PIN?) with `percuss devices`, and that its profile is the right one.",
        )
