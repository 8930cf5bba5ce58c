"""``scan``, ``pair``, ``devices`` and ``forget``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from controller.cli.capturing import capture_option
from controller.cli.completion import complete_devices, complete_profiles
from controller.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.registry import PairedDevice
    from controller.service.scanning import Found, ScanResult
    from firmware_profiles.schema import Profile

ADAPTER_HELP = "Search only here: hci1 (BlueZ), usb:0 or tcp-client:HOST:PORT (bumble)."


@click.command()
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(0.1, 120), default=5.0, show_default=True, help="Seconds."
)
@click.option("--adapter", help=ADAPTER_HELP)
@click.option("--all", "shows_all", is_flag=True, help="Also what fits no profile.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def scan(timeout_s: float, adapter: str | None, shows_all: bool, as_json: bool) -> None:
    """Look for massagers, timers and simulators.

    Over Bluetooth LE, at the serial ports, and among the simulators that run on this machine.
    """
    result = _scan(timeout_s, adapter)
    if as_json:
        print_json({"found": [_found_json(one) for one in result.found], "problems": [str(p) for p in result.problems]})
        return
    for problem in result.problems:
        say(f"not searched: {problem}")
    shown = [one for one in result.found if shows_all or one.candidates]
    hidden = len(result.found) - len(shown)
    if shown:
        print_table(
            ("name", "profile", "signal", "url"),
            [(one.name, _profile_cell(one), _signal_cell(one), one.url) for one in shown],
        )
        say("Pair one with: percuss pair NAME-OR-URL")
    else:
        say("nothing found that a profile is known for. Is it switched on, near, and not connected to its app?")
    if hidden:
        say(f"{hidden} more fit no profile; --all shows them.")


@click.command()
@click.argument("target", required=False, metavar="[NAME|ADDRESS|URL]", shell_complete=complete_devices)
@click.option("--as", "name", metavar="NAME", help="What to call it; default: its own name.")
@click.option(
    *("--profile", "profile_id"),
    metavar="PROFILE",
    shell_complete=complete_profiles,
    help="Which profile it has, when it cannot be told.",
)
@click.option("--bond", is_flag=True, help="Also bond with it, where the device asks for it.")
@click.option("--passkey", metavar="DIGITS", help="The six digits that the device shows, for --bond.")
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME[=VALUE]",
    help="What this device has, such as its PIN; asked for.",
)
@click.option("--adapter", help=ADAPTER_HELP)
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(0.1, 120), default=5.0, show_default=True, help="Seconds."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@capture_option
def pair(
    target: str | None,
    name: str | None,
    profile_id: str | None,
    bond: bool,
    passkey: str | None,
    parameters: tuple[str, ...],
    adapter: str | None,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Connect to a device and remember it.

    It is asked who it is, and sent Stop to see that it obeys.

    Without TARGET it takes the only device that is found. A serial port needs --profile, because nothing on the wire
    says what is behind it.
    """
    import asyncio

    from controller.events import DeviceStopped, event_json
    from controller.service import pairing

    chosen = asyncio.run(pairing.look_for(target, profile_id=profile_id, for_s=timeout_s, adapter=adapter, tell=say))
    profile = chosen.profile
    given = _name_values(parameters, profile)
    say(f"pairing {name or chosen.name} ({profile.name}) …")
    paired = asyncio.run(
        pairing.pair(
            chosen.url,
            profile,
            name=name or chosen.name,
            emit=lambda _: None,
            bond=bond or passkey is not None,
            passkey=(lambda: passkey) if passkey is not None else _ask_passkey,
            parameters=given,
        )
    )
    if as_json:
        identity = paired.identity
        print_json(
            {
                "name": paired.name,
                "profile": profile.id,
                "url": paired.url,
                "identity": {"address": identity.address, "serial": identity.serial, "firmware": identity.firmware},
                "stop": event_json(DeviceStopped(paired.name, paired.stop.proof, paired.stop.attempts))["proof"],
                "verified_on_hardware": profile.verified_on_hardware,
                "confidence": profile.confidence,
                "dead_man": profile.dead_man,
            }
        )
    else:
        click.echo(f"paired {paired.name} at {paired.url}")
    _say_how_sure(profile, paired.stop.proof)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def devices(as_json: bool) -> None:
    """List the paired devices."""
    paired = _paired()
    if as_json:
        print_json({name: device.model_dump(exclude={"parameters"}) for name, device in paired.items()})
    elif not paired:
        say("nothing is paired. Look with `percuss scan`, then `percuss pair`.")
    else:
        rows = [
            (name, device.profile, device.identity.firmware, device.identity.serial, device.url)
            for name, device in sorted(paired.items())
        ]
        print_table(("name", "profile", "firmware", "serial", "url"), rows)


