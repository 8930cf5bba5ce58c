"""``run``, ``set`` and ``demo``: everything that moves a motor."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import click

from controller.cli.capturing import capture_option
from controller.cli.completion import (
    complete_devices,
    complete_parts,
    complete_regions,
    complete_routines,
    complete_simulated_parts,
)
from controller.cli.output import print_table, say
from controller.cli.plans import print_plan
from firmware_profiles.plain_text import plain

if TYPE_CHECKING:
    from controller.cli.roles import Cast
    from controller.events import Event, SessionEnded
    from controller.service.running import Wishes
    from controller.service.simulation import Simulator
    from routines.loader import Routine

DEMO_SPEED = 60.0


@click.command()
@click.argument("routine", required=False, shell_complete=complete_routines)
@click.option("--script", metavar="TEXT", help='Run this instead: "calves:each gentle 60s; rest 10s".')
@click.option(
    *("--on", "on"),
    multiple=True,
    metavar="[ROLE=]NAME",
    shell_complete=complete_parts,
    help="A paired device: massager=NAME, timer=NAME; massager twice for two.",
)
@click.option(
    *("--sim", "simulated"),
    multiple=True,
    metavar="[ROLE=]PROFILE",
    shell_complete=complete_simulated_parts,
    help="Start a simulator of this profile and run on it; also more than one.",
)
@click.option("--no-device", is_flag=True, help="By hand: a guided timer, whatever is paired.")
@click.option("--speed", type=click.FloatRange(0.1, 1000), default=1.0, help="Time runs so fast; not on real devices.")
@click.option("--dry-run", is_flag=True, help="Only show the plan.")
@click.option("--wait-for-key", is_flag=True, help="At each place, wait for space before the motor starts.")
@click.option("--pain", type=click.IntRange(0, 10), help="How much it hurts before, 0 to 10; else a real device asks.")
@click.option("--no-sound", is_flag=True, help="No bell and no sound.")
@click.option("--json", "as_json", is_flag=True, help="Events as JSON lines on stdout.")
@capture_option
def run(
    routine: str | None,
    script: str | None,
    on: tuple[str, ...],
    simulated: tuple[str, ...],
    no_device: bool,
    speed: float,
    dry_run: bool,
    wait_for_key: bool,
    pain: int | None,
    no_sound: bool,
    as_json: bool,
) -> None:
    """Run a routine, by name or file, or - to read it from standard input.

    `percuss routines list` shows the names.

    Without --on it runs on the one paired device; when nothing is paired, on a simulator, and says so. With
    --no-device it is a complete guided timer.
    """
    import asyncio

    if (routine is None) == (script is None):
        raise click.UsageError("Name a routine, - or --script TEXT: one of them. `percuss routines list` shows names.")
    if no_device and (on or simulated):
        raise click.UsageError("--no-device leaves out what --on and --sim name.")
    if wait_for_key and not sys.stdin.isatty():
        raise click.UsageError("--wait-for-key needs a terminal: nobody could press the key.")
    if not math.isfinite(speed):
        raise click.BadParameter("must be a number.", param_hint="--speed")
    from controller.cli.roles import Cast, cast_of
    from controller.service.running import Wishes

    what = _read(routine, script, dry_run=dry_run)
    cast = Cast() if no_device else cast_of(on, simulated)
    wishes = Wishes(speed=speed, waits_for_key=wait_for_key, asks_pain=True, pain_before=pain)
    asyncio.run(_run(what, cast, wishes, dry_run=dry_run, as_json=as_json, sound=not no_sound))


@click.command("set")
@click.argument("name", shell_complete=complete_devices)
@click.argument("intensity")
@click.option("--for", "duration", required=True, metavar="TIME", help="How long: 30s, 1m; 30 is seconds.")
@click.option(
    "--region", shell_complete=complete_regions, help="Where; its own limits hold then, else the strictest of all."
)
@click.option("--json", "as_json", is_flag=True, help="Events as JSON lines on stdout.")
@capture_option
def set_level(name: str, intensity: str, duration: str, region: str | None, as_json: bool) -> None:
    """Run a device at one intensity for a while, then stop it.

    For example: percuss set elite 40% --for 30s --region calves
    """
    import asyncio

    from controller.cli.driving import drive
    from controller.cli.opening import Hold
    from controller.cli.screening import ask_where_needed
    from controller.service.binding import bind_paired
    from controller.service.running import Wishes

    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", intensity.strip())
    if found is None:
        raise click.BadParameter(f"{intensity!r} is no percentage such as 40%.", param_hint="INTENSITY")
    binding = bind_paired(name)
    ask_where_needed({"massager": binding})
    what = Hold(float(found.group(1)), _seconds(duration), region)
    ended, _ = asyncio.run(drive(what, {"massager": binding}, Wishes(asks_pain=False), as_json=as_json))
    _exit(ended)


@click.command()
@click.option("--routine", default="sciatica-relief", show_default=True, shell_complete=complete_routines)
@click.option("--speed", type=click.FloatRange(1, 1000), default=DEMO_SPEED, show_default=True)
def demo(routine: str, speed: float) -> None:
    """Show the whole way on a virtual massage gun.

    It scans, pairs, runs a routine faster than life, and tells what the simulator's own recorder saw.
    """
    import asyncio
    import os
    import tempfile

    with tempfile.TemporaryDirectory(prefix="percuss-demo-") as home:
        before = os.environ.get("PERCUSS_HOME")
        os.environ["PERCUSS_HOME"] = home  # the demo's pairing is its own
        try:
            asyncio.run(_demo(routine, speed))
        finally:
            if before is None:
                del os.environ["PERCUSS_HOME"]
            else:
                os.environ["PERCUSS_HOME"] = before


def _read(name: str | None, script: str | None, *, dry_run: bool) -> Routine:
    """The routine that was named, written, or comes on stdin."""
    from controller import api
    from firmware_profiles.tomlfile import MAX_BYTES
    from routines.errors import RoutineError
    from routines.script import parse_routine_text

    if script is not None:
        try:
            return api.script(script)
        except RoutineError as problem:
            raise click.BadParameter(str(problem), param_hint="--script") from problem
    if name != "-":
        return api.routine(name or "")
    if sys.stdin.isatty():
        say("Write the routine, and end it with Ctrl-D.")
    elif not dry_run:
        say("The routine comes from standard input, so there are no keys; Ctrl-C stops.")
    return parse_routine_text(sys.stdin.buffer.read(MAX_BYTES + 1), "stdin")


async def _run(what: Routine, cast: Cast, wishes: Wishes, *, dry_run: bool, as_json: bool, sound: bool) -> None:
    from controller import api
    from controller.cli.driving import drive
    from controller.cli.roles import parts
    from controller.cli.screening import ask_where_needed
    from controller.service.binding import bind_simulator, told_apart
    from controller.service.simulation import Simulator
    from firmware_profiles.capabilities import MASSAGERS, Role

    if cast.simulated or dry_run:
        # Planned before anything is started: a refusal costs nothing.
        timeline = api.plan(what, **parts(cast.planned))
    if dry_run:
        print_plan(timeline, {role: each.profile for role, each in cast.planned.items()}, as_json=as_json)
        return
    async with AsyncExitStack() as stack:
        bindings, simulators = dict(cast.bound), dict[Role, Simulator]()
        for role, profile in cast.simulated.items():
            simulators[role] = await stack.enter_async_context(api.simulator(profile.id, speed=wishes.speed))
            bindings[role] = bind_simulator(simulators[role])
        bindings = told_apart(bindings)
        ask_where_needed(bindings)
        ended, happened = await drive(what, bindings, wishes, as_json=as_json, sound=sound)
        for role, simulator in simulators.items():
            if not as_json and (len(simulators) == 1 or role in MASSAGERS):
                _print_observation(bindings[role].name, simulator, happened)
    _exit(ended)


async def _demo(routine_name: str, speed: float) -> None:
    from controller import api
    from controller.cli.driving import drive
    from controller.cli.roles import DEFAULT_SIMULATOR
    from controller.service import pairing, scanning
    from controller.service.binding import bind_paired
    from controller.service.running import Wishes

    routine = api.routine(routine_name)
    say(f"1. A virtual {DEFAULT_SIMULATOR} starts, as a process of its own, on a virtual Bluetooth radio.")
    async with api.simulator(DEFAULT_SIMULATOR, speed=speed) as simulator:
        say("2. Scan.")
        hci = scanning.hci_of(simulator.url)
        found = pairing.choose((await api.scan(2.0, adapter=hci)).found, None)
        say(f"   found {found.name} at {found.url}: {found.profile}")
        say("3. Pair.")
        paired = await api.pair(found)
        say(f"   {paired.name}: firmware {paired.identity.firmware}, stop {paired.stop.proof}")
        say(f"4. Run {routine_name} with time running {speed:g} times faster.")
        ended, happened = await drive(routine, {"massager": bind_paired(paired.name)}, Wishes(speed=speed))
        _print_observation(paired.name, simulator, happened)
    _exit(ended)


def _seconds(text: str) -> float:
    from routines.schema import parse_duration

    is_bare = re.fullmatch(r"\d+(?:\.\d+)?", text.strip(), re.ASCII) is not None  # all of a command line is text
    try:
        return parse_duration(float(text) if is_bare else text)
    except ValueError as problem:
        raise click.BadParameter(str(problem), param_hint="--for") from problem


def _print_observation(name: str, simulator: Simulator, happened: Sequence[Event]) -> None:
    """What the simulator's recorder saw, which is not what we believe we did."""
    from controller.events import DeviceStopped
    from controller.service.observation import observe

    if simulator.record is None:
        return
    seen = observe(simulator.record, happened)
    title = f"What the simulator {name} saw ({seen.frames} frames received)"
    if seen.places:
        print_table(
            ("region", "side", "driven s", "mean ppm", "peak ppm"),
            [(dose.region, dose.side, dose.driven_s, dose.mean_ppm, dose.peak_ppm) for dose in seen.places],
            title=title,
        )
    else:
        click.echo(plain(f"{title}: nothing was driven."))
    stops = [event for event in happened if isinstance(event, DeviceStopped) and event.device == name]
    proof = stops[-1].proof if stops else "unconfirmed"
    click.echo(f"motor at the end: {'stopped' if seen.at_rest else 'STILL RUNNING'}")
    words = {"confirmed": "confirmed by the device's status", "cannot_report": "the device cannot report it"}
    click.echo(f"stop: {words.get(proof, 'NOT CONFIRMED')}")


def _exit(ended: SessionEnded) -> None:
    from controller.cli.exits import exit_of_outcome

    raise click.exceptions.Exit(exit_of_outcome(ended.outcome))
