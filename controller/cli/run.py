"""``run``, ``set`` and ``demo``: everything that moves a motor."""

from __future__ import annotations

import math
import re
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import click

from controller.cli.capturing import capture_option
from controller.cli.output import print_table, say
from controller.cli.plans import print_plan

if TYPE_CHECKING:
    from controller.events import Event, SessionEnded
    from controller.service.binding import Binding
    from controller.service.running import Plan, Wishes
    from controller.service.simulation import Simulator
    from firmware_profiles.capabilities import Role
    from routines.loader import Routine

DEFAULT_SIMULATOR = "theragun-gen4"
DEMO_SPEED = 60.0


@click.command()
@click.argument("routine")
@click.option("--on", "on", multiple=True, metavar="[ROLE=]NAME", help="A paired device: massager=NAME, timer=NAME.")
@click.option("--sim", "simulated", metavar="PROFILE", help="Start a simulator of this profile and run on it.")
@click.option("--speed", type=click.FloatRange(0.1, 1000), default=1.0, help="Time runs so fast; simulators only.")
@click.option("--dry-run", is_flag=True, help="Only show the plan.")
@click.option("--wait-for-key", is_flag=True, help="At each place, wait for space before the motor starts.")
@click.option("--pain", type=click.IntRange(0, 10), help="How much it hurts before, 0 to 10; else you are asked.")
@click.option("--json", "as_json", is_flag=True, help="Events as JSON lines on stdout.")
@capture_option
def run(
    routine: str,
    on: tuple[str, ...],
    simulated: str | None,
    speed: float,
    dry_run: bool,
    wait_for_key: bool,
    pain: int | None,
    as_json: bool,
) -> None:
    """Run a routine, by name or file.

    `percuss routines list` shows the names.

    Without --on it runs on the one paired device; when nothing is paired, on a simulator, and says so.
    """
    import asyncio

    if wait_for_key and not sys.stdin.isatty():
        raise click.UsageError("--wait-for-key needs a terminal: nobody could press the key.")
    if not math.isfinite(speed):
        raise click.BadParameter("must be a number.", param_hint="--speed")
    from controller.service.running import Wishes

    wishes = Wishes(speed=speed, waits_for_key=wait_for_key, asks_pain=True, pain_before=pain)
    asyncio.run(_run(routine, _roles(on), simulated, wishes, dry_run=dry_run, as_json=as_json))


@click.command("set")
@click.argument("name")
@click.argument("intensity")
@click.option("--for", "duration", required=True, metavar="TIME", help="How long: 30s, 1m.")
@click.option("--region", help="Where; its own limits hold then, else the strictest of all.")
@click.option("--json", "as_json", is_flag=True, help="Events as JSON lines on stdout.")
@capture_option
def set_level(name: str, intensity: str, duration: str, region: str | None, as_json: bool) -> None:
    """Run a device at one intensity for a while, then stop it.

    For example: percuss set elite 40% --for 30s --region calves
    """
    import asyncio
    from functools import partial

    from controller.cli.driving import drive
    from controller.cli.screening import ask_where_needed
    from controller.service.binding import bind_paired
    from controller.service.running import Wishes
    from routines.planner import plan_hold

    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", intensity.strip())
    if found is None:
        raise click.BadParameter(f"{intensity!r} is no percentage such as 40%.", param_hint="INTENSITY")
    binding = bind_paired(name)
    ask_where_needed({"massager": binding})
    hold = partial(plan_hold, float(found.group(1)), _seconds(duration), region=region)
    ended, _ = asyncio.run(
        drive(
            lambda devices, bounds: hold(devices, bounds=bounds),
            {"massager": binding},
            Wishes(asks_pain=False),
            as_json=as_json,
        )
    )
    _exit(ended)


@click.command()
@click.option("--routine", default="sciatica-relief", show_default=True)
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


async def _run(
    routine_name: str, on: dict[Role, str], simulated: str | None, wishes: Wishes, *, dry_run: bool, as_json: bool
) -> None:
    from controller.cli.driving import drive
    from controller.cli.screening import ask_where_needed
    from controller.service import binding, running, simulation
    from firmware_profiles.library import find_profile
    from routines.library import find_routine

    routine = find_routine(routine_name)
    bindings = {role: binding.bind_paired(name) for role, name in on.items()}
    if simulated is None and "massager" not in bindings:
        simulated = _choose_massager(bindings)
    plan = _plan_of(routine)
    async with AsyncExitStack() as stack:
        simulator = None
        if simulated is not None:
            profile = find_profile(simulated)
            role: Role = "massager" if "massager" in profile.roles and "massager" not in bindings else "timer"
            # Planned before anything is started: a refusal costs nothing.
            planned = {**bindings, role: binding.Binding(profile.id, "", profile, is_simulated=True)}
            timeline = running.plan_for(plan, planned)
            if not dry_run:
                simulator = await stack.enter_async_context(simulation.started_simulator(simulated, speed=wishes.speed))
                bindings[role] = binding.bind_simulator(simulator)
        elif dry_run:
            planned = bindings
            timeline = running.plan_for(plan, planned)
        if dry_run:
            print_plan(timeline, {role: each.profile for role, each in planned.items()}, as_json=as_json)
            return
        ask_where_needed(bindings)
        ended, happened = await drive(plan, bindings, wishes, as_json=as_json)
        if simulator is not None and not as_json:
            _print_observation(simulator, happened)
    _exit(ended)


