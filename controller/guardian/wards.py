"""A device in the guardian's care, as the line that arms the child carries it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from controller.transports import link_of
from firmware_profiles.codec import Codec
from firmware_profiles.commands import Write
from firmware_profiles.schema import Profile


@dataclass(frozen=True, slots=True)
class Ward:
    """How to reach a device and stop it. ``stop`` and ``ask`` are frames, encoded before anything runs.

    ``ask`` makes the device say what it is doing; it is empty for one that cannot.
    """

    name: str
    url: str
    profile: Profile
    stop: tuple[Write, ...]
    ask: tuple[Write, ...]


def make_ward(name: str, url: str, profile: Profile) -> Ward:
    """A ward with everything encoded that stopping it will need."""
    codec = Codec(profile, link_of(url))
    return Ward(name, url, profile, codec.stop_writes(), codec.status_writes())


def ward_json(ward: Ward) -> dict[str, Any]:
    """A ward as plain values. The profile travels whole: its file may change while the device runs."""
    return {
        "name": ward.name,
        "url": ward.url,
        "profile": ward.profile.model_dump(mode="json", by_alias=True),
        "stop": _plain(ward.stop),
        "ask": _plain(ward.ask),
    }


def ward_from_json(values: dict[str, Any]) -> Ward:
    """The ward that `ward_json` made plain."""
    return Ward(
        name=values["name"],
        url=values["url"],
        profile=Profile.model_validate(values["profile"], strict=False),
        stop=_writes(values["stop"]),
        ask=_writes(values["ask"]),
    )


def _plain(writes: Sequence[Write]) -> list[tuple[str, bool, float]]:
    return [(write.data.hex(), write.with_response, write.gap_s) for write in writes]


def _writes(values: list[Any]) -> tuple[Write, ...]:
    return tuple(Write(bytes.fromhex(data), with_response, gap_s) for data, with_response, gap_s in values)
