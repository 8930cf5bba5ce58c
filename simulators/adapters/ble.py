"""A virtual Bluetooth LE device as an `Adapter`: one `BlePeripheral` on an air of its own."""

from __future__ import annotations

import re

from firmware_profiles.errors import PercussError
from firmware_profiles.schema import Profile
from simulators.adapters import Receive
from simulators.adapters.air import BleAir
from simulators.adapters.peripheral import BlePeripheral

DEFAULT_ADDRESS = "F0:F1:C2:00:00:01"

_ADDRESS = re.compile(r"[C-F][0-9A-F](:[0-9A-F]{2}){5}")


class BleAdapter:
    """A device on virtual air; see `BlePeripheral`, also for what it raises.

    Raises PercussError for an ``address`` that is no random static one, too.
    """

    def __init__(
        self,
        receive: Receive,
        profile: Profile,
        *,
        name: str,
        address: str = DEFAULT_ADDRESS,
        port: int = 0,
        serial: str = "",
        firmware: str = "",
        alternative: int = 0,
        max_connections: int | None = None,
    ) -> None:
        if not _ADDRESS.fullmatch(address):
            advice = f"Such an address begins with C, D, E or F, as {DEFAULT_ADDRESS} does."
            raise PercussError("is no random static Bluetooth address.", where=address, fix=advice)
        self._air = BleAir(port)
        self._peripheral = BlePeripheral(
            self._air,
            profile,
            receive,
            name=name,
            address=address,
            serial=serial,
            firmware=firmware,
            alternative=alternative,
            max_connections=max_connections,
            bond=profile.ble is not None and profile.ble.bond,
        )

    @property
    def url(self) -> str:
        """What the controller opens: the device's address, and the air as its adapter."""
        return f"ble://{self._peripheral.address}?hci={self._air.moniker}"

    @property
    def connection_count(self) -> int:
        """How many centrals are connected now."""
        return self._peripheral.connection_count

    async def start(self) -> None:
        """Switch the device on. Raises OSError when the air's port is taken."""
        await self._air.start()
        await self._peripheral.start()

    def send(self, data: bytes) -> None:
        """Notify every central that subscribed."""
        self._peripheral.notify(data)

    async def drop_link(self, for_s: float) -> None:
        """Be out of range for ``for_s`` real seconds."""
        await self._peripheral.drop_link(for_s)

    async def restore_link(self) -> None:
        """Be back in range now."""
        self._peripheral.restore_link()

    async def close(self) -> None:
        """Switch the device off."""
        await self._peripheral.close()
        await self._air.close()
