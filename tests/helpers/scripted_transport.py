"""A transport without a wire: it keeps what was written, and answers as its script says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from controller.clock import Clock
from controller.errors import DeviceNotFoundError, LinkLostError, TransportError
from controller.transports import Identity


class ScriptedTransport:
    """``answer`` maps a written frame to what comes back; ``log`` is (time, frame, with_response) of every write."""

    def __init__(self, clock: Clock, answer: Callable[[bytes], list[bytes]] = lambda _: []) -> None:
        self.url = "scripted://device"
        self.is_open = False
        self.log: list[tuple[float, bytes, bool]] = []
        self.identity = Identity("scripted", serial="S1")
        self.opens = 0
        self.can_open = True
        self.acknowledges = True
        self.acknowledges_after_s = 0.0
        self.is_stuck = False
        self.refusal: Exception | None = None
        self.refuses: dict[bytes, Exception] = {}
        self.answer = answer
        self._clock = clock
        self._on_bytes: Callable[[bytes], None] = lambda _: None
        self._on_lost: Callable[[TransportError], None] = lambda _: None

    @property
    def frames(self) -> list[bytes]:
        return [frame for _, frame, _ in self.log]

    async def open(self, on_bytes: Callable[[bytes], None], on_lost: Callable[[TransportError], None]) -> None:
        self.opens += 1
        if not self.can_open:
            raise DeviceNotFoundError("nobody answers.", where=self.url)
        self._on_bytes, self._on_lost, self.is_open = on_bytes, on_lost, True

    async def close(self) -> None:
        self.is_open = False

    async def write(self, data: bytes, *, with_response: bool) -> None:
        if not self.is_open:
            raise LinkLostError("the link is gone.", where=self.url)
        if self.refusal is not None:
            raise self.refusal
        if data in self.refuses:
            raise self.refuses[data]
        if self.is_stuck:
            await asyncio.get_running_loop().create_future()  # for ever
        if with_response and not self.acknowledges:
            await asyncio.get_running_loop().create_future()  # for ever
        self.log.append((self._clock.now(), data, with_response))
        for reply in self.answer(data):
            self._on_bytes(reply)
        if with_response and self.acknowledges_after_s:
            await asyncio.sleep(self.acknowledges_after_s)

    async def read_identity(self) -> Identity:
        return self.identity

    async def pair(self) -> None:
        pass

    def say(self, data: bytes) -> None:
        """The device speaks without being asked."""
        self._on_bytes(data)

    def drop(self) -> None:
        """The link breaks."""
        self.is_open = False
        self._on_lost(LinkLostError("the link is gone.", where=self.url))


class ScriptedGun:
    """A Theragun in a dozen lines, written from the public protocol notes and not from the profile."""

    def __init__(self) -> None:
        self.rpm = 0
        self.firmware = 216
        self.obeys = True
        self.is_silent = False

    def __call__(self, frame: bytes) -> list[bytes]:
        if self.obeys and frame[2:4] == b"\x01\x03":
            self.rpm = int.from_bytes(frame[4:6], "big") if len(frame) == 7 else 0
        if self.is_silent:
            return []
        if frame == bytes.fromhex("AA 10 10 00"):
            return [self._report(b"\x10\x00", bytes([self.rpm > 0, *[0] * 8]) + self.rpm.to_bytes(2, "big"))]
        if frame == bytes.fromhex("AA 20 20 00"):
            return [self._report(b"\x20", bytes(9) + self.firmware.to_bytes(2, "big"))]
        return []

    @staticmethod
    def _report(head: bytes, tail: bytes) -> bytes:
        return bytes([0xBB, sum(head + tail) & 0xFF]) + head + tail
