"""Printing a plan: what will happen when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from controller.cli.output import print_json, print_table

if TYPE_CHECKING:
    from firmware_profiles.capabilities import Role
    from firmware_profiles.schema import Profile
    from routines.preview import Row
    from routines.timeline import Timeline


def print_plan(timeline: Timeline, profiles: Mapping[Role, Profile], *, as_json: bool) -> None:
    """Print the spans of a timeline and what the timers will do: a table with a clock, or one JSON object."""
    from controller.cli.display import clock_text
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
        click.echo(line)
    if timeline.closing_note:
        click.echo(timeline.closing_note)


def _asked(row: Row) -> str:
    """How strong, in words: a switch has no strength, a hand sets its own."""
    if row["kind"] != "work":
        return ""
    if not row["driven"]:
        return "by hand"
    if row["asked_ppm"] is None:
        return "on"
    return f"{row['asked_ppm']:.0f} ppm ({row['asked_percent']:.0f} %)"