@click.command()
@click.argument("name", shell_complete=complete_devices)
def forget(name: str) -> None:
    """Forget a paired device."""
    import asyncio

    from controller.cli.through_service.client import forget_device, running_service
    from controller.registry import Registry
    from controller.service import pairing

    Registry().find(name)
    service = running_service()
    asyncio.run(pairing.forget(name) if service is None else forget_device(service, name))
    say(f"{name} is forgotten.")


def _paired() -> dict[str, PairedDevice]:
    """The paired devices, as the service tells them where one runs."""
    import asyncio

    from controller.cli.through_service.client import paired_devices, running_service
    from controller.registry import Registry

    service = running_service()
    return Registry().devices() if service is None else asyncio.run(paired_devices(service))


def _scan(timeout_s: float, adapter: str | None) -> ScanResult:
    import asyncio

    from controller.service import scanning

    return asyncio.run(scanning.scan(timeout_s, adapter=adapter))


def _found_json(found: Found) -> dict[str, object]:
    return {
        "name": found.name,
        "url": found.url,
        "profile": found.profile,
        "rssi_dbm": found.rssi_dbm,
        "simulated": found.is_simulated,
        "candidates": [
            {"profile": candidate.profile.id, "score": candidate.score, "reasons": list(candidate.reasons)}
            for candidate in found.candidates
        ],
    }


def _profile_cell(found: Found) -> str:
    if found.profile is not None:
        return found.profile
    return " or ".join(f"{candidate.profile.id}?" for candidate in found.candidates)


def _signal_cell(found: Found) -> str:
    if found.is_simulated:
        return "simulated"
    return "" if found.rssi_dbm is None else f"{found.rssi_dbm} dBm"


def _name_values(parameters: Sequence[str], profile: Profile) -> dict[str, str]:
    """The parameters by name. One without a value is asked for: a PIN has no place among a process's arguments."""
    values: dict[str, str] = {}
    for parameter in parameters:
        name, equals, value = parameter.partition("=")
        if not name or name in values:
            raise click.BadParameter("each is NAME=VALUE, and each name once.", param_hint="--parameter")
        known = profile.parameters.get(name)
        if not equals and known is not None:
            value = str(click.prompt(known.says, hide_input=known.secret and sys.stdin.isatty(), err=True))
        elif not equals:
            raise click.BadParameter(f"{name!r} needs a value: {name}=….", param_hint="--parameter")
        values[name] = value
    return values


def _ask_passkey() -> str:
    return str(click.prompt("The six digits that the device shows", err=True))


def _say_how_sure(profile: Profile, proof: str) -> None:
    if not profile.verified_on_hardware:
        say(
            f"Take care: nobody has seen this profile work on the real device yet (confidence {profile.confidence}), "
            f"so it is held to {profile.capabilities().cap_percent:g} % of its scale. Keep a hand on its button."
        )
    say(f"If this computer dies: {profile.dead_man}.")
    if proof == "cannot_report":
        say("It cannot say whether it stopped: look at it.")
