"""Pair a device: connect, learn who it is, see that it stops, and keep it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from controller.clock import SystemClock
from controller.devices import Device
from controller.errors import RefusedError, StopUnconfirmedError
from controller.events import Listener
from controller.registry import PairedDevice, PairedIdentity, Registry
from controller.safety import holds
from controller.service.ownership import require_own
from controller.service.scanning import Found, hci_of, is_url, scan
from controller.stopping import StopResult
from controller.transports import Identity, open_url
from firmware_profiles.errors import MatchError, ValueRefusedError
from firmware_profiles.library import find_profile
from firmware_profiles.matching import choose_profile
from firmware_profiles.schema import Profile


@dataclass(frozen=True, slots=True)
class Paired:
    """A device that was just paired, what it said of itself, and whether it confirmed a stop."""

    name: str
    profile: Profile
    url: str
    identity: Identity
    stop: StopResult


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is to be paired: where it is, what it is, and a name for it."""

    url: str
    profile: Profile
    name: str


async def look_for(
    target: str | Found | None,
    *,
    profile_id: str | None = None,
    for_s: float = 5.0,
    adapter: str | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Chosen:
    """What ``target`` means: something that was found, or a URL, address or name; without one what alone is there.

    It is looked for unless both a URL and a profile are known; ``tell`` hears of that. Raises MatchError,
    ProfileNotFoundError, RegistryError.
    """
    urls = _urls(Registry().devices())  # a broken file is found out before anybody waits for a radio
    profile = None if profile_id is None else find_profile(profile_id)
    if profile is not None and isinstance(target, str) and is_url(target):
        return Chosen(target, profile, _name_for(target, "", profile.id, urls))
    if not isinstance(target, Found):
        tell("searching …")
        result = await scan(for_s, adapter=adapter)
        for problem in result.problems:
            tell(f"not searched: {problem}")
        target = choose(result.found, target)
    profile = profile or choose_profile(list(target.candidates), device=target.name or target.url)
    return Chosen(target.url, profile, _name_for(target.url, target.name, profile.id, urls))


def suggest_names(found: Iterable[Found]) -> list[str]:
    """What each of those that were found would be called; empty where no profile fits. Raises RegistryError."""
    urls, names = _urls(Registry().devices()), []
    for one in found:
        ids = [one.profile] if one.profile else [candidate.profile.id for candidate in one.candidates]
        names.append(_name_for(one.url, one.name, ids[0], urls) if ids else "")
        if ids:
            urls[names[-1]] = one.url
    return names


def require_free(name: str, url: str) -> None:
    """Raise RefusedError when this is the name of a device at another URL; RegistryError."""
    device = Registry().devices().get(name)
    if device is not None and holds.key(device.url) != holds.key(url):
        fix = "Choose another name, or forget that device first."
        raise RefusedError(f"is the name of the device at {device.url}.", where=name, fix=fix)


def names_of(url: str, known: Mapping[str, PairedDevice]) -> set[str]:
    """The names of the paired device at this URL, however it is written."""
    return _named(url, _urls(known))


async def pair(
    url: str,
    profile: Profile,
    *,
    name: str,
    emit: Listener,
    bond: bool = False,
    passkey: Callable[[], str] | None = None,
    parameters: Mapping[str, str] | None = None,
) -> Paired:
    """Connect to a device, send it Stop, and keep it under ``name``. Nothing is kept when any of it fails.

    ``parameters`` are those of the profile that differ from its defaults. Raises ValueRefusedError for one of them,
    TransportError, DeviceFaultError when it does not answer, StopUnconfirmedError when it does not stop,
    RegistryError when it cannot be kept, DeviceBusyError while it is driven or a service owns it.
    """
    registry = Registry()
    registry.devices()  # a broken file is found out before anybody waits for a radio
    try:
        profile = profile.with_parameters(parameters or {})
    except ValueError as problem:
        raise ValueRefusedError(str(problem), where=name, fix="Give it as --parameter NAME=VALUE.") from problem
    device = Device(name, profile, open_url(url, profile, passkey=passkey), clock=SystemClock(), emit=emit)
    require_own(names_of(url, registry.devices()) | ({name} & registry.devices().keys()))
    async with holds.held_soon(name, url):  # a session that drives it is not disturbed
        return await _pair(device, url, name, registry, parameters or {}, bond=bond)


async def _pair(
    device: Device, url: str, name: str, registry: Registry, parameters: Mapping[str, str], *, bond: bool
) -> Paired:
    profile = device.profile
    identity = await device.open()
    try:
        # Where the profile asks for a bond, opening made it already.
        if bond and not (profile.ble is not None and profile.ble.bond):
            await device.pair()
        stopped = await device.stop()
    finally:
        await device.close()
    if stopped.proof == "unconfirmed":
        raise StopUnconfirmedError(
            "it did not confirm that it stops, so it is not kept.", where=name, fix="Press its button; do not use it."
        )
    _refuse_second_name(name, url, profile, identity, registry)
    kept = PairedIdentity(address=identity.address, serial=identity.serial, firmware=identity.firmware)
    registry.add(name, PairedDevice(url=url, profile=profile.id, identity=kept, parameters=dict(parameters)))
    return Paired(name, profile, url, identity, stopped)


async def forget(name: str) -> None:
    """Drop a paired device. Raises DeviceNotFoundError, and DeviceBusyError while it is driven or a service owns it."""
    registry = Registry()
    url = registry.find(name).url
    require_own([name])
    async with holds.held_soon(name, url):  # by its name it can be stopped
        registry.forget(name)


def _refuse_second_name(name: str, url: str, profile: Profile, identity: Identity, registry: Registry) -> None:
    """One device has one name: its own limits go by that. Simulators on two airs may be twins."""
    if identity.serial is None:
        return
    this = (profile.id, hci_of(url), identity.address, identity.serial)
    for other, device in registry.devices().items():
        if (
            other != name
            and (device.profile, hci_of(device.url), device.identity.address, device.identity.serial) == this
        ):
            fix = f"Use that name, or `percuss forget {other}` first."
            raise RefusedError(f"is paired already, as {other}.", where=name, fix=fix)


def choose(found: tuple[Found, ...], target: str | None) -> Found:
    """The one device that ``target`` means: its URL, address or name; without one the only device with a sure profile.

    Raises MatchError that lists what there is.
    """
    if target is None:
        fits = [one for one in found if one.profile is not None]
    else:
        wanted = target.casefold()
        fits = [one for one in found if wanted in {one.url.casefold(), _address(one.url), one.name.casefold()}]
    if len(fits) == 1:
        return fits[0]
    listed = "; ".join(f"{one.name or 'no name'} at {one.url}" for one in (fits or found))
    if not fits:
        what = "nothing was found that can be paired." if target is None else "was not found."
        advice = "Switch it on, keep it near, disconnect its app, and look with `percuss scan`."
        raise MatchError(what, where=target or "", fix=f"{advice} Seen: {listed}." if listed else advice)
    raise MatchError(f"{len(fits)} devices fit: {listed}.", where=target or "", fix="Name one by its URL.")


def _urls(known: Mapping[str, PairedDevice]) -> dict[str, str]:
    return {name: device.url for name, device in known.items()}


def _named(url: str, urls: Mapping[str, str]) -> set[str]:
    return {name for name, other in urls.items() if holds.key(other) == holds.key(url)}


def _name_for(url: str, found_name: str, profile_id: str, urls: Mapping[str, str]) -> str:
    """The name that it has already; else a short one that is free: the advertised one, or the profile's id."""
    if there := _named(url, urls):
        return min(there)
    base = re.sub(r"[^a-z0-9._-]+", "-", found_name.casefold()).strip("-._")
    if not base or "/" in found_name:
        base = profile_id
    base = base[:36]
    name, number = base, 2
    while name in urls:
        name, number = f"{base}-{number}", number + 1
    return name


def _address(url: str) -> str:
    return url.removeprefix("ble://").split("?")[0].casefold()
