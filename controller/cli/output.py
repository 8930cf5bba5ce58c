"""Printing: results to stdout, talk to stderr."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import click

from firmware_profiles.plain_text import plain


def say(text: str) -> None:
    """Tell the person something that is no result, on one or more lines."""
    click.echo("\n".join(plain(line) for line in text.split("\n")), err=True)


def wrapped(text: str, stream: TextIO) -> str:
    """A text whose long lines are broken between words, where ``stream`` is a terminal; a pipe gets them whole."""
    try:
        columns = os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except (OSError, ValueError):
        columns = 0
    if columns == 0:  # a terminal that does not say how wide it is
        return text
    lines: list[str] = []
    for line in text.split("\n"):
        indent = line[: len(line) - len(line.lstrip(" "))]
        broken = textwrap.wrap(line, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
        lines += broken or [""]
    return "\n".join(lines)


def say_wrapped(text: str) -> None:
    """The same as `say`, broken between words where it goes to a terminal: for what is read and not copied."""
    say(wrapped(text, sys.stderr))


def print_wrapped(text: str) -> None:
    """Print a text, broken between words where it goes to a terminal."""
    click.echo(wrapped(text, sys.stdout))


def print_written(path: Path, about: str = "") -> None:
    """Print that a file was written."""
    click.echo(plain(f"{path}: written{about}"))


def leave_stdout() -> None:
    """Write nothing more to stdout, also not at the interpreter's exit: nobody takes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_json(value: Any) -> None:
    """Print one result as one line of JSON; what a terminal would obey is escaped."""
    text = json.dumps(value, ensure_ascii=False)
    click.echo("".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """Print rows under headings; off a terminal the lines are as long as they need to be.

    The title is a line of its own, which the width of the columns does not cut.
    """
    import io

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    parts = [table] if title is None else [Text(title, style="italic"), table]
    if sys.stdout.isatty():
        for part in parts:
            Console().print(part)
        return
    # One row a line, however long, and nothing behind it: for grep, cut and files.
    console = Console(file=io.StringIO(), width=1000)
    for part in parts:
        console.print(part)
    click.echo("\n".join(line.rstrip() for line in console.file.getvalue().splitlines()))  # type: ignore[attr-defined]
