"""A virtual device on its air, and links to it, in one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from controller.errors import TransportError
from controller.transports.ble import BleTransport, ble_url
from firmware_profiles.schema import Profile
from simulators.adapters.air import BleAir
from simulators.adapters.peripheral import BlePeripheral

ADDRESS = "F0:F1:00:00:00:01"


class Bench:
    """A virtual device on its air, what was written to it, and links to it that note what they see."""

    def __init__(self, air: BleAir, profile: Profile) -> None:
        self.air = air
        self.profile = profile
        self.written: asyncio.Queue[bytes] = asyncio.Queue()
        self.ways: list[bool | None] = []
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()
        self.lost: asyncio.Queue[TransportError] = asyncio.Queue()
        self.links: list[BleTransport] = []

    def take(self, data: bytes, /, *, with_response: bool | None) -> bool:
        self.written.put_nowait(data)
        self.ways.append(with_response)
        return True

    @property
    def url(self) -> str:
        return ble_url(ADDRESS, hci=self.air.moniker)

    def link(self, profile: Profile | None = None, *, url: str = "", **options: Any) -> BleTransport:
        link = BleTransport(url or self.url, profile or self.profile, **options)
        self.links.append(link)
        return link

    async def open(self, link: BleTransport | None = None) -> BleTransport:
        link = link or self.link()
        await link.open(self.heard.put_nowait, self.lost.put_nowait)
        return link

    @asynccontextmanager
    async def device(self, **options: Any) -> AsyncIterator[BlePeripheral]:
        options = {"receive": self.take, "serial": "TG-1", "firmware": "2.1.6", **options}
        device = BlePeripheral(self.air, self.profile, name="Elite", address=ADDRESS, **options)
        await device.start()
        try:
            yield device
        finally:
            for link in self.links:
                await link.close()
            await device.close()
