"""``routines export``, ``routines import``, ``programmes export``: files of other programs."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from controller.cli.completion import complete_programmes, complete_regions, complete_routines
from controller.cli.output import print_written, say
from controller.cli.plans import profile_option, profile_parts

if TYPE_CHECKING:
    from firmware_profiles.capabilities import Capabilities, Role
    from routines.exchange.strangers import Imported, Wanted
    from routines.loader import Routine

_FORMATS = {".zwo": "zwo", ".fit": "fit", ".csv": "csv", ".html": "card", ".htm": "card"}
_TARGET = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
_STDOUT = Path("-")


@click.command("export")
@click.argument("routine", shell_complete=complete_routines)
@click.argument("file", type=_TARGET, default=_STDOUT)
@click.option("--format", "kind", type=click.Choice(["zwo", "fit", "csv", "card"]), help="Default: by FILE's suffix.")
@profile_option("by hand")
@click.option("--force", is_flag=True, help="Replace FILE where it is there already.")
def export_routine(routine: str, file: Path, kind: str | None, profile_id: str | None, force: bool) -> None:
    """Write a routine for another program: .zwo (Zwift), .fit (watches), .csv, or .html (a card to print).

    Without FILE, or with -, it goes to stdout.
    """
    from routines.library import find_routine

    kind = kind or _FORMATS.get(file.suffix.lower())
    if kind is None:
        raise click.UsageError(f"What shall {file} be? Name it .zwo, .fit, .csv or .html, or give --format.")
    if kind == "zwo" and profile_id is not None:
        raise click.UsageError("A .zwo is for any device: leave --profile out.")
    found = find_routine(routine)
    devices = {role: profile.capabilities() for role, profile in profile_parts(profile_id).items()}
    _write(file, _bytes(kind, found, devices), force=force)


def _bytes(kind: str, routine: Routine, devices: dict[Role, Capabilities]) -> bytes:
    from routines.exchange.card import write_card
    from routines.exchange.fit import write_fit
    from routines.exchange.table import write_csv
    from routines.exchange.zwo import write_zwo
    from routines.limits import BY_HAND
    from routines.planner import plan

    match kind:
        case "zwo":
            return write_zwo(routine)
        case "fit":
            timeline = plan(routine, devices)
            return _with_extra(lambda: write_fit(timeline, routine.title, datetime.now(UTC)))
        case "csv":
            return write_csv(plan(routine, devices))
        case _:
            # The card also says how strong a device may be set that percuss does not reach.
            return write_card(routine, plan(routine, devices or {"massager": BY_HAND}))


def _with_extra(write: Callable[[], bytes]) -> bytes:
    try:
        return write()
    except ModuleNotFoundError as problem:
        what = f"This needs {problem.name}, which is not installed."
        raise click.UsageError(f"{what} Install it: pip install 'percuss[exchange]'.") from problem


def _write(file: Path, content: bytes, *, force: bool) -> None:
    from controller.private_files import write_file

    if file == _STDOUT:
        if b"\0" in content and sys.stdout.isatty():
            raise click.UsageError("These bytes are not for a terminal: name a FILE.")
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return
    write_file(file, content, may_replace=force)
    print_written(file)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--region", shell_complete=complete_regions, help="Where on the body; percuss's own .zwo say so themselves."
)
@click.option("--side", type=click.Choice(["left", "right", "both", "each"]), help="On which side.")
@click.option("--full", metavar="40%", help="What full strength in FILE shall mean. Default: 100%.")
@click.option("--as", "name", metavar="NAME", help="What to call the routine. Default: made of its title.")
@click.option("--to", "target", type=_TARGET, metavar="FILE", help="Write here (- is stdout), not to your routines.")
@click.option("--force", is_flag=True, help="Replace the file where it is there already.")
def import_routine(
    file: Path,
    region: str | None,
    side: str | None,
    full: str | None,
    name: str | None,
    target: Path | None,
    force: bool,
) -> None:
    """Make a routine of a Zwift workout (.zwo) or a funscript, within the same limits as every other.

    It goes into your own routines. Nothing is written when something is outside the limits.
    """
    from dataclasses import replace

    from routines.loader import parse_routine
    from routines.writing import to_toml

    if target is not None and file.exists() and target.exists() and target.samefile(file):
        raise click.BadParameter("is FILE itself, which would be lost. Name another file.", param_hint="--to")
    imported = _read(file, _wanted(region, side, full), name)
    routine = imported.routine
    if name is not None:
        routine = replace(routine, file=routine.file.model_copy(update={"name": name}))
    text = to_toml(routine)
    # What is written is what loads: also checks a name that was given.
    parse_routine(text.encode(), target or Path(f"{routine.name}.toml"))
    path = target or _own_place(routine.name, force=force)
    _write(path, text.encode(), force=force)
    for remark in imported.remarks:
        say(remark)
    if path != _STDOUT:
        called = routine.name if target is None else str(path)
        say(f"It is called {routine.name}. Look it over: percuss routines show {called}")


def _wanted(region: str | None, side: str | None, full: str | None) -> Wanted | None:
    from routines.exchange.strangers import FULL_SCALE, Wanted
    from routines.schema import parse_intensity

    if region is None and side is None and full is None:
        return None
    if region is None or side is None:
        missing = "--region" if region is None else "--side"
        raise click.UsageError(f"{missing} is missing: --region and --side go together.")
    try:
        meant = FULL_SCALE if full is None else parse_intensity(full)
    except ValueError as problem:
        percent = f" Did you mean {full}%?" if re.fullmatch(r"\d+(?:\.\d+)?", str(full), re.ASCII) else ""
        raise click.BadParameter(f"{problem}{percent}", param_hint="--full") from problem
    if meant.word is not None:
        raise click.BadParameter(f"must be a number such as 40% or '1500 ppm', not {meant}.", param_hint="--full")
    return Wanted(region, side, meant)  # type: ignore[arg-type]  # click has checked the side


def _read(file: Path, wanted: Wanted | None, name: str | None) -> Imported:
    from routines.exchange.funscript import read_funscript
    from routines.exchange.strangers import read_bytes
    from routines.exchange.zwo import read_zwo

    match file.suffix.lower():
        case ".zwo":
            return read_zwo(read_bytes(file), file, wanted, name)
        case ".funscript":
            if wanted is None:
                raise click.UsageError("A funscript does not say where: give --region and --side.")
            return read_funscript(read_bytes(file), file, wanted, name)
        case _:
            raise click.UsageError(f"{file} is no file that can be imported: .zwo or .funscript.")


def _own_place(name: str, *, force: bool) -> Path:
    """The file in the user's routines for a new one. Raises RoutineError when another file has the name already."""
    from firmware_profiles.folders import config_folder
    from routines.errors import RoutineError
    from routines.library import load_routines

    path = config_folder() / "routines" / f"{name}.toml"
    known = load_routines()[0].get(name)
    if known is not None and (known.path != path or not force):
        fix = "Give another with --as" + (", or --force to replace it." if known.path == path else ".")
        raise RoutineError(f"has the name {name} already.", path=known.path, key="name", fix=fix)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@click.command("export")
