"""Find what is there: Bluetooth LE advertisements, serial ports, and simulators that run on this machine."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from controller.errors import TransportError
from controller.service.simulation import Simulator, running_simulators
from firmware_profiles.errors import PercussError
from firmware_profiles.library import load_profiles
from firmware_profiles.matching import Appearance, Candidate, find_candidates
from firmware_profiles.schema import Profile


@dataclass(frozen=True, slots=True)
class Found:
    """Something that may be a device. ``candidates`` are the profiles that fit, best first."""

    name: str
    url: str
    candidates: tuple[Candidate, ...]
    rssi_dbm: int | None = None
    is_simulated: bool = False

    @property
    def profile(self) -> str | None:
        """The profile that is sure, if one is."""
        sure = [candidate for candidate in self.candidates if candidate.is_sure]
        return sure[0].profile.id if sure and (len(sure) == 1 or sure[0].score > sure[1].score) else None


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What was found, likeliest first, and what could not be searched."""

    found: tuple[Found, ...]
    problems: tuple[PercussError, ...]


def is_hci(adapter: str) -> bool:
    """Whether an adapter's name is a bumble moniker (``usb:0``) and not one of the system's adapters (``hci1``)."""
    return ":" in adapter


def is_url(target: str) -> bool:
    """Whether it says how to reach a device, and is not its name or address."""
    return "://" in target or "/" in target or re.fullmatch(r"COM[0-9]+", target, re.IGNORECASE) is not None


async def scan(timeout_s: float, *, adapter: str | None = None) -> ScanResult:
    """Look around for ``timeout_s`` real seconds: on one adapter, or without one everywhere.

    What cannot be searched is told in the result; it never hides what was found elsewhere.
    """
    known, broken = load_profiles()
    profiles = known.values()
    problems: list[PercussError] = [*broken]
    if adapter is not None:
        hcis = [adapter] if is_hci(adapter) else []
        searches = [] if hcis else [_scan_ble(timeout_s, profiles, adapter=adapter)]
        searches += [_scan_ble(timeout_s, profiles, hci=hci) for hci in hcis]
        simulators: list[Simulator] = []
    else:
        simulators = running_simulators()
        airs = sorted({hci for simulator in simulators if (hci := hci_of(simulator.url))})
        searches = [_scan_ble(timeout_s, profiles)]
        searches += [_scan_ble(timeout_s, profiles, hci=hci, is_simulated=True) for hci in airs]
    found = []
    for result in await asyncio.gather(*searches, return_exceptions=True):
        if isinstance(result, TransportError):
            problems.append(result)
        elif isinstance(result, BaseException):
            raise result
        else:
            found += result
    if adapter is None:
        found += _serial_ports(profiles)
        found += [_simulated(simulator, profiles) for simulator in simulators if not hci_of(simulator.url)]
    found.sort(key=lambda one: (-max((c.score for c in one.candidates), default=0), -(one.rssi_dbm or -999), one.url))
    return ScanResult(tuple(found), tuple(problems))


async def _scan_ble(
    timeout_s: float,
    profiles: Iterable[Profile],
    *,
    adapter: str | None = None,
    hci: str | None = None,
    is_simulated: bool = False,
) -> list[Found]:
    from controller.transports.ble import ble_url, scan_ble

    return [
        Found(
            name=seen.name or "",
            url=ble_url(seen.address, adapter=adapter, hci=hci),
            candidates=tuple(find_candidates(Appearance(seen.name or "", seen.services, seen.manufacturer), profiles)),
            rssi_dbm=seen.rssi_dbm,
            is_simulated=is_simulated,
        )
        for seen in await scan_ble(timeout_s, adapter=adapter, hci=hci)
    ]


def _serial_ports(profiles: Iterable[Profile]) -> list[Found]:
    from controller.transports.serial import list_serial_ports

    return [
        Found(
            name=port.product or port.url,
            url=port.url,
            candidates=tuple(find_candidates(Appearance(usb_id=port.usb_id, usb_product=port.product or ""), profiles)),
        )
        for port in list_serial_ports()
    ]


def _simulated(simulator: Simulator, profiles: Iterable[Profile]) -> Found:
    """A simulator on a serial link says itself what it is: nothing else could know."""
    told = tuple(
        Candidate(profile, 100, ("the simulator says so",)) for profile in profiles if profile.id == simulator.profile
    )
    return Found(simulator.name, simulator.url, told, is_simulated=True)


def hci_of(url: str) -> str | None:
    """The bumble moniker in a URL, if it has one."""
    parts = urlsplit(url)
    return parse_qs(parts.query).get("hci", [None])[0] if parts.scheme == "ble" else None
