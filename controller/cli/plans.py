"""Printing a plan: what will happen when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from controller.cli.completion import complete_profiles
from controller.cli.output import print_json, print_table, print_wrapped

if TYPE_CHECKING:
    from firmware_profiles.capabilities import Capabilities, Role
    from firmware_profiles.schema import Profile
    from routines.preview import Row
    from routines.timeline import Timeline

Command = TypeVar("Command", bound=Callable[..., Any])


def profile_option(default: str) -> Callable[[Command], Command]:
    """The option that names a profile to plan for."""
    return click.option(
        *("--profile", "profile_id"),
        metavar="PROFILE",
        shell_complete=complete_profiles,
        help=f"As planned for this device; default: {default}.",
    )


def profile_parts(profile_id: str | None) -> dict[Role, Profile]:
    """The part that a profile would have in a session; none without one. Raises PercussError."""
    from firmware_profiles.library import find_profile

    if profile_id is None:
        return {}
    profile = find_profile(profile_id)
    return {"massager" if "massager" in profile.roles else "timer": profile}


def capabilities_of(profile_id: str | None) -> Mapping[Role, Capabilities]:
    """What to plan for: this profile, or any massager that a person holds."""
    from routines.review import ANY_MASSAGER

    return {role: profile.capabilities() for role, profile in profile_parts(profile_id).items()} or ANY_MASSAGER


def print_plan(timeline: Timeline, profiles: Mapping[Role, Profile], *, as_json: bool) -> None:
    """Print the spans of a timeline and what the timers will do: a table with a clock, or one JSON object."""
    from controller.cli.durations import clock_text
    from controller.timekeeping import foretell
    from routines.preview import rows

    timers = foretell(timeline, profiles)
    if as_json:
        plan = {"routine": timeline.routine, "duration_s": timeline.duration_s, "steps": rows(timeline)}
        print_json({**plan, "timers": timers})
        return
    print_table(
        ("at", "for", "where", "how", "asked", "note"),
        [
            (
                clock_text(row["start_s"]),
                clock_text(row["duration_s"]),
                row["place"],
                "move" if row["kind"] == "move" else row["technique"].replace("-", " "),
                _asked(row),
                row["note"],
            )
            for row in rows(timeline)
        ],
        title=f"{timeline.routine}, {clock_text(timeline.duration_s)}",
    )
    for line in timers:
        print_wrapped(line)
    if timeline.closing_note:
        print_wrapped(timeline.closing_note)


def _asked(row: Row) -> str:
    """How strong, in words: a switch has no strength, a hand sets its own."""
    if row["kind"] != "work":
        return ""
    if not row["driven"]:
        return "by hand"
    if row["asked_ppm"] is None:
        return "on"
    roles = {motor["role"] for motor in row["motors"]}
    if len({motor["asked_ppm"] for motor in row["motors"]}) == len(roles) == 1:
        return f"{row['asked_ppm']:.0f} ppm ({row['asked_percent']:.0f} %)"
    asked = []
    for motor in row["motors"]:
        ppm = "on" if motor["asked_ppm"] is None else f"{motor['asked_ppm']:.0f} ppm"
        asked.append(f"{motor['place']} {ppm}" + (f" ({motor['role']})" if len(roles) > 1 else ""))
    return ", ".join(asked)
