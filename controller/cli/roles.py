"""Which device plays which part in a session, from what was said on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

import click

from controller.cli.output import say
from controller.registry import Registry
from controller.service.binding import Binding, bind_paired
from firmware_profiles.capabilities import MASSAGERS, Role, kind_of
from firmware_profiles.errors import PercussError
from firmware_profiles.library import find_profile
from firmware_profiles.schema import Profile

ROLES: tuple[Role, ...] = (*MASSAGERS, "timer")
DEFAULT_SIMULATOR = "theragun-gen4"


class Parts(TypedDict):
    """The arguments of `api.session` and `api.plan` that say who plays what."""

    massager: Binding | None
    massager2: Binding | None
    timer: Binding | None


@dataclass(slots=True)
class Cast:
    """Who takes part: devices that are there, and simulators of these profiles that are still to be started."""

    bound: dict[Role, Binding] = field(default_factory=dict)
    simulated: dict[Role, Profile] = field(default_factory=dict)

    @property
    def planned(self) -> dict[Role, Binding]:
        """All of them, good enough for a plan."""
        stand_ins = {
            role: Binding(profile.id, f"simulator:{role}", profile, is_simulated=True)
            for role, profile in self.simulated.items()
        }
        return {**self.bound, **stand_ins}


def parts(bindings: Mapping[Role, Binding]) -> Parts:
    """Bindings as arguments."""
    return Parts(massager=bindings.get("massager"), massager2=bindings.get("massager2"), timer=bindings.get("timer"))


def cast_of(on: tuple[str, ...], simulated: tuple[str, ...]) -> Cast:
    """What ``--on`` and ``--sim`` say; without a massager the one that is paired, else a simulator, and says so.

    Raises click.UsageError, and what binding a device raises.
    """
    cast = Cast()
    for each in on:
        word, name = _split(each, "--on")
        role = _role(each, word or "massager", cast, "--on")
        cast.bound[role] = bind_paired(name)
    for each in simulated:
        word, name = _split(each, "--sim")
        profile = find_profile(name)
        role = _role(each, word or _fitting_kind(profile, cast), cast, "--sim")
        cast.simulated[role] = profile
    if not simulated and "massager" not in cast.bound:
        _choose_massager(cast)
    return cast


def _split(text: str, option: str) -> tuple[str, str]:
    """The role, empty where none is said, and the name behind it."""
    word, equals, name = text.partition("=")
    if not equals:
        word, name = "", word
    if word not in {"massager", "timer", ""}:
        raise click.BadParameter(f"{word!r} is no role; there are massager and timer.", param_hint=option)
    if not name or (equals and not word):
        raise click.BadParameter(f"{text!r} is not ROLE=NAME, such as massager=elite.", param_hint=option)
    return word, name


def _role(text: str, kind: str, cast: Cast, option: str) -> Role:
    """The part of this kind that is still free."""
    taken = {*cast.bound, *cast.simulated}
    free = [role for role in ROLES if kind_of(role) == kind and role not in taken]
    if not free:
        most = "two massagers" if kind == "massager" else "one timer"
        raise click.BadParameter(f"{text!r} is too many: a session has {most} at most.", param_hint=option)
    return free[0]


def _fitting_kind(profile: Profile, cast: Cast) -> str:
    """What a simulator is that nobody gave a role: the massager, else the timer, else a second massager."""
    taken = {*cast.bound, *cast.simulated}
    kinds = [kind for kind in ("massager", "timer") if kind in profile.roles]
    return next((kind for kind in kinds if kind not in taken), kinds[0])


def _choose_massager(cast: Cast) -> None:
    """Take the one paired massager; a simulator when nothing is paired at all."""
    bound = {binding.name for binding in cast.bound.values()}
    paired = {name: device.profile for name, device in sorted(Registry().devices().items()) if name not in bound}
    names = [name for name, profile in paired.items() if _may_massage(profile)]
    if len(names) > 1:
        raise click.UsageError(f"Which device? Say --on {' or --on '.join(names)}.")
    if names:
        cast.bound["massager"] = bind_paired(names[0])
    elif not cast.bound:
        what = "no massager" if paired else "nothing"
        say(f"{what} is paired: running on a simulator ({DEFAULT_SIMULATOR}). Pair a device with `percuss pair`.")
        cast.simulated["massager"] = find_profile(DEFAULT_SIMULATOR)


def _may_massage(profile_id: str) -> bool:
    """Whether a paired device may be the massager; one whose profile is gone may, so that binding it says so."""
    try:
        return "massager" in find_profile(profile_id).roles
    except PercussError:
        return True
