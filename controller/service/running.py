"""Bind devices to the roles of a timeline and run it; or just stop them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from controller.clock import Clock, SystemClock
from controller.devices import Device
from controller.errors import RefusedError, TransportError
from controller.events import Announcer, Listener, SessionEnded
from controller.guardian.wards import make_ward
from controller.guardian.watching import Guardian
from controller.registry import Registry
from controller.safety import Supervisor
from controller.service.simulation import Simulator, running_simulators
from controller.sessions import Session
from controller.stopping import StopResult
from controller.transports import Identity, open_url
from firmware_profiles.capabilities import Capabilities, Role
from firmware_profiles.errors import PercussError
from firmware_profiles.library import find_profile
from firmware_profiles.schema import Profile
from routines.schema import SESSION_MAX_S
from routines.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Binding:
    """A device that plays a role: where it is, what it is, and who it must be."""

    name: str
    url: str
    profile: Profile
    expected: Identity | None = None
    is_simulated: bool = False


Bindings = Mapping[Role, Binding]


def bind_paired(name: str, registry: Registry | None = None) -> Binding:
    """A paired device. Raises DeviceNotFoundError, RegistryError, ProfileError or MatchError."""
    paired = (registry or Registry()).find(name)
    identity = paired.identity
    return Binding(
        name=name,
        url=paired.url,
        profile=find_profile(paired.profile),
        expected=Identity(identity.address, identity.serial, identity.firmware),
        is_simulated=any(simulator.url == paired.url for simulator in running_simulators()),
    )


def bind_simulator(simulator: Simulator) -> Binding:
    """A simulator that was started for this session."""
    return Binding(simulator.name, simulator.url, find_profile(simulator.profile), is_simulated=True)


def capabilities(bindings: Bindings) -> dict[Role, Capabilities]:
    """What planning needs to know of the bound devices. Raises RefusedError for a device that cannot play its role."""
    for role, binding in bindings.items():
        if role not in binding.profile.roles:
            able = " or ".join(binding.profile.roles)
            raise RefusedError(f"cannot be the {role}.", where=binding.name, fix=f"Bind it as {able}.")
    if len({binding.url for binding in bindings.values()}) < len(bindings):
        raise RefusedError("one device cannot play two roles.", fix="Bind another device, or leave one role out.")
    return {role: binding.profile.capabilities() for role, binding in bindings.items()}


async def run_timeline(
    timeline: Timeline,
    bindings: Bindings,
    *,
    emit: Listener,
    started: Callable[[Session], None],
    speed: float = 1.0,
    waits_for_key: bool = False,
    can_be_resumed: bool = False,
) -> SessionEnded:
    """Open the devices, run the timeline, close the devices. ``started`` gets the session before its first command.

    ``speed`` makes the session's time run faster, which only simulators bear: with any other device it is refused.
    Raises RefusedError, TransportError, IdentityError or DeviceFaultError when a device cannot be opened.
    """
    if speed != 1.0 and not all(binding.is_simulated for binding in bindings.values()):
        names = ", ".join(binding.name for binding in bindings.values() if not binding.is_simulated)
        raise RefusedError("time can only run faster on simulators.", where=names, fix="Leave --speed out.")
    clock = SystemClock(speed)
    announce = Announcer(emit)
    devices: dict[Role, Device] = {}
    guardian = Guardian() if bindings else None
    is_at_rest = True  # nothing has been driven yet
    try:
        for role, binding in bindings.items():
            device = build_device(binding, clock=clock, emit=announce)
            await device.open()
            devices[role] = device
        session = Session(
            timeline,
            devices,
            Supervisor(timeline, SESSION_MAX_S),
            clock=clock,
            emit=announce,
            waits_for_key=waits_for_key,
            can_be_resumed=can_be_resumed,
        )
        announce.on_failure = lambda: session.stop("percuss itself failed")
        if guardian is not None:
            guardian.on_death = lambda why: session.stop(f"{why}, and nothing runs unguarded.")
            await guardian.guard([make_ward(b.name, b.url, b.profile) for b in bindings.values()])
        started(session)
        is_at_rest = False
        ended = await session.run()
        is_at_rest = ended.outcome != "stop_unconfirmed"
        if announce.failure is not None:
            raise announce.failure
        return ended
    finally:
        for device in devices.values():
            with suppress(TransportError):
                await device.close()
        if guardian is not None and is_at_rest:
            guardian.release()
        elif guardian is not None:
            guardian.hand_over()


async def stop_devices(bindings: Iterable[Binding], *, emit: Listener) -> dict[str, StopResult | PercussError]:
    """Connect to every device at once and stop it; the result, or the error, by name. One failure hides no other."""

    async def stop_one(binding: Binding) -> StopResult | PercussError:
        # Whoever answers at that address is stopped: a stop asks for no identity.
        device = build_device(Binding(binding.name, binding.url, binding.profile), clock=SystemClock(), emit=emit)
        try:
            await device.connect()  # nothing is asked: what does not answer is stopped all the same
            return await device.stop()
        except PercussError as problem:
            return problem
        finally:
            with suppress(TransportError):
                await device.close()

    targets = list(bindings)
    results = await asyncio.gather(*(stop_one(binding) for binding in targets))
    return {binding.name: result for binding, result in zip(targets, results, strict=True)}


def build_device(binding: Binding, *, clock: Clock, emit: Listener) -> Device:
    """A device with its link, still closed."""
    transport = open_url(binding.url, binding.profile)
    return Device(binding.name, binding.profile, transport, clock=clock, emit=emit, expected=binding.expected)
