"""``routines``: what can be run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from controller.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from firmware_profiles.capabilities import Role
    from firmware_profiles.schema import Profile


@click.group()
def routines() -> None:
    """Routines: list, show, check."""


@routines.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def list_routines(as_json: bool) -> None:
    """List the routines: those of percuss and your own."""
    from controller.cli.display import clock_text
    from firmware_profiles.errors import PercussError
    from routines.library import load_routines
    from routines.planner import plan

    known, broken = load_routines()
    problems: list[PercussError] = [problem for _, problem in broken]
    rows = []
    for name, routine in sorted(known.items()):
        try:
            rows.append((name, routine.title, plan(routine, {}).duration_s))
        except PercussError as problem:
            problems.append(problem)
    for each in problems:
        say(f"percuss: {each}")
    if as_json:
        print_json({"routines": [{"name": n, "title": t, "duration_s": d} for n, t, d in rows]})
    else:
        print_table(("name", "what", "time"), [(name, title, clock_text(s)) for name, title, s in rows])


@routines.command()
@click.argument("routine")
@click.option("--profile", "profile_id", metavar="PROFILE", help="As planned for this device; default: by hand.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def show(routine: str, profile_id: str | None, as_json: bool) -> None:
    """Show a routine step by step."""
    from controller.cli.plans import print_plan
    from firmware_profiles.library import find_profile
    from routines.library import find_routine
    from routines.planner import plan

    profiles: dict[Role, Profile] = {}
    if profile_id is not None:
        profile = find_profile(profile_id)
        profiles["massager" if "massager" in profile.roles else "timer"] = profile
    devices = {role: profile.capabilities() for role, profile in profiles.items()}
    print_plan(plan(find_routine(routine), devices), profiles, as_json=as_json)


@routines.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
def check(files: tuple[Path, ...]) -> None:
    """Check routine files against the format and the limits. Without FILES, all known routines."""
    from controller.cli.exits import exit_of_error
    from firmware_profiles.errors import PercussError
    from routines.library import load_routines, routine_paths
    from routines.loader import load_routine
    from routines.planner import plan

    worst: PercussError | None = None
    doubled = [] if files else [problem for _, problem in load_routines()[1] if problem.key == "name"]
    for path in files or routine_paths():
        try:
            plan(load_routine(path), {})
            for taken in doubled:
                if taken.path == path:
                    raise taken
        except PercussError as problem:
            worst = worst or problem
            say(f"percuss: {problem}")
        else:
            click.echo(f"{path}: ok")
    if worst is not None:
        raise click.exceptions.Exit(exit_of_error(worst))


@routines.command("schema")
def show_schema() -> None:
    """Print the routine format as JSON Schema, for editors."""
    from routines.schema import json_schema

    print_json(json_schema())
