"""Printing a plan: what will happen when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from controller.cli.output import print_json, print_table

if TYPE_CHECKING:
    from routines.timeline import Timeline


def print_plan(timeline: Timeline, *, as_json: bool) -> None:
    """Print the spans of a timeline: a table with a clock, or one JSON object."""
    from dataclasses import asdict

    from controller.cli.display import clock_text
    from routines.preview import rows

    if as_json:
        steps = [asdict(row) for row in rows(timeline)]
        print_json({"routine": timeline.routine, "duration_s": timeline.duration_s, "steps": steps})
        return
    print_table(
        ("at", "for", "where", "how", "asked", "note"),
        [
            (clock_text(row.start_s), clock_text(row.duration_s), row.place, row.technique, row.asked, row.note)
            for row in rows(timeline)
        ],
        title=f"{timeline.routine}, {clock_text(timeline.duration_s)}",
    )
    if timeline.closing_note:
        click.echo(timeline.closing_note)
