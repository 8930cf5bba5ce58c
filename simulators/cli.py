"""``python -m simulators``, which is also ``percuss simulate``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from simulators.run import Options

BAD_FILE, USAGE = 8, 2


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("profile")
@click.option("--ble", "link", flag_value="ble", help="On a virtual Bluetooth radio.")
@click.option("--pty", "link", flag_value="pty", help="Behind a pseudo-terminal.")
@click.option("--tcp", "link", flag_value="tcp", help="Behind a TCP port of this computer.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="TCP port of --ble or --tcp; 0: any free one.")
@click.option("--link", "symlink", type=click.Path(path_type=Path), help="A path that always points at the --pty.")
@click.option("--name", help="The name that it advertises.")
@click.option("--address", default="F0:F1:C2:00:00:01", show_default=True, help="Its Bluetooth address.")
@click.option("--serial", default="SIM-0001", show_default=True, help="Its serial number.")
@click.option("--firmware", help="Its firmware version.")
@click.option("--speed", type=click.FloatRange(0.01, 1000), default=1.0, help="How fast its time runs.")
@click.option("--clock", type=click.Choice(["real", "manual"]), default="real", help="manual: time stands until told.")
@click.option("--record", type=click.Path(path_type=Path, dir_okay=False), help="Write what it sees, as JSON lines.")
@click.option("--seed", type=int, default=0, help="For faults that are drawn by chance.")
@click.option("--max-connections", type=click.IntRange(1, 64), default=8, help="How many hosts it bears at once.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line when ready.")
@click.option("--until-stdin-closes", "ends_with_stdin", is_flag=True, help="End with the process that started it.")
def simulate(profile: str, clock: str, as_json: bool, link: str | None, speed: float, **rest: Any) -> None:
    """Pretend to be the device of PROFILE (an id, or a file) until Ctrl-C."""
    import asyncio

    from firmware_profiles.library import find_profile
    from simulators.run import Options, Simulator, default_link

    found = find_profile(profile)
    options = Options(
        profile=found,
        link=link or default_link(found),  # type: ignore[arg-type]  # click allows only these three
        speed=0.0 if clock == "manual" else speed,
        **rest,
    )

    async def run() -> Simulator:
        simulator = Simulator(options)
        await simulator.run(lambda facts: _say_ready(facts, options, as_json))
        return simulator

    simulator = asyncio.run(run())
    if not as_json:
        speeds = {name: round(motor.actual_ppm) for name, motor in simulator.device.motors.items()}
        click.echo(f"ended; the motors at the end (ppm): {speeds}", err=True)


def main() -> None:
    """Run the simulator; every error becomes a sentence and an exit code."""
    from firmware_profiles.errors import PercussError, ProfileError

    try:
        code = simulate.main(prog_name="percuss simulate", standalone_mode=False) or 0
    except click.ClickException as problem:
        problem.show()
        code = problem.exit_code
    except ProfileError as problem:
        click.echo(f"percuss simulate: {problem}", err=True)
        code = BAD_FILE
    except PercussError as problem:
        click.echo(f"percuss simulate: {problem}", err=True)
        code = USAGE
    except (click.Abort, KeyboardInterrupt):
        code = 0
    sys.exit(code)


def _say_ready(facts: dict[str, Any], options: Options, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(facts))
        return
    click.echo(f"{facts['name']}, a simulated {options.profile.name}, is at {facts['url']}")
    fixed = "" if options.link == "ble" else f" {facts['url']}"
    click.echo(f"In another terminal: percuss scan, then percuss pair{fixed}. Ctrl-C ends it.", err=True)
    click.echo(f"Controls: {facts['control']} with token {facts['token']}", err=True)
