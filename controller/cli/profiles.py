"""``profiles``: what devices are, and what their bytes mean."""

from __future__ import annotations

import re
from pathlib import Path

import click

from controller.cli.output import print_json, print_table, say


@click.group()
def profiles() -> None:
    """Device profiles: list, show, check, encode, decode."""


@profiles.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def list_profiles(as_json: bool) -> None:
    """List the known profiles and how sure each is."""
    from firmware_profiles.library import load_profiles

    known, broken = load_profiles()
    for problem in broken:
        say(f"percuss: {problem}")
    rows = [
        (p.id, p.name, "BLE" if p.ble else "serial", ", ".join(p.roles), p.confidence, p.verified_on_hardware)
        for p in known.values()
    ]
    if as_json:
        keys = ("id", "name", "link", "roles", "confidence", "verified_on_hardware")
        print_json({"profiles": [dict(zip(keys, row, strict=True)) for row in rows]})
    else:
        shown = [(*row[:5], "yes" if row[5] else "no") for row in rows]
        print_table(("id", "name", "link", "roles", "confidence", "verified"), shown)


@profiles.command()
@click.argument("profile")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def show(profile: str, as_json: bool) -> None:
    """Show what a profile says, with its commands and their values."""
    from firmware_profiles.library import find_profile

    found = find_profile(profile)
    if as_json:
        print_json(found.model_dump(by_alias=True, exclude_none=True))
        return
    levels = found.level.levels()
    scale = "on or off" if levels.is_switch else f"0, {levels.lowest} to {levels.full} ({found.level.unit})"
    click.echo(f"{found.id}: {found.name}")
    click.echo(
        f"  confidence {found.confidence}, verified on hardware: {'yes' if found.verified_on_hardware else 'no'}"
    )
    click.echo(f"  levels     {scale}")
    click.echo(f"  channels   {', '.join(found.channels)}")
    click.echo(f"  dead-man   {found.dead_man}")
    click.echo(f"  status     {'reported' if found.reports_status else 'not reported: a stop cannot be confirmed'}")
    for name, command in found.commands.items():
        click.echo(f"  command    {name}: {' | '.join(command.frames)}")
    for report_name, report in found.reports.items():
        click.echo(f"  report     {report_name}: {report.frame}")
    for source in found.sources:
        click.echo(f"  source     {source.url}")
    for note in found.notes:
        click.echo(f"  note       {note}")


@profiles.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
def check(files: tuple[Path, ...]) -> None:
    """Check profile files: format, frames, vectors, and the places they name. Without FILES, all known profiles."""
    from controller.cli.exits import Exit
    from firmware_profiles.errors import PercussError
    from firmware_profiles.library import load_profiles, profile_paths
    from firmware_profiles.loader import load_profile

    bad = 0
    for path in files or profile_paths():
        try:
            found = load_profile(path)
            _check_places(path, {name: c.region for name, c in found.channels.items() if c.region})
        except PercussError as problem:
            bad += 1
            say(f"percuss: {problem}")
        else:
            click.echo(f"{path}: ok ({found.id}, {len(found.vectors)} vectors)")
    if not files and not bad:
        for doubled in load_profiles()[1]:  # two files with one id
            bad += 1
            say(f"percuss: {doubled}")
    if bad:
        raise click.exceptions.Exit(Exit.BAD_FILE)


@profiles.command("schema")
def show_schema() -> None:
    """Print the profile format as JSON Schema, for editors."""
    from firmware_profiles.schema import json_schema

    print_json(json_schema())


@profiles.command()
@click.argument("profile")
@click.argument("command")
@click.argument("values", nargs=-1, metavar="[NAME=VALUE]...")
def encode(profile: str, command: str, values: tuple[str, ...]) -> None:
    """Print the frames of a command as hex, one per line.

    For example: percuss profiles encode theragun-gen4 set_level level=1750
    """
    from firmware_profiles.codec import Codec
    from firmware_profiles.errors import ValueRefusedError
    from firmware_profiles.library import find_profile
    from firmware_profiles.loader import command_from_values

    codec = Codec(find_profile(profile))
    given: dict[str, int | str] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals:
            raise click.BadParameter(f"{value!r} is not of the form name=value.", param_hint="VALUES")
        given[name] = int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else text
    try:
        asked = command_from_values(codec, command, given)
    except ValueError as problem:
        raise ValueRefusedError(str(problem), where=profile) from problem
    for write in codec.encode(asked):
        click.echo(write.data.hex(" ").upper())


@profiles.command()
@click.argument("profile")
@click.argument("data", nargs=-1, required=True, metavar="HEX...")
def decode(profile: str, data: tuple[str, ...]) -> None:
    """Print the report that some bytes are, as JSON."""
    from firmware_profiles.codec import Codec
    from firmware_profiles.library import find_profile
    from firmware_profiles.loader import report_values

    try:
        raw = bytes.fromhex(" ".join(data))
    except ValueError:
        raise click.BadParameter(f"{' '.join(data)!r} is no hex, such as BB 10 10 00.", param_hint="HEX") from None
    report = Codec(find_profile(profile)).decode(raw)
    print_json({"report": type(report).__name__.lower(), **report_values(report)})


def _check_places(path: Path, regions: dict[str, str]) -> None:
    """The places that a profile's channels name must be in the vocabulary."""
    from firmware_profiles.errors import ProfileError
    from firmware_profiles.tomlfile import find_line
    from routines.regions import Refusal, UnknownRegion, find_region

    for channel, name in regions.items():
        match find_region(name):
            case Refusal(reason=reason):
                what = f"{name} is refused. {reason}"
            case UnknownRegion(advice=advice):
                what = f"{name!r} is no region. {advice}"
            case region if region.id != name:
                what = f"{name!r} is another word for {region.id!r}; a profile names the place by its id."
            case _:
                continue
        line = find_line(path.read_text(encoding="utf-8"), ("channels", channel, "region"))
        raise ProfileError(what, path=path, line=line, key=f"channels.{channel}.region")
