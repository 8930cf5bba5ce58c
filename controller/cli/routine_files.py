"""``routines``: what can be run."""

from __future__ import annotations

import click

from controller.cli.completion import complete_routines
from controller.cli.output import print_json, print_table, say
from controller.cli.plans import profile_option
from controller.cli.routine_authoring import new, plot
from controller.cli.routine_checks import check


@click.group()
def routines() -> None:
    """Routines: list, show, plot, new, check."""


@routines.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def list_routines(as_json: bool) -> None:
    """List the routines: those of percuss and your own."""
    from controller.cli.durations import clock_text
    from routines.durations import by_hand_s
    from routines.library import load_routines

    known, broken = load_routines()
    for _, problem in broken:
        say(f"percuss: {problem}")
    rows = [(name, routine.title, by_hand_s(routine.steps)) for name, routine in sorted(known.items())]
    if as_json:
        print_json({"routines": [{"name": n, "title": t, "duration_s": d} for n, t, d in rows]})
    else:
        print_table(("name", "what", "time"), [(name, title, clock_text(s)) for name, title, s in rows])


@routines.command()
@click.argument("routine", shell_complete=complete_routines)
@profile_option("by hand")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option("--script", "as_script", is_flag=True, help="As a script on one line, for `run --script`.")
def show(routine: str, profile_id: str | None, as_json: bool, as_script: bool) -> None:
    """Show a routine step by step."""
    from controller.cli.plans import print_plan, profile_parts
    from routines.library import find_routine
    from routines.planner import plan
    from routines.writing import to_script

    if as_script:
        if as_json or profile_id is not None:
            raise click.UsageError("--script shows the routine itself: leave --json and --profile out.")
        click.echo(to_script(find_routine(routine)))
        return
    profiles = profile_parts(profile_id)
    devices = {role: profile.capabilities() for role, profile in profiles.items()}
    print_plan(plan(find_routine(routine), devices), profiles, as_json=as_json)


@routines.command("schema")
def show_schema() -> None:
    """Print the routine format as JSON Schema, for editors."""
    from routines.schema import json_schema

    print_json(json_schema())


for _command in (new, check, plot):
    routines.add_command(_command)
