"""``sniff``: what a device says, as it says it."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from controller.cli.capturing import capture_option
from controller.cli.completion import complete_devices
from controller.cli.output import print_json, say

if TYPE_CHECKING:
    from controller.service.binding import Binding
    from firmware_profiles.decoding import Decoder, Meaning


@click.command()
@click.argument("name", shell_complete=complete_devices)
@click.option("--for", "for_s", type=click.FloatRange(0.1), metavar="SECONDS", help="End after so long.")
@capture_option
def sniff(name: str, for_s: float | None) -> None:
    """Print what passes between this computer and a paired device.

    It is asked for its status where it can say one, and never driven: press its own buttons and watch. Each frame is a
    JSON line on stdout, with what it means by the device's profile. Ctrl-C ends it.
    """
    import asyncio

    from controller.cli.exits import tell
    from controller.service.binding import bind_paired

    try:
        decoder = asyncio.run(_sniff(bind_paired(name), for_s))
    except BrokenPipeError as problem:
        # Whoever read it has enough: an ordinary end, which click would call a failure.
        raise click.exceptions.Exit(tell(problem)) from None
    say(f"{decoder.understood} of {decoder.total} frames fit the profile {decoder.profile.id}.")


async def _sniff(binding: Binding, for_s: float | None) -> Decoder:
    import asyncio

    from controller.clock import SystemClock
    from controller.service.sniffing import sniff as listen

    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    # SIGTERM too: that is how `percuss stop` in another terminal asks for the device.
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: there Ctrl-C ends the loop
            loop.add_signal_handler(number, end.set)
    if for_s is not None:
        loop.call_later(for_s, end.set)
    return await listen(binding, _print, clock=SystemClock(), end=end)


def _print(meaning: Meaning) -> None:
    from firmware_profiles.decoding import passed_json

    line = passed_json(meaning)
    del line["link"]
    print_json(line)
