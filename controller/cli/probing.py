"""``probe``: look at a device that no profile may be known for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from controller.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from controller.service.probing import Probe


@click.command()
@click.argument("target", metavar="ADDRESS|URL")
@click.option("--adapter", help="Search only here: hci1 (BlueZ), usb:0 or tcp-client:HOST:PORT (bumble).")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(0.1, 120), default=10.0, show_default=True, help="Seconds."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def probe(target: str, adapter: str | None, timeout_s: float, as_json: bool) -> None:
    """Show what one device shows of itself, and which profiles fit it.

    Over Bluetooth LE it is connected to and its services are listed; of a serial port the USB ids are told. Nothing is
    written to the device.
    """
    import asyncio

    from controller.service import probing

    say("looking …")
    found = asyncio.run(probing.probe(target, timeout_s=timeout_s, adapter=adapter))
    if as_json:
        print_json(probing.probe_json(found))
    else:
        _print(found)


def _print(found: Probe) -> None:
    click.echo(f"{found.name or 'no name'} at {found.url}")
    for name, text in found.texts.items():
        click.echo(f"  {name}: {text}")
    if found.usb_id:
        click.echo(f"  USB: {found.usb_id} ({found.usb_product or 'unknown product'})")
    for number, data in found.manufacturer.items():
        click.echo(f"  manufacturer data: {number} (0x{number:04X}): {data.hex(' ').upper()}")
    for uuid in found.advertised_services:
        click.echo(f"  advertises the service {_short(uuid)}")
    rows = [
        (_short(service.uuid), _short(one.uuid), f"0x{one.handle:04X}", ", ".join(one.properties))
        for service in found.services
        for one in service.characteristics
    ]
    if rows:
        print_table(("service", "characteristic", "handle", "can"), rows)
    if found.note:
        click.echo(found.note)
    for candidate in found.candidates:
        sure = "sure" if candidate.is_sure else "perhaps"
        click.echo(f"{candidate.profile.id}: {sure} (score {candidate.score}): {'; '.join(candidate.reasons)}")
    if not found.candidates:
        say("No profile fits it. Begin one with: percuss profiles new")


def _short(uuid: str) -> str:
    """Four digits for the UUIDs of the Bluetooth SIG, as a profile may write them."""
    if uuid.startswith("0000") and uuid.endswith("-0000-1000-8000-00805f9b34fb"):
        return uuid[4:8].upper()
    return uuid
