"""Listen to a paired device and tell what its frames mean; nothing that sets a motor is ever written.

What is written is what the device needs before it says anything (its ``[[init]]``), the questions that its profile
knows, and what keeps the link awake.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from controller.clock import Clock
from controller.errors import IdentityError, TransportError
from controller.handshake import Handshake
from controller.safety import holds
from controller.service.binding import Binding
from controller.service.ownership import require_own
from controller.transports import Identity, link_of, open_url
from controller.transports.capture import TappedTransport
from firmware_profiles.captures import Direction, Opened, Passed
from firmware_profiles.codec import Codec
from firmware_profiles.commands import BadFrame, QueryVersion, Write
from firmware_profiles.decoding import Decoder, Meaning
from firmware_profiles.firmware import Received
from firmware_profiles.plain_values import report_name
from firmware_profiles.redaction import Redaction

ASK_S = 2.0
"""Real seconds between two questions to a device whose profile does not say how often it likes them."""

LINK = "sniffed"


async def sniff(
    binding: Binding, hear: Callable[[Meaning], None], *, clock: Clock, end: asyncio.Event | None = None
) -> Decoder:
    """Tell everything that passes until ``end`` is set, which it is by itself when the link is lost.

    Gives the decoder, which knows how much was understood. Raises DeviceBusyError while somebody else drives the
    device or a service owns it, IdentityError when it is another one than was paired, LinkLostError and other
    TransportErrors, and what ``hear`` raises.
    """
    require_own([binding.name])
    listening = _Listening(binding, hear, clock, end or asyncio.Event())
    with holds.held(binding.name, binding.url):
        try:
            await listening.run()
        finally:
            await listening.transport.close()
    return listening.decoder


class _Listening:
    """One link that is listened to; it is its own tap."""

    def __init__(self, binding: Binding, hear: Callable[[Meaning], None], clock: Clock, end: asyncio.Event) -> None:
        self.decoder = Decoder(binding.profile)
        self.transport = TappedTransport(open_url(binding.url, binding.profile), self)
        self._binding = binding
        self._hear = hear
        self._clock = clock
        self._end = end
        self._over = link_of(binding.url)
        self._codec = Codec(binding.profile, self._over)
        self._redaction = Redaction(binding.profile, self._over)
        self._redaction.learn(binding.url, binding.expected.serial if binding.expected else None)
        self._began_s = clock.now()
        self._failure: Exception | None = None
        self._handshake = Handshake(binding.name, self._codec.init_steps(), clock)

    async def run(self) -> None:
        """Open the link, and listen and ask until it is over."""
        ending = asyncio.ensure_future(self._end.wait())
        working = asyncio.ensure_future(self._work())
        try:
            await asyncio.wait({ending, working}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ending.cancel()
            working.cancel()
            await asyncio.wait({ending, working})
        if self._failure is not None:
            raise self._failure
        if not working.cancelled():
            working.result()

    async def _work(self) -> None:
        await self.transport.open(lambda _: None, self._lose)
        _check_serial(self._binding, await self.transport.read_identity())
        # One that does not answer is listened to all the same: finding out why is what this is for.
        await self._handshake.perform(self.transport, is_strict=False)
        if self._codec.can(QueryVersion):
            await self._write(self._codec.encode(QueryVersion()))
        await asyncio.gather(self._ask(), self._keep_awake())

    async def _ask(self) -> None:
        period_s = self._binding.profile.status_period_s or ASK_S
        while questions := self._codec.status_writes():
            await self._write(questions)
            await self._sleep(period_s)
        await self._end.wait()

    async def _keep_awake(self) -> None:
        table = self._binding.profile.keepalive
        while table is not None and not table.while_running:
            await self._write(self._codec.keepalive_writes())
            await self._sleep(table.period_s)

    async def _write(self, writes: Iterable[Write]) -> None:
        gap_s = self._binding.profile.write_gap_s(is_stream=self._over == "serial")
        for write in writes:
            await self.transport.write(write.data, with_response=write.with_response)
            await self._sleep(max(gap_s, write.gap_s))

    async def _sleep(self, duration_s: float) -> None:
        await self._clock.sleep_until(self._clock.now() + duration_s)

    def opening(self) -> None:
        """Tell the decoder over what kind of link it reads."""
        self.decoder.open(Opened(LINK, self.decoder.profile.id, self._over))

    def passed(self, direction: Direction, data: bytes, *, with_response: bool | None) -> None:
        """Tell what passed and what it means."""
        left_out = len(data) if self._redaction.hides(data) else 0
        t_s = self._clock.now() - self._began_s
        shown = b"" if left_out else data
        meaning = self.decoder.take(Passed(direction, shown, LINK, t_s, with_response, left_out=left_out))
        for one in meaning.said:
            if not isinstance(one, BadFrame | Received):
                self._handshake.hear(report_name(one))
        try:
            self._hear(meaning)
        except Exception as problem:  # noqa: BLE001 - told by `run`: a reader that is gone ends the listening
            self._failure = problem
            self._end.set()

    def identified(self, identity: Identity) -> None:
        """Leave out from now on what tells this device from others."""
        self._redaction.learn(identity.address, identity.serial)

    def _lose(self, problem: TransportError) -> None:
        self._failure = problem
        self._end.set()


def _check_serial(binding: Binding, found: Identity) -> None:
    expected = binding.expected
    if expected is not None and expected.serial is not None and found.serial != expected.serial:
        what = "it says another serial number than the device that was paired."
        fix = f"If it is yours: `percuss forget {binding.name}`, then `percuss pair` again."
        raise IdentityError(what, where=binding.name, fix=fix)
