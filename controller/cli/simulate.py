"""``simulate``: hand over to the simulators' own program."""

from __future__ import annotations

import sys

import click

from controller.cli.completion import complete_profiles


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument(
    "arguments", nargs=-1, type=click.UNPROCESSED, metavar="PROFILE [OPTIONS]", shell_complete=complete_profiles
)
def simulate(arguments: tuple[str, ...]) -> None:
    """Pretend to be a device (--help tells how)."""
    import subprocess

    # Nobody imports the simulators: they are a peer that is met over a wire (docs/decisions/0001).
    # -P: what lies in the current folder under that name is not run in their place.
    command = [sys.executable, "-P", "-m", "simulators", *arguments]
    if sys.platform != "win32":
        import os

        os.execv(sys.executable, command)
    raise SystemExit(subprocess.call(command))
