"""From what a device shows of itself to the profiles that may be it, with scores.

A service UUID or a USB bridge belongs to many unrelated products, so neither alone reaches `SURE`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from firmware_profiles.errors import MatchError
from firmware_profiles.links import Match
from firmware_profiles.schema import Profile

SURE = 50
"""The score from which a profile is chosen without asking."""

_UNIQUE_SERVICE, _EXACT_NAME, _MANUFACTURER, _NAME_PREFIX, _USB_PRODUCT, _NAME_PART, _SHARED_SERVICE, _USB_BRIDGE = (
    60,
    45,
    45,
    42,
    40,
    40,
    10,
    20,
)


@dataclass(frozen=True, slots=True)
class Appearance:
    """What a device shows before anybody talks to it. ``services`` are 128-bit lower-case UUIDs."""

    name: str = ""
    services: tuple[str, ...] = ()
    manufacturer: Mapping[int, bytes] = field(default_factory=dict)
    usb_id: str | None = None
    usb_product: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A profile that may be the device, how well it fits, and why."""

    profile: Profile
    score: int
    reasons: tuple[str, ...]

    @property
    def is_sure(self) -> bool:
        """Whether the profile may be chosen without asking."""
        return self.score >= SURE


def find_candidates(appearance: Appearance, profiles: Iterable[Profile]) -> list[Candidate]:
    """The profiles that fit, best first; equal scores by id."""
    found = []
    for profile in profiles:
        fits = [fit for match in profile.match if (fit := _fit(match, appearance)) is not None]
        if fits:
            score, reasons = max(fits)
            found.append(Candidate(profile, score, reasons))
    return sorted(found, key=lambda candidate: (-candidate.score, candidate.profile.id))


def choose_profile(candidates: list[Candidate], *, device: str) -> Profile:
    """The one profile that is sure. Raises MatchError when none is, or two are equally good."""
    sure = [candidate for candidate in candidates if candidate.is_sure]
    if not sure:
        names = ", ".join(candidate.profile.id for candidate in candidates)
        what = f"may be {names}, but that is not certain." if names else "no profile is known for it."
        raise MatchError(what, where=device, fix="Name the profile with --profile; `percuss profiles list` shows them.")
    if len(sure) > 1 and sure[0].score == sure[1].score:
        names = " and ".join(candidate.profile.id for candidate in sure if candidate.score == sure[0].score)
        raise MatchError(f"the profiles {names} fit equally well.", where=device, fix="Name one with --profile.")
    return sure[0].profile


def _fit(match: Match, seen: Appearance) -> tuple[int, tuple[str, ...]] | None:
    """The score and the reasons of one match table; None when any of its keys does not hold."""
    name = seen.name.casefold()
    if any(part.casefold() in name for part in match.name_excludes):
        return None
    product = seen.usb_product.casefold()
    tests = (
        (match.name, name in {n.casefold() for n in match.name}, _EXACT_NAME, f"is named {seen.name!r}"),
        (match.name_prefix, any(name.startswith(n.casefold()) for n in match.name_prefix), _NAME_PREFIX,
         f"its name {seen.name!r} begins so"),
        (match.name_contains, any(n.casefold() in name for n in match.name_contains), _NAME_PART,
         f"its name {seen.name!r} contains it"),
        (match.service, match.service in seen.services, _UNIQUE_SERVICE if match.service_is_unique else _SHARED_SERVICE,
         f"has the service {match.service}"),
        (match.manufacturer_id is not None, _has_manufacturer(match, seen), _MANUFACTURER,
         f"has manufacturer data {match.manufacturer_id}"),
        (match.usb, seen.usb_id in match.usb, _USB_BRIDGE, f"is on the USB bridge {seen.usb_id}"),
        (match.usb_product_contains, any(p.casefold() in product for p in match.usb_product_contains), _USB_PRODUCT,
         f"its USB product is {seen.usb_product!r}"),
    )  # fmt: skip
    if not all(holds for is_asked, holds, _, _ in tests if is_asked):
        return None
    # A name is one sign, in however many ways it is looked at.
    names = max((score for is_asked, _, score, _ in tests[:3] if is_asked), default=0)
    others = sum(score for is_asked, _, score, _ in tests[3:] if is_asked)
    return names + others, tuple(reason for is_asked, _, _, reason in tests if is_asked)


def _has_manufacturer(match: Match, seen: Appearance) -> bool:
    if match.manufacturer_id is None or match.manufacturer_id not in seen.manufacturer:
        return False
    return seen.manufacturer[match.manufacturer_id].startswith(bytes.fromhex(match.manufacturer_prefix))
