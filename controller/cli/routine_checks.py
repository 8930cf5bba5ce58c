"""``routines check``: everything that is wrong with routine files, and what they could do better."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from controller.cli.completion import complete_routines
from controller.cli.output import print_json, say
from controller.cli.plans import capabilities_of, profile_option
from firmware_profiles.plain_text import plain

if TYPE_CHECKING:
    from routines.review import Review


@click.command()
@click.argument(
    "files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE|NAME]...", shell_complete=complete_routines
)
@profile_option("any massager")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def check(files: tuple[Path, ...], profile_id: str | None, as_json: bool) -> None:
    """Check routines, by file or name; without any, all that are known.

    Errors are what keeps a routine from being run, each with line and key: what the format does not know, and every
    limit that a step breaks, with both numbers. Warnings, for routines that are named, are what it could do better.

    Exit code 0 when there are only warnings, 8 for a broken file, 4 when all are sound and a limit is broken.
    """
    from dataclasses import replace

    from controller.cli.exits import Exit, exit_of_error
    from routines.library import load_routines, routine_paths
    from routines.review import review

    devices = capabilities_of(profile_id)
    known, broken = load_routines()
    paths = {path.stem: path for path in routine_paths()} | {name: routine.path for name, routine in known.items()}
    reviews = []
    for path in files or routine_paths():
        found = review(path if path.exists() else paths.get(str(path), path), devices)
        doubled = () if files else tuple(p for _, p in broken if p.key == "name" and p.path == path)
        reviews.append(replace(found, errors=found.errors + tuple(p for p in doubled if not found.errors)))
    if as_json:
        print_json({"files": [_plain(one) for one in reviews]})
    else:
        for one in reviews:
            _print(one, with_warnings=bool(files))
    codes = {exit_of_error(problem) for one in reviews for problem in one.errors}
    if codes:
        raise click.exceptions.Exit(Exit.BAD_FILE if Exit.BAD_FILE in codes else codes.pop())


def _print(one: Review, *, with_warnings: bool) -> None:
    if not one.errors:
        click.echo(plain(f"{one.path}: ok"))
    for problem in one.errors:
        say(f"percuss: {problem}")
    for remark in one.remarks if with_warnings else ():
        say(f"{one.path}:{remark.line}: warning: {remark.key}: {remark.what} {remark.fix}")


def _plain(one: Review) -> dict[str, object]:
    errors, warnings = (
        [{"line": each.line, "key": each.key, "what": each.what, "fix": each.fix} for each in found]
        for found in (one.errors, one.remarks)
    )
    return {"path": str(one.path), "ok": not errors, "errors": errors, "warnings": warnings}
