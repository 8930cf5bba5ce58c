"""What a profile that loads can still lack: remarks, none of which stops it from being used."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from firmware_profiles.links import Match
from firmware_profiles.matching import Appearance, find_candidates
from firmware_profiles.schema import Profile


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to think about: the key it is about, what it is, and what to do."""

    key: str
    what: str
    fix: str


def review(profile: Profile, library: Iterable[Profile]) -> list[Remark]:
    """Everything there is to remark about a profile beside the others of ``library``."""
    remarks = [*_sources(profile), *_scale(profile), *_recognising(profile)]
    for other in library:
        if other.id != profile.id and (seen := shared_appearance(profile, other)) is not None:
            what = f"the profile {other.id} is as sure as this one of a device that {_described(seen)}."
            remarks.append(Remark("match", what, "Tell the two apart by the name, or let one of them be less sure."))
    return remarks


def shared_appearance(one: Profile, other: Profile) -> Appearance | None:
    """An appearance of which both profiles are sure and equally so, if there is one: nobody could choose then."""
    for mine, theirs in itertools.product(one.match, other.match):
        for appearance in _appearances(mine, theirs):
            found = find_candidates(appearance, (one, other))
            if len(found) == 2 and all(fit.is_sure for fit in found) and found[0].score == found[1].score:
                return appearance
    return None


def _appearances(mine: Match, theirs: Match) -> Iterator[Appearance]:
    """Devices that two tables might both describe. What both name has to agree: one device has one service of its own
    and one maker.
    """
    if mine.service and theirs.service and mine.service != theirs.service:
        return
    if mine.manufacturer_id != theirs.manufacturer_id and None not in {mine.manufacturer_id, theirs.manufacturer_id}:
        return
    services = tuple({service for service in (mine.service, theirs.service) if service})
    number = mine.manufacturer_id if mine.manufacturer_id is not None else theirs.manufacturer_id
    told = max((bytes.fromhex(match.manufacturer_prefix) for match in (mine, theirs)), key=len)
    manufacturer = {} if number is None else {number: told}
    bridges: Sequence[str | None] = sorted(set(mine.usb) & set(theirs.usb) or {*mine.usb, *theirs.usb})[:8]
    product = " ".join((*mine.usb_product_contains[:1], *theirs.usb_product_contains[:1]))
    for name, usb_id in itertools.product(_names(mine, theirs), bridges or [None]):
        yield Appearance(name, services, manufacturer, usb_id, product)


def _names(mine: Match, theirs: Match) -> Iterator[str]:
    """Names that may fit both: each that one of them gives, and two of them with a blank between."""
    beginnings = [*mine.name, *theirs.name, *mine.name_prefix, *theirs.name_prefix]
    parts = [*mine.name_contains, *theirs.name_contains]
    yield from dict.fromkeys(("", *beginnings, *parts))
    yield from (f"{beginning} {part}" for beginning in (beginnings + parts)[:32] for part in parts[:32])


def _described(seen: Appearance) -> str:
    told = [f"is named {seen.name!r}"] if seen.name else []
    told += [f"has the service {service}" for service in seen.services]
    told += [f"has manufacturer data of {number}" for number in seen.manufacturer]
    told += [f"is on the USB bridge {seen.usb_id}"] if seen.usb_id else []
    told += [f"calls its USB product {seen.usb_product!r}"] if seen.usb_product else []
    return " and ".join(told)


def _sources(profile: Profile) -> Iterator[Remark]:
    for number, source in enumerate(profile.sources):
        if not re.match(r"https?://[^/\s]+\.[^/\s]+", source.url):
            what = f"{source.url!r} is no address that somebody else could look up."
            yield Remark(f"sources.{number}.url", what, "Give the page, the repository or the paper that says it.")
        if not source.says.strip():
            yield Remark(f"sources.{number}.says", "nothing says what this source says.", "Add a sentence.")
    for number, vector in enumerate(profile.vectors):
        if not vector.source.strip():
            what = "these bytes have no source, so they are the codec's own witness."
            yield Remark(f"vectors.{number}.source", what, "Say where the bytes are from.")


def _scale(profile: Profile) -> Iterator[Remark]:
    level = profile.level
    if level is None or level.unit == "switch":
        return
    full = level.levels().full
    if level.protocol_max is not None and level.protocol_max == full:
        what = f"100 % is the most that the protocol takes ({full})."
        yield Remark("level.full", what, "It should be the marketed maximum: look it up.")
    if level.unit == "level" and level.full_ppm is None:
        what = "nothing says how fast full is, so 100 % counts as 2400 ppm for every limit."
        yield Remark("level.full_ppm", what, "Add it if the maker tells.")


def _recognising(profile: Profile) -> Iterator[Remark]:
    if not profile.match:
        what = "nothing tells how to recognise the device."
        yield Remark("match", what, "Add [[match]], or it must always be paired with --profile.")
    if profile.commands.stop is not None and not profile.reports_status:
        what = "the device does not say what it is doing, so no stop can be confirmed."
        yield Remark("reports.status", what, "If it can, add [commands.query_status] and [reports.status].")
