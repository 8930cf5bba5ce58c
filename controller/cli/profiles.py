"""``profiles``: what devices are, and what their bytes mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from controller.cli.authoring import new
from controller.cli.completion import complete_profiles
from controller.cli.decoding import decode
from controller.cli.output import print_json, print_table, say
from controller.cli.profile_checks import check

if TYPE_CHECKING:
    from firmware_profiles.schema import Profile


@click.group()
def profiles() -> None:
    """Device profiles: list, show, new, check, encode, decode."""


@profiles.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def list_profiles(as_json: bool) -> None:
    """List the known profiles and how sure each is."""
    from firmware_profiles.library import load_profiles

    known, broken = load_profiles()
    for problem in broken:
        say(f"percuss: {problem}")
    rows = [(p.id, p.name, _links(p), ", ".join(p.roles), p.confidence, p.verified_on_hardware) for p in known.values()]
    if as_json:
        keys = ("id", "name", "link", "roles", "confidence", "verified_on_hardware")
        print_json({"profiles": [dict(zip(keys, row, strict=True)) for row in rows]})
    else:
        shown = [(*row[:5], "yes" if row[5] else "no") for row in rows]
        print_table(("id", "name", "link", "roles", "confidence", "verified"), shown)


@profiles.command()
@click.argument("profile", shell_complete=complete_profiles)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def show(profile: str, as_json: bool) -> None:
    """Show what a profile says, with its commands and their values."""
    from firmware_profiles.library import find_profile

    found = find_profile(profile)
    if as_json:
        print_json(found.model_dump(by_alias=True, exclude_none=True))
        return
    click.echo(f"{found.id}: {found.name}")
    click.echo(
        f"  confidence {found.confidence}, verified on hardware: {'yes' if found.verified_on_hardware else 'no'}"
    )
    click.echo(f"  links      {_links(found)}")
    click.echo(f"  levels     {_scale(found)}")
    click.echo(f"  channels   {', '.join(found.channels) or 'none'}")
    click.echo(f"  dead-man   {found.dead_man}")
    click.echo(f"  status     {'reported' if found.reports_status else 'not reported: a stop cannot be confirmed'}")
    for name, parameter in found.parameters.items():
        click.echo(f"  parameter  {name}: {parameter.says}")
    for step in found.init:
        click.echo(f"  init       {step.frame}")
    for command_name, command in found.commands.given().items():
        click.echo(f"  command    {command_name}: {' | '.join(command.frames)}")
    for report_name, report in found.reports.items():
        click.echo(f"  report     {report_name}: {' | '.join(report.frames)}")
    for source in found.sources:
        click.echo(f"  source     {source.url}")
    for note in found.notes:
        click.echo(f"  note       {note}")


def _links(profile: Profile) -> str:
    links = ("BLE", profile.ble), ("serial", profile.serial)
    return ", ".join(name for name, table in links if table is not None)


def _scale(profile: Profile) -> str:
    if profile.level is None:
        return "none: it is only a timer"
    levels = profile.level.levels()
    if levels.is_switch:
        return "on or off"
    known = f"0, {levels.lowest} to {levels.full}"
    if levels.steps is not None:
        known = ", ".join(str(step) for step in (0, *levels.steps))
    return f"{known} ({profile.level.unit}{', one press each' if profile.level.model == 'relative' else ''})"


@profiles.command("schema")
def show_schema() -> None:
    """Print the profile format as JSON Schema, for editors."""
    from firmware_profiles.schema import json_schema

    print_json(json_schema())


@profiles.command()
@click.argument("profile", shell_complete=complete_profiles)
@click.argument("command")
@click.argument("values", nargs=-1, metavar="[NAME=VALUE]...")
def encode(profile: str, command: str, values: tuple[str, ...]) -> None:
    """Print the frames of a command as hex, one per line: any command of the profile, init, keepalive, or an extra.

    For example: percuss profiles encode theragun-gen4 set_level level=1750
    """
    from firmware_profiles.codec import Codec
    from firmware_profiles.errors import ValueRefusedError
    from firmware_profiles.library import find_profile
    from firmware_profiles.plain_values import command_from_values

    codec = Codec(find_profile(profile))
    given: dict[str, int | str] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals:
            raise click.BadParameter(f"{value!r} is not of the form name=value.", param_hint="VALUES")
        given[name] = int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else text
    try:
        if command == "set_level":
            asked = command_from_values(codec, command, given)
            codec.encode(asked)  # whether the device has this level
        writes = codec.raw_writes(command, given)
    except ValueError as problem:
        raise ValueRefusedError(str(problem), where=profile) from problem
    for write in writes:
        click.echo(write.data.hex(" ").upper())


for _command in (new, check, decode):
    profiles.add_command(_command)
