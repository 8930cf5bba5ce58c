"""``--capture``: write down what passes over the links that a command opens."""

from __future__ import annotations

from pathlib import Path

import click


def _prepare(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    if path is not None:
        from controller.transports.capture import prepare_capture

        prepare_capture(path)


capture_option = click.option(
    "--capture",
    type=click.Path(path_type=Path, dir_okay=False),
    expose_value=False,
    callback=_prepare,
    help="Write the bytes that pass to this file, as JSON lines, without what is private.",
)
"""The option for every command that opens a link. A file that exists is added to."""
