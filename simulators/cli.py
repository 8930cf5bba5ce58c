"""``percuss simulate``, which is ``python -m simulators``: one simulated device per process.

stdout is for what was asked for (how to reach the device), stderr for talk. Exit codes: 0 done, 2 the command line
makes no sense here, 8 a file that cannot be used.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from simulators.service import Settings

EXIT_USAGE = 2
EXIT_BAD_FILE = 8


def _a_number(_context: click.Context, _parameter: click.Parameter, value: float) -> float:
    if math.isnan(value):
        raise click.BadParameter("must be a number.")
    return value


@click.command(name="percuss simulate")
@click.argument("profile")
@click.option("--ble", "link", flag_value="ble", help="Virtual Bluetooth LE (the default where the device speaks it).")
@click.option("--pty", "link", flag_value="pty", help="A pseudo-terminal (the default for a serial device).")
@click.option("--tcp", "link", flag_value="tcp", help="A serial line over TCP, on this computer only.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="TCP port of --tcp and --ble.  [default: any]")
@click.option("--link", "link_path", type=click.Path(path_type=Path), help="A symbolic link that --pty keeps up.")
@click.option("--wire-time", is_flag=True, help="Let bytes take as long as at the profile's baud rate.")
@click.option("--name", help="What the device calls itself.")
@click.option("--address", help="Its random static Bluetooth address.")
@click.option("--serial", default="SIM-0001", show_default=True, help="Its serial number.")
@click.option("--firmware", help="The firmware version it reports.")
@click.option(
    "--speed",
    type=click.FloatRange(0, 1000, min_open=True),
    default=1.0,
    callback=_a_number,
    help="Time runs so many times faster.",
)
@click.option("--clock", type=click.Choice(["real", "manual"]), default="real", help="manual: time moves when told.")
@click.option("--record", type=click.Path(path_type=Path), help="Write what it saw and did, as JSON lines.")
@click.option("--seed", type=int, default=0, help="Which bits injected faults flip.")
@click.option(
    "--max-connections", type=click.IntRange(1, 64), help="Hosts at a time.  [default: what the profile says]"
)
@click.option(
    "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="What this one device has, such as its PIN."
)
@click.option("--json", "as_json", is_flag=True, help="Say that it is ready as one line of JSON.")
@click.option("--until-stdin-closes", is_flag=True, help="End when standard input, a pipe, is closed.")
def simulate(
    profile: str, link: Literal["ble", "pty", "tcp"] | None, parameters: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Pretend to be a device of PROFILE (an id, or a .toml file) until Ctrl-C."""
    import asyncio

    from firmware_profiles.library import find_profile
    from simulators.service import Settings, serve

    settings = Settings(profile=find_profile(profile), link=link, parameters=_pairs(parameters), **options)
    asyncio.run(serve(settings, _ready_printer(settings, as_json), _say))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    from firmware_profiles.errors import FileError, PercussError

    try:
        simulate.main(arguments, prog_name="percuss simulate", standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as problem:
        problem.show()
        sys.exit(EXIT_USAGE)
    except PercussError as problem:
        _say(f"percuss simulate: {problem}")
        sys.exit(EXIT_BAD_FILE if isinstance(problem, FileError) else EXIT_USAGE)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(0)


def _pairs(parameters: tuple[str, ...]) -> dict[str, str]:
    pairs = dict(parameter.partition("=")[::2] for parameter in parameters if "=" in parameter)
    if len(pairs) != len(parameters):
        raise click.BadParameter("each is NAME=VALUE, and each name once.", param_hint="--parameter")
    return pairs


def _ready_printer(settings: Settings, as_json: bool) -> Callable[[dict[str, Any]], None]:
    def print_ready(facts: dict[str, Any]) -> None:
        import json
        import shlex

        if as_json:
            click.echo(json.dumps(facts))
            return
        # Nothing on a serial wire says what is behind it, so there the profile is named.
        profile = "" if settings.chosen_link == "ble" else f" --profile {settings.profile.id}"
        click.echo(f"A simulated {settings.profile.name} is running as {facts['name']!r}:")
        click.echo(f"  {facts['url']}")
        click.echo("In another terminal:")
        click.echo("  percuss scan")
        click.echo(f"  percuss pair {shlex.quote(facts['url'])}{profile}")
        click.echo(f"Control socket: {facts['control']}, token {facts['token']}")
        click.echo("Ctrl-C ends it.")

    return print_ready


def _say(sentence: str) -> None:
    click.echo(sentence, err=True)
