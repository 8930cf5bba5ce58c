"""``routines new`` and ``routines plot``: begin a routine, and see what will happen."""

from __future__ import annotations

from pathlib import Path

import click

from controller.cli.completion import complete_routines
from controller.cli.output import print_written, say
from controller.cli.plans import capabilities_of, profile_option


@click.command()
@click.argument("name")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    *("--from", "source"),
    metavar="ROUTINE",
    shell_complete=complete_routines,
    help="A copy of this one, by name or file.",
)
@click.option("--script", metavar="TEXT", help="What this script says.")
def new(name: str, file: Path | None, source: str | None, script: str | None) -> None:
    """Write a routine to begin with, to FILE or to your own folder.

    It can be run at once, has a comment for each key, and tells editors where its JSON Schema is. A file that is there
    already is never changed.
    """
    from firmware_profiles.folders import config_folder
    from routines.authoring import SCHEMA_NAME, is_name, known_path, new_text, write_new
    from routines.library import BUNDLED

    if not is_name(name):
        what = f"{name!r} is no name: lower-case letters, digits and dashes, such as evening-legs."
        raise click.BadParameter(what, param_hint="NAME")
    if source is not None and script is not None:
        raise click.UsageError("--from and --script are two beginnings; take one.")
    path = file or config_folder() / "routines" / f"{name}.toml"
    taken = known_path(name) if file is None else None
    if taken is not None and taken != path:
        whose = "a routine of percuss" if taken.parent == BUNDLED else f"the name of your {taken}"
        what = f"{name} is {whose}. Take another name, or copy it: percuss routines new my-{name} --from {name}"
        raise click.BadParameter(what, param_hint="NAME")
    if source is not None:
        text = _copy(source, name)
    else:
        text = new_text(name, path) if script is None else _from_script(script, name)
    write_new(text, path)
    print_written(path)
    say(f"{SCHEMA_NAME} beside it is for editors that check and complete.")
    say(f"Change it, then: percuss routines check {name if file is None else file}")


def _copy(source: str, name: str) -> str:
    from routines.authoring import copy_text
    from routines.library import find_routine
    from routines.planner import plan
    from routines.review import ANY_MASSAGER

    routine = find_routine(source)
    plan(routine, ANY_MASSAGER)  # what is refused is told with the lines of the original
    return copy_text(routine, name)


def _from_script(script: str, name: str) -> str:
    from dataclasses import replace

    from routines.authoring import copy_text
    from routines.planner import plan
    from routines.review import ANY_MASSAGER
    from routines.script import parse_script

    routine = parse_script(script)
    plan(routine, ANY_MASSAGER)
    title = name.replace("-", " ").capitalize()
    return copy_text(replace(routine, file=routine.file.model_copy(update={"title": title})), name)


@click.command()
@click.argument("routine", shell_complete=complete_routines)
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False), metavar="[FILE]")
@profile_option("any massager")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
def plot(routine: str, file: Path | None, profile_id: str | None, force: bool) -> None:
    """Draw what a routine will do: how strong, where and when, and the most that is allowed there.

    FILE ends in .svg or .png. Without it the drawing comes to the terminal.
    """
    from controller.private_files import write_file
    from routines.charts import ChartFormat, chart
    from routines.library import find_routine
    from routines.planner import plan
    from routines.text_chart import text_chart

    endings: dict[str, ChartFormat] = {".svg": "svg", ".png": "png"}
    if file is not None and file.suffix.lower() not in endings:
        raise click.BadParameter("the name must end in .svg or .png.", param_hint="FILE")
    found = find_routine(routine)
    timeline = plan(found, capabilities_of(profile_id))
    if file is None:
        click.echo(f"{found.title}\n\n{text_chart(timeline)}")
        return
    try:
        picture = chart(timeline, found.title, image=endings[file.suffix.lower()])
    except ImportError as problem:
        raise click.UsageError(f"drawing needs {problem.name}. Install it: pip install 'percuss[plot]'") from problem
    write_file(file, picture, may_replace=force)
    print_written(file)
