"""What a virtual device says of itself on the air: 31 bytes to everybody, and 31 more to whoever asks."""

from __future__ import annotations

from dataclasses import dataclass

from bumble import core, data_types

from firmware_profiles.errors import PercussError
from firmware_profiles.links import GattLayout
from firmware_profiles.schema import Profile

PACKET_BYTES = 31
"""What a legacy advertisement carries, and the response to a scan (Core Specification 5.4, volume 6, part B, 2.3)."""

_HEADER_BYTES = 2


@dataclass(frozen=True, slots=True)
class Advertisement:
    """The two packets as they are on the air."""

    data: bytes
    scan_response: bytes


def advertise(profile: Profile, layout: GattLayout, name: str) -> Advertisement:
    """Put together what a device of this profile shows: the services, the manufacturer's data, and its name.

    What comes first goes into the first packet that has room; a name that fits into neither is shortened. Raises
    PercussError for manufacturer data that fit into neither.
    """
    flags = core.AdvertisingData.Flags
    packets = [
        bytearray(_structure(data_types.Flags(flags.LE_GENERAL_DISCOVERABLE_MODE | flags.BR_EDR_NOT_SUPPORTED))),
        bytearray(),
    ]
    for structure in (*_services(profile, layout), *_manufacturer(profile)):
        packet = _with_room(packets, len(structure))
        if packet is None:
            what = f"what it advertises does not fit into two packets of {PACKET_BYTES} bytes."
            raise PercussError(what, where=profile.id, fix="Shorten [simulator] manufacturer_data.")
        packet += structure
    whole = _structure(data_types.CompleteLocalName(name))
    packet = _with_room(packets, len(whole))
    if packet is not None:
        packet += whole
    else:
        packet = min(packets, key=len)
        room = PACKET_BYTES - len(packet) - _HEADER_BYTES
        packet += _structure(data_types.ShortenedLocalName(name.encode()[: max(room, 0)].decode(errors="ignore")))
    return Advertisement(bytes(packets[0]), bytes(packets[1]))


def _services(profile: Profile, layout: GattLayout) -> list[bytes]:
    """The service that takes the frames, and the one to be known by where that is another, the long ones apart."""
    own = {one.service for one in profile.ble.layouts} if profile.ble else set()
    known_by = next((match.service for match in profile.match if match.service is not None), None)
    uuids = [layout.service] if known_by is None or known_by in own else [known_by, layout.service]
    short = [uuid for text in uuids if len((uuid := short_uuid(text)).to_bytes()) == 2]
    long = [uuid for text in uuids if len((uuid := short_uuid(text)).to_bytes()) != 2]
    kind = (
        data_types.CompleteListOf128BitServiceUUIDs if len(long) == 1 else data_types.IncompleteListOf128BitServiceUUIDs
    )
    shorts = [_structure(data_types.CompleteListOf16BitServiceUUIDs(short))] if short else []
    return shorts + [_structure(kind([uuid])) for uuid in long]


def _manufacturer(profile: Profile) -> list[bytes]:
    match = next((match for match in profile.match if match.manufacturer_id is not None), None)
    if match is None or match.manufacturer_id is None:
        return []
    data = bytes.fromhex(profile.simulator.manufacturer_data or match.manufacturer_prefix)
    return [_structure(data_types.ManufacturerSpecificData(match.manufacturer_id, data))]


def _structure(what: core.DataType) -> bytes:
    return bytes(core.AdvertisingData([what]))


def _with_room(packets: list[bytearray], size: int) -> bytearray | None:
    return next((packet for packet in packets if len(packet) + size <= PACKET_BYTES), None)


def short_uuid(text: str) -> core.UUID:
    """A UUID in its short form where it has one, as devices send it."""
    is_short = text.startswith("0000") and text.endswith("-0000-1000-8000-00805f9b34fb")
    return core.UUID(text[4:8] if is_short else text)