async def _demo(routine_name: str, speed: float) -> None:
    from controller.cli.driving import drive
    from controller.registry import Registry
    from controller.service import binding, pairing, scanning, simulation
    from controller.service.running import Wishes
    from firmware_profiles.matching import choose_profile
    from routines.library import find_routine

    routine = find_routine(routine_name)
    say(f"1. A virtual {DEFAULT_SIMULATOR} starts, as a process of its own, on a virtual Bluetooth radio.")
    async with simulation.started_simulator(DEFAULT_SIMULATOR, speed=speed) as simulator:
        say("2. Scan.")
        hci = scanning.hci_of(simulator.url)
        result = await scanning.scan(2.0, adapter=hci)
        found = pairing.choose(result.found, None)
        say(f"   found {found.name} at {found.url}: {found.profile}")
        say("3. Pair.")
        profile = choose_profile(list(found.candidates), device=found.name)
        name = pairing.suggest_name(found.name, profile, set())
        paired = await pairing.pair(found.url, profile, name=name, emit=lambda _: None)
        say(f"   {paired.name}: firmware {paired.identity.firmware}, stop {paired.stop.proof}")
        say(f"4. Run {routine_name} with time running {speed:g} times faster.")
        paired_binding = binding.bind_paired(name, Registry())
        ended, happened = await drive(_plan_of(routine), {"massager": paired_binding}, Wishes(speed=speed))
        _print_observation(simulator, happened)
    _exit(ended)


def _plan_of(routine: Routine) -> Plan:
    from routines.planner import plan

    return lambda devices, bounds: plan(routine, devices, bounds)


def _roles(on: tuple[str, ...]) -> dict[Role, str]:
    """``massager=NAME`` by role; a bare name is the massager."""
    roles: dict[Role, str] = {}
    for each in on:
        role, _, name = each.rpartition("=")
        role = role or "massager"
        if role not in {"massager", "timer"}:
            raise click.BadParameter(f"{role!r} is no role; there are massager and timer.", param_hint="--on")
        if role in roles or not name:
            raise click.BadParameter(f"{each!r}: one device for each role.", param_hint="--on")
        roles["massager" if role == "massager" else "timer"] = name
    return roles


def _choose_massager(bindings: dict[Role, Binding]) -> str | None:
    """Bind the one paired massager; the profile to simulate when nothing is paired at all."""
    from controller.registry import Registry
    from controller.service.binding import bind_paired

    bound = {binding.name for binding in bindings.values()}
    paired = {name: device.profile for name, device in sorted(Registry().devices().items()) if name not in bound}
    names = [name for name, profile in paired.items() if _may_massage(profile)]
    if len(names) > 1:
        raise click.UsageError(f"Which device? Say --on {' or --on '.join(names)}.")
    if names:
        bindings["massager"] = bind_paired(names[0])
        return None
    if bindings:
        return None
    what = "no massager" if paired else "nothing"
    say(f"{what} is paired: running on a simulator ({DEFAULT_SIMULATOR}). Pair a device with `percuss pair`.")
    return DEFAULT_SIMULATOR


def _may_massage(profile_id: str) -> bool:
    """Whether a paired device may be the massager; one whose profile is gone may, so that binding it says so."""
    from firmware_profiles.errors import PercussError
    from firmware_profiles.library import find_profile

    try:
        return "massager" in find_profile(profile_id).roles
    except PercussError:
        return True


def _seconds(text: str) -> float:
    from routines.schema import parse_duration

    try:
        return parse_duration(text)
    except ValueError as problem:
        raise click.BadParameter(str(problem), param_hint="--for") from problem


def _print_observation(simulator: Simulator, happened: list[Event]) -> None:
    """What the simulator's recorder saw, which is not what we believe we did."""
    from controller.events import DeviceStopped
    from controller.service.observation import observe

    if simulator.record is None:
        return
    seen = observe(simulator.record, happened)
    print_table(
        ("region", "side", "driven s", "mean ppm", "peak ppm"),
        [(dose.region, dose.side, dose.driven_s, dose.mean_ppm, dose.peak_ppm) for dose in seen.places],
        title=f"What the simulator saw ({seen.frames} frames received)",
    )
    stops = [event for event in happened if isinstance(event, DeviceStopped)]
    proof = stops[-1].proof if stops else "unconfirmed"
    click.echo(f"motor at the end: {'stopped' if seen.at_rest else 'STILL RUNNING'}")
    words = {"confirmed": "confirmed by the device's status", "cannot_report": "the device cannot report it"}
    click.echo(f"stop: {words.get(proof, 'NOT CONFIRMED')}")


def _exit(ended: SessionEnded) -> None:
    from controller.cli.exits import exit_of_outcome

    raise click.exceptions.Exit(exit_of_outcome(ended.outcome))
