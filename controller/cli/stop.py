"""``stop`` and ``clear``: the emergency stop, and letting go of it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from controller.cli.completion import complete_devices
from controller.cli.output import leave_stdout, print_json, say

if TYPE_CHECKING:
    from controller.cli.exits import Exit
    from controller.stopping import StopResult
    from firmware_profiles.errors import PercussError


@click.command()
@click.argument("name", required=False, shell_complete=complete_devices)
@click.option("--all", "stops_all", is_flag=True, help="Everything, and nothing starts again until `percuss clear`.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def stop(name: str | None, stops_all: bool, as_json: bool) -> None:
    """Stop a device and see it confirmed.

    A session that drives it in another terminal is ended first. With --all this is the emergency stop: every session
    ends, every paired device is stopped, and nothing starts again until `percuss clear`.
    """
    import asyncio

    from controller.cli.exits import Exit, exit_of_error
    from controller.registry import Registry
    from controller.service import emergency
    from firmware_profiles.errors import PercussError

    code = Exit.DONE
    if stops_all:
        # What runs first, what might run later second, everything else after that.
        told: set[int] = set()
        try:
            told = emergency.stop_sessions()
            emergency.engage()
            told |= emergency.stop_sessions()  # who started in between
        except PercussError as problem:
            say(f"percuss: {problem}")
            code = exit_of_error(problem)
        except OSError as problem:
            say(f"percuss: nobody can see which sessions run ({problem}); end them yourself.")
            code = Exit.REFUSED
            with suppress(PercussError):
                emergency.engage()
        if emergency.is_engaged():
            say("Nothing starts any more until `percuss clear`.")
        if told:
            say(f"told to stop: process {', '.join(map(str, sorted(told)))}.")
    registry = Registry()
    names = [name] if name is not None and not stops_all else sorted(registry.devices())
    if len(names) > 1 and not stops_all:
        raise click.UsageError(f"Which one? {', '.join(names)}; or --all.")
    if not names:
        say("nothing is paired, so there is nothing else to stop." if stops_all else "nothing is paired.")
    results = asyncio.run(emergency.stop_named(names, emit=lambda _: None))
    try:
        code = _tell(results, code, as_json=as_json)
    except OSError as problem:
        # Nobody takes the answer (a closed pipe, a full disk): what was done is done, and the exit code tells of it.
        say(f"percuss: the answer could not be written ({problem.strerror}).")
        leave_stdout()
        unconfirmed = any(not isinstance(r, PercussError) and r.proof == "unconfirmed" for r in results.values())
        code = Exit.STOP_UNCONFIRMED if unconfirmed else code
    raise click.exceptions.Exit(code)


@click.command()
def clear() -> None:
    """Let things start again after `percuss stop --all`."""
    from controller.service import emergency

    cleared = emergency.clear()
    if cleared is None:
        say("the emergency stop was not in; things may start.")
    else:
        say(f"the emergency stop of {cleared.since} is cleared; things may start again.")


def _tell(results: dict[str, StopResult | PercussError], code: Exit, *, as_json: bool) -> Exit:
    from controller.cli.exits import Exit, exit_of_error
    from firmware_profiles.errors import PercussError

    told: dict[str, object] = {}
    for name, result in results.items():
        if isinstance(result, PercussError):
            say(f"percuss: {result} If it runs, press its button.")
            told[name] = {"error": str(result)}
            code = code if code is Exit.STOP_UNCONFIRMED else exit_of_error(result)
            continue
        told[name] = {"proof": result.proof, "attempts": result.attempts}
        if result.proof == "unconfirmed":
            say(f"{name}: NOT CONFIRMED to have stopped. Press its button now.")
            code = Exit.STOP_UNCONFIRMED
        elif not as_json:
            click.echo(f"{name}: stopped" + (" (it cannot report: look at it)" if result.proof != "confirmed" else ""))
    if as_json:
        print_json(told)
    return code
