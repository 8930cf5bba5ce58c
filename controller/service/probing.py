"""Look at one device that no profile may be known for: what it shows, and which profiles that fits."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from controller.errors import DeviceNotFoundError, TransportError
from controller.registry import Registry
from controller.safety import holds
from controller.service import pairing, scanning
from controller.service.ownership import require_own
from controller.service.simulation import running_simulators
from firmware_profiles.library import load_profiles
from firmware_profiles.matching import Appearance, Candidate, find_candidates

if TYPE_CHECKING:
    from controller.transports.ble_table import Service, Table


@dataclass(frozen=True, slots=True)
class Probe:
    """What a device shows of itself, and the profiles that fit it, best first.

    ``services``, ``advertised_services`` and ``manufacturer`` are of a Bluetooth device, ``usb_id`` and
    ``usb_product`` of a serial port. ``texts`` are what it says of itself. ``note`` says what cannot be seen.
    """

    url: str
    name: str = ""
    rssi_dbm: int | None = None
    advertised_services: tuple[str, ...] = ()
    manufacturer: dict[int, bytes] = field(default_factory=dict)
    services: tuple[Service, ...] = ()
    texts: dict[str, str] = field(default_factory=dict)
    usb_id: str | None = None
    usb_product: str | None = None
    candidates: tuple[Candidate, ...] = ()
    note: str = ""


async def probe(target: str, *, timeout_s: float = 10.0, adapter: str | None = None) -> Probe:
    """Look at the device with this URL, address or name; nothing but reading is done to it.

    Raises MatchError when nothing of that name is there, TransportError, RegistryError, and DeviceBusyError while
    somebody drives it or a service owns it.
    """
    url = target if scanning.is_url(target) else pairing.choose((await _around(adapter, timeout_s)), target).url
    paired = pairing.names_of(url, Registry().devices())
    require_own(paired)
    with holds.held(min(paired, default=target), url):
        if not url.startswith("ble://"):
            return _serial(url)
        from controller.transports.ble_table import read_table

        return _bluetooth(url, await read_table(url, timeout_s=timeout_s))


def probe_json(found: Probe) -> dict[str, Any]:
    """What was seen, as plain values; what is not known is left out."""
    plain = {
        "name": found.name,
        "rssi_dbm": found.rssi_dbm,
        "advertised_services": list(found.advertised_services),
        "manufacturer": {str(number): data.hex(" ").upper() for number, data in found.manufacturer.items()},
        "services": [asdict(service) for service in found.services],
        "texts": found.texts,
        "usb_id": found.usb_id,
        "usb_product": found.usb_product,
        "note": found.note,
    }
    known = {name: value for name, value in plain.items() if value not in (None, "", [], {})}
    candidates = [
        {"profile": one.profile.id, "score": one.score, "sure": one.is_sure, "reasons": list(one.reasons)}
        for one in found.candidates
    ]
    return {"url": found.url, **known, "candidates": candidates}


async def _around(adapter: str | None, timeout_s: float) -> tuple[scanning.Found, ...]:
    result = await scanning.scan(min(timeout_s, 5.0), adapter=adapter)
    if not result.found and (told := next((p for p in result.problems if isinstance(p, TransportError)), None)):
        raise told  # no radio explains why nothing is there
    return result.found


def _bluetooth(url: str, table: Table) -> Probe:
    seen = table.sighting
    # A device advertises some of its services only: all that it has count here, which a scan cannot see.
    services = tuple(dict.fromkeys((*seen.services, *(service.uuid for service in table.services))))
    appearance = Appearance(seen.name or "", services, seen.manufacturer)
    return Probe(
        url=url,
        name=seen.name or "",
        rssi_dbm=seen.rssi_dbm,
        advertised_services=seen.services,
        manufacturer=dict(seen.manufacturer),
        services=table.services,
        texts=table.texts,
        candidates=_candidates(appearance),
    )


def _serial(url: str) -> Probe:
    simulator = next((one for one in running_simulators() if one.url == url), None)
    if simulator is not None:
        note = f"A simulator of {simulator.profile}, which is all that can be seen from here."
        return Probe(url, name=simulator.name, note=note)
    if "://" in url:
        return Probe(url, note="A network port says nothing of the device behind it: name its profile with --profile.")
    from controller.transports.serial import list_serial_ports

    port = next((one for one in list_serial_ports() if os.path.realpath(one.url) == os.path.realpath(url)), None)
    if port is None:
        if not os.path.exists(url):  # noqa: PTH110 - COM3 is no path
            fix = "Plug the device in, and list the ports with `percuss scan --all`."
            raise DeviceNotFoundError("There is no such serial port.", where=url, fix=fix)
        return Probe(url, note="This port is on no USB bridge: it says nothing of the device behind it.")
    appearance = Appearance(usb_id=port.usb_id, usb_product=port.product or "")
    return Probe(
        url,
        name=port.product or "",
        texts={"serial": port.serial_number} if port.serial_number else {},
        usb_id=port.usb_id,
        usb_product=port.product,
        candidates=_candidates(appearance),
        note="" if port.usb_id else "This port is on no USB bridge: it says nothing of the device behind it.",
    )


def _candidates(appearance: Appearance) -> tuple[Candidate, ...]:
    profiles, _ = load_profiles()
    return tuple(find_candidates(appearance, profiles.values()))
