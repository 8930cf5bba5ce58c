"""The command line. Heavy imports stay inside the commands: `percuss --help` must be quick."""

from __future__ import annotations

import sys
from asyncio import CancelledError

import click

from controller.cli.completion import completion
from controller.cli.devices import devices, forget, pair, scan
from controller.cli.diagnosis import doctor
from controller.cli.exchange import export_programme, export_routine, import_routine
from controller.cli.history import history
from controller.cli.probing import probe
from controller.cli.profiles import profiles
from controller.cli.programmes import programmes
from controller.cli.routine_files import routines
from controller.cli.run import demo, run, set_level
from controller.cli.screening import screening
from controller.cli.serve import serve
from controller.cli.simulate import simulate
from controller.cli.sniffing import sniff
from controller.cli.stop import clear, stop
from firmware_profiles.plain_text import plain


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="percuss")
def percuss() -> None:
    """Drive a percussive massager through per-region routines, or run them against a simulator.

    Start with: percuss demo. With a device: percuss scan, percuss pair, percuss run piriformis-release.

    It is a comfort tool and makes no medical claim. Ctrl-C stops the motor at once.
    """


_COMMANDS = (
    *(scan, pair, devices, forget, run, set_level, stop, clear, screening, history),
    *(serve, routines, programmes, profiles, simulate, sniff, probe, doctor, demo, completion),
)
for _command in _COMMANDS:
    percuss.add_command(_command)
for _command in (export_routine, import_routine):
    routines.add_command(_command)
programmes.add_command(export_programme)


def main() -> None:
    """Run a command; every error becomes a sentence and an exit code."""
    try:
        # Outside its standalone mode click returns the code of an Exit instead of raising it.
        code = percuss.main(standalone_mode=False) or 0
    except click.ClickException as problem:
        # It may name a file, which must not steer the terminal; click lets nobody say so before it prints.
        problem.message = plain(problem.message)  # type: ignore[misc]
        problem.show()
        code = problem.exit_code
    except (Exception, KeyboardInterrupt, CancelledError) as problem:  # noqa: BLE001 - the last line: no traceback reaches a person
        from controller.cli.exits import tell

        code = tell(problem)
    sys.exit(code)