@click.argument("programme", metavar="NAME", shell_complete=complete_programmes)
@click.argument("file", type=_TARGET, default=_STDOUT)
@click.option("--start", type=click.DateTime(["%Y-%m-%d"]), required=True, help="The first day, as 2026-12-01.")
@click.option("--at", "hour", type=click.DateTime(["%H:%M"]), required=True, help="When each day, as 19:00.")
@click.option("--zone", metavar="ZONE", help="A time zone, such as Europe/Berlin. Default: 19:00 wherever you are.")
@click.option("--force", is_flag=True, help="Replace FILE where it is there already.")
def export_programme(
    programme: str, file: Path, start: datetime, hour: datetime, zone: str | None, force: bool
) -> None:
    """Write a programme as a calendar (.ics): a reminder for each session. Nothing starts by itself."""
    from routines.exchange.agenda import write_agenda
    from routines.library import load_routines
    from routines.programme import find_programme

    if file != _STDOUT and file.suffix.lower() != ".ics":
        raise click.UsageError(f"{file} is no calendar: name it .ics.")
    first = datetime.combine(start.date(), hour.time(), tzinfo=_zone(zone))
    found, known = find_programme(programme), load_routines()[0]
    try:
        content = _with_extra(lambda: write_agenda(found, known, first, datetime.now(UTC)))
    except OverflowError as problem:
        raise click.BadParameter("is after the last day that there is.", param_hint="--start") from problem
    _write(file, content, force=force)
    now = datetime.now(first.tzinfo)
    past = sum(first + timedelta(days=session.day - 1) < now for session in found.sessions)
    if past:
        say(f"Take care: {past} of its {len(found.sessions)} sessions lie in the past, from {first:%Y-%m-%d} on.")


def _zone(name: str | None) -> Any:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:
        raise click.BadParameter(f"{name!r} is no time zone, such as Europe/Berlin.", param_hint="--zone") from problem
