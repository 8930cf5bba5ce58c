"""Which motors work on which places at once: the zones that are there already, and what a person holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from firmware_profiles.capabilities import Capabilities, Channel, Place, Role


@dataclass(frozen=True, slots=True)
class Reach:
    """One motor and the place that it works on."""

    role: Role
    device: Capabilities
    channel: Channel
    place: Place


def reach(massagers: Mapping[Role, Capabilities], places: Sequence[Place]) -> tuple[Reach, ...]:
    """The motors that work on all these places at the same time; none where the devices at hand cannot.

    A zone of a device comes before a device that a person must hold there; each motor has one place.
    """
    found: list[Reach] = []
    for place in places:
        free = _free(massagers, found)
        here = _zones(free, place)
        if not here:
            for side in place.sides:
                one = Place(place.region, side)
                here += _zones(_free(massagers, found + here), one) or _held(_free(massagers, found + here), one)
            if len(here) < len(place.sides):
                return ()
        found += here
    return tuple(found)


def _free(massagers: Mapping[Role, Capabilities], taken: Sequence[Reach]) -> list[tuple[Role, Capabilities, set[str]]]:
    """The devices with the channels that have a place already."""
    return [
        (role, device, {each.channel.name for each in taken if each.role == role}) for role, device in massagers.items()
    ]


def _zones(devices: Sequence[tuple[Role, Capabilities, set[str]]], place: Place) -> list[Reach]:
    for role, device, taken in devices:
        channels = () if device.is_hand_held else device.channels_at(place.region, place.sides)
        if channels and not taken & {channel.name for channel in channels}:
            return [Reach(role, device, c, Place(place.region, c.side or place.side)) for c in channels]
    return []


def _held(devices: Sequence[tuple[Role, Capabilities, set[str]]], place: Place) -> list[Reach]:
    """A hand holds one device at one place."""
    for role, device, taken in devices:
        if device.is_hand_held and not taken:
            return [Reach(role, device, channel, place) for channel in device.channels_at(place.region, place.sides)]
    return []
