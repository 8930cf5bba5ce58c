"""``completion``: the names of devices, routines, regions and profiles, completed by bash, zsh and fish.

A shell starts percuss at every press of Tab, so names are read from files as they lie there: nothing is loaded and
checked, and what cannot be read has no names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from firmware_profiles.folders import config_folder

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

ROOT = Path(__file__).parents[2]
SHELLS = ("bash", "zsh", "fish")
NAME = re.compile(r'^name\s*=\s*"([^"\n]+)"', re.MULTILINE)
ROLES = ("massager", "timer")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what a shell needs to complete the words of percuss.

    \b
    bash:  percuss completion bash > ~/.local/share/bash-completion/completions/percuss
    zsh:   percuss completion zsh > ~/.zfunc/_percuss     (a folder of your $fpath)
    fish:  percuss completion fish > ~/.config/fish/completions/percuss.fish
    """
    found = get_completion_class(shell)
    if found is None:
        raise AssertionError(f"click completes {shell}")
    program = click.get_current_context().find_root().command
    click.echo(found(program, {}, "percuss", "_PERCUSS_COMPLETE").source())


class _Bash(BashComplete):
    """Bash takes ``timer=elite`` for three words; here it is one, and only what follows the last ``=`` is answered."""

    def get_completion_args(self) -> tuple[list[str], str]:
        words, at = split_arg_string(os.environ["COMP_WORDS"]), int(os.environ["COMP_CWORD"])
        joined: list[str] = []
        is_value = False
        for word in [*words, ""][: at + 1]:
            if joined and (is_value or word == "="):
                joined[-1] += word
            else:
                joined.append(word)
            is_value = word == "="
        return joined[1:-1], joined[-1]

    def format_completion(self, item: CompletionItem) -> str:
        return f"{item.type},{str(item.value).rpartition('=')[2]}"


add_completion_class(_Bash)


def _completer(read: Callable[[], Iterable[str]], *, also_files: bool = False, has_roles: bool = False) -> Completer:
    """Complete from what ``read`` gives; silently from nothing where it fails: a person is in the middle of a line."""

    def complete(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        if also_files and ("/" in incomplete or incomplete.startswith((".", "~"))):
            return [CompletionItem(incomplete, type="file")]
        try:
            names = sorted(set(read()))
        except Exception:  # noqa: BLE001 - whatever it is, there is nothing to complete
            return []
        if has_roles and incomplete:
            names += [f"{role}={name}" for role in ROLES for name in names]
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]

    return complete


def _devices() -> Iterable[str]:
    import json

    return dict(json.loads((config_folder() / "devices.json").read_text(encoding="utf-8"))["devices"])


def _profiles() -> Iterable[str]:
    return _stems("firmware_profiles/bundled", "profiles")


def _programmes() -> Iterable[str]:
    return _stems("routines/programmes", "programmes")


def _routines() -> Iterator[str]:
    yield from (path.stem for path in (ROOT / "routines/bundled").glob("*.toml"))
    for path in (config_folder() / "routines").glob("*.toml"):
        with path.open(encoding="utf-8", errors="replace") as file:
            said = NAME.search(file.read(4096))
        yield said.group(1) if said else path.stem


def _regions() -> Iterable[str]:
    import tomllib

    table = tomllib.loads((ROOT / "routines/regions.toml").read_text(encoding="utf-8"))
    return [region["id"] for region in table["regions"]]


def _stems(bundled: str, own: str) -> Iterable[str]:
    folders = (ROOT / bundled, config_folder() / own)
    return [path.stem for folder in folders for path in folder.glob("*.toml")]


complete_devices = _completer(_devices)
complete_parts = _completer(_devices, has_roles=True)
complete_profiles = _completer(_profiles)
complete_simulated_parts = _completer(_profiles, has_roles=True)
complete_profiles_or_files = _completer(_profiles, also_files=True)
complete_programmes = _completer(_programmes, also_files=True)
complete_regions = _completer(_regions)
complete_routines = _completer(_routines, also_files=True)
