"""Routes about devices: what is paired, what is there, pairing, forgetting, stopping one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel

from controller import api
from controller.errors import RegistryError
from controller.http.door import Door, Outlook, asker
from controller.http.driving import DeviceStop, device_stop
from controller.http.wishes import PairWish, ScanWish
from controller.registry import DeviceName
from controller.service import pairing
from controller.service.scanning import Found, ScanResult
from firmware_profiles.errors import PercussError
from firmware_profiles.library import load_profiles
from firmware_profiles.schema import Profile

NameInPath = Annotated[DeviceName, Path()]


class DeviceLine(BaseModel):
    """A paired device; its parameters, which may be secret, are left out. ``problem`` says why it cannot be used."""

    name: str
    url: str
    profile: str
    title: str
    roles: list[str]
    verified_on_hardware: bool
    address: str
    serial: str | None
    firmware: str | None
    problem: str = ""


class Devices(BaseModel):
    """The paired devices by name."""

    devices: list[DeviceLine]


class FoundLine(BaseModel):
    """Something that may be a device; ``profile`` is null when none is sure, and ``candidates`` are those that fit.

    ``suggested_name`` is what it would be called; empty when no profile fits.
    """

    name: str
    suggested_name: str
    url: str
    profile: str | None
    rssi_dbm: int | None
    is_simulated: bool
    candidates: list[str]


class Scanned(BaseModel):
    """What is there, likeliest first, and what could not be searched."""

    found: list[FoundLine]
    problems: list[str]


class PairedAnswer(BaseModel):
    """A device that was just paired. ``dead_man`` says what it does when this computer dies."""

    name: str
    url: str
    profile: str
    title: str
    identity: dict[str, Any]
    proof: str
    verified_on_hardware: bool
    confidence: str
    cap_percent: float
    dead_man: str


class Forgotten(BaseModel):
    """It is not paired any more."""

    name: str


def listing_routes(outlook: Outlook) -> APIRouter:
    """The route that tells what is paired."""
    routes = APIRouter(tags=["devices"])

    @routes.get("/devices")
    async def list_devices() -> Devices:
        """The paired devices."""
        return await outlook.look_up(_devices)

    return routes


def equipment_routes(door: Door) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["devices"])
    station = door.station

    @routes.delete("/devices/{name}")
    async def forget_device(name: NameInPath) -> Forgotten:
        """Forget a paired device."""
        await station.forget(name)
        return Forgotten(name=name)

    @routes.post("/devices/{name}/stop")
    async def stop_device(name: NameInPath, request: Request) -> DeviceStop:
        """Stop one device and see it confirmed; a session that drives it is ended first."""
        result = await station.stop_device(name, asker(request))
        if isinstance(result, PercussError):
            raise result
        return device_stop(result)

    @routes.post("/scan")
    async def scan(wish: ScanWish | None = None) -> Scanned:
        """Look for devices and simulators; not while a session runs."""
        result = await station.scan((wish or ScanWish()).for_s)
        return await door.look_up(lambda: _scanned(result))

    @routes.post("/pair", status_code=201)
    async def pair(wish: PairWish) -> PairedAnswer:
        """Connect to a device, see that it stops, and remember it; not while a session runs."""
        paired = await station.pair(wish.target, name=wish.name, profile=wish.profile, parameters=wish.parameters)
        profile = paired.profile
        return PairedAnswer(
            name=paired.name,
            url=paired.url,
            profile=profile.id,
            title=profile.name,
            identity=asdict(paired.identity),
            proof=paired.stop.proof,
            verified_on_hardware=profile.verified_on_hardware,
            confidence=profile.confidence,
            cap_percent=profile.capabilities().cap_percent,
            dead_man=profile.dead_man,
        )

    return routes


def _devices() -> Devices:
    profiles, _ = load_profiles()
    lines = []
    for name, device in sorted(api.devices().items()):
        profile: Profile | None = profiles.get(device.profile)
        lines.append(
            DeviceLine(
                name=name,
                url=device.url,
                profile=device.profile,
                title=profile.name if profile else device.profile,
                roles=list(profile.roles) if profile else [],
                verified_on_hardware=profile is not None and profile.verified_on_hardware,
                address=device.identity.address,
                serial=device.identity.serial,
                firmware=device.identity.firmware,
                problem="" if profile else f"There is no profile {device.profile} any more.",
            )
        )
    return Devices(devices=lines)


def _scanned(result: ScanResult) -> Scanned:
    problems = [str(one) for one in result.problems]
    try:
        names = pairing.suggest_names(result.found)
    except RegistryError as problem:
        names = [""] * len(result.found)
        problems.append(str(problem))
    found = [_found(one, name) for one, name in zip(result.found, names, strict=True)]
    return Scanned(found=found, problems=problems)


def _found(one: Found, name: str) -> FoundLine:
    return FoundLine(
        name=one.name,
        suggested_name=name,
        url=one.url,
        profile=one.profile,
        rssi_dbm=one.rssi_dbm,
        is_simulated=one.is_simulated,
        candidates=[candidate.profile.id for candidate in one.candidates],
    )
