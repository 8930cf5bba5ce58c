"""A scanner for bleak on bumble: Bluetooth LE over any HCI stream, without the operating system's Bluetooth stack.

`scanner_backend` makes the class that ``BleakScanner(backend=…)`` takes. Scanners and clients (`bumble_client`) of one
moniker (``tcp-client:127.0.0.1:9000``, ``unix:/path``, ``usb:0``) share its `Radio`.
"""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from bleak.assigned_numbers import AdvertisementDataType as Kind
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner

# First: it tells what to install when bumble is missing.
from controller.transports.bumble_radio import Radio  # isort: skip
from bumble import core
from bumble.device import Advertisement

_UUID_KINDS: dict[int, int] = {
    Kind.INCOMPLETE_LIST_SERVICE_UUID16: 2,
    Kind.COMPLETE_LIST_SERVICE_UUID16: 2,
    Kind.INCOMPLETE_LIST_SERVICE_UUID32: 4,
    Kind.COMPLETE_LIST_SERVICE_UUID32: 4,
    Kind.INCOMPLETE_LIST_SERVICE_UUID128: 16,
    Kind.COMPLETE_LIST_SERVICE_UUID128: 16,
}
_SERVICE_DATA_KINDS: dict[int, int] = {
    Kind.SERVICE_DATA_UUID16: 2,
    Kind.SERVICE_DATA_UUID32: 4,
    Kind.SERVICE_DATA_UUID128: 16,
}
_RSSI_UNKNOWN_DBM = 127


def scanner_backend(hci_moniker: str) -> type[BumbleScanner]:
    """The scanner class for one controller."""
    return type("BumbleScanner", (BumbleScanner,), {"moniker": hci_moniker})


class BumbleScanner(BaseBleakScanner):
    """Scans actively. What a device says in its advertisement and in its scan response is put together."""

    moniker: ClassVar[str]

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: str,
        **_kwargs: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._radio: Radio | None = None

    async def start(self) -> None:
        """Begin to scan. Raises BleakBluetoothNotAvailableError."""
        self.seen_devices = {}
        radio = await Radio.acquire(self.moniker)
        try:
            await radio.start_scanning(self._on_advertisement)
        except BaseException:
            await radio.release()
            raise
        self._radio = radio

    async def stop(self) -> None:
        """End the scan."""
        radio, self._radio = self._radio, None
        if radio is None:
            return
        try:
            await radio.stop_scanning(self._on_advertisement)
        finally:
            await radio.release()

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        address = advertisement.address.to_string(False)
        _, known = self.seen_devices.get(address, (None, None))
        heard = advertisement_data(advertisement, known)
        if not self.is_allowed_uuid(heard.service_uuids):
            return
        device = self.create_or_update_device(address, address, heard.local_name, advertisement.address, heard)
        self.call_detection_callbacks(device, heard)


def advertisement_data(advertisement: Advertisement, known: AdvertisementData | None) -> AdvertisementData:
    """What an advertisement says, added to what is known already: devices spread it over several packets."""
    name = known.local_name if known else None
    tx_power = known.tx_power if known else None
    uuids = dict.fromkeys(known.service_uuids) if known else {}
    manufacturer = dict(known.manufacturer_data) if known else {}
    services = dict(known.service_data) if known else {}
    for kind, data in advertisement.data.ad_structures:
        match kind:
            case Kind.SHORTENED_LOCAL_NAME | Kind.COMPLETE_LOCAL_NAME:
                name = data.decode("utf-8", errors="replace")
            case Kind.TX_POWER_LEVEL:
                tx_power = int.from_bytes(data[:1], signed=True)
            case Kind.MANUFACTURER_SPECIFIC_DATA:
                manufacturer[int.from_bytes(data[:2], "little")] = bytes(data[2:])
            case _ if size := _UUID_KINDS.get(kind):
                whole = len(data) - len(data) % size
                uuids |= dict.fromkeys(bleak_uuid(data[at : at + size]) for at in range(0, whole, size))
            case _ if (size := _SERVICE_DATA_KINDS.get(kind)) and len(data) >= size:
                services[bleak_uuid(data[:size])] = bytes(data[size:])
            case _:
                pass
    rssi_dbm = -_RSSI_UNKNOWN_DBM if advertisement.rssi == _RSSI_UNKNOWN_DBM else advertisement.rssi
    return AdvertisementData(name, manufacturer, services, list(uuids), tx_power, rssi_dbm, (advertisement,))


def bleak_uuid(little_endian: bytes) -> str:
    """A UUID of 2, 4 or 16 bytes as bleak writes it."""
    whole = core.UUID.from_bytes(bytes(little_endian)).uuid_128_bytes
    return str(uuid.UUID(bytes=whole[::-1]))
