"""Which device plays which role, and how to reach it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from controller.errors import RefusedError, RegistryError
from controller.registry import Registry
from controller.service.simulation import Simulator, running_simulators
from controller.transports import Identity
from firmware_profiles.capabilities import MASSAGERS, Capabilities, Role, kind_of
from firmware_profiles.library import find_profile
from firmware_profiles.schema import Profile


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
    registry = registry or Registry()
    paired = registry.find(name)
    identity = paired.identity
    try:
        profile = find_profile(paired.profile).with_parameters(paired.parameters)
    except ValueError as problem:
        fix = f"`percuss forget {name}`, then pair it again."
        raise RegistryError(str(problem), path=registry.path, key=f"devices.{name}.parameters", fix=fix) from problem
    return Binding(
        name=name,
        url=paired.url,
        profile=profile,
        expected=Identity(identity.address, identity.serial, identity.firmware),
        is_simulated=any(simulator.url == paired.url for simulator in running_simulators()),
    )


def bind_simulator(simulator: Simulator) -> Binding:
    """A simulator that was started for this session."""
    return Binding(simulator.name, simulator.url, find_profile(simulator.profile), is_simulated=True)


def told_apart(bindings: Bindings) -> dict[Role, Binding]:
    """The same with a number where a name comes again, as with two simulators of one profile: events go by names."""
    named: dict[Role, Binding] = {}
    for role, binding in bindings.items():
        number, name, taken = 2, binding.name, {other.name for other in named.values()}
        while name in taken:
            name, number = f"{binding.name} {number}", number + 1
        named[role] = replace(binding, name=name)
    return named


def capabilities(bindings: Bindings) -> dict[Role, Capabilities]:
    """What planning needs to know of the bound devices. Raises RefusedError for a device that cannot play its role."""
    for role, binding in bindings.items():
        if kind_of(role) not in binding.profile.roles:
            able = " or ".join(binding.profile.roles)
            raise RefusedError(f"cannot be the {kind_of(role)}.", where=binding.name, fix=f"Bind it as {able}.")
    if len({binding.url for binding in bindings.values()}) < len(bindings):
        raise RefusedError("one device cannot play two roles.", fix="Bind another device, or leave one role out.")
    return {role: replace(binding.profile.capabilities(), name=binding.name) for role, binding in bindings.items()}


def touches_a_body(bindings: Bindings) -> bool:
    """Whether a real device plays a massager; a lamp, a buzzer and a simulator touch nobody."""
    return any(role in bindings and not bindings[role].is_simulated for role in MASSAGERS)
