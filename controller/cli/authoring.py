"""``profiles new``: the beginning of a profile, from flags or from answers."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from controller.cli.output import print_written, say

if TYPE_CHECKING:
    from firmware_profiles.authoring import Draft, Example

Answer = TypeVar("Answer")
Named = tuple[str, tuple[str, ...]]
"""A command or a report, and its frames."""

EXAMPLE_HELP = "Bytes that the source gives, such as 'set_level level=50: 32' or 'stop: 00'. Again for each."


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--id", "profile_id", metavar="ID", help="Lower-case letters, digits and dashes.")
@click.option("--name", help="What people call the device.")
@click.option("--source", "source_url", metavar="URL", help="Where what you know of its bytes comes from.")
@click.option("--says", help="What the source says, in a sentence.")
@click.option("--ble-service", metavar="UUID", help="Bluetooth: the service, FFE0 or the long form.")
@click.option("--ble-write", metavar="UUID", help="Bluetooth: the characteristic that is written to.")
@click.option("--ble-notify", metavar="UUID", help="Bluetooth: the one that is listened to, if there is one.")
@click.option("--baud", type=click.IntRange(50, 4_000_000), help="Serial line: bits per second.")
@click.option("--match-name", metavar="NAME", help="The name that it advertises.")
@click.option("--match-usb", metavar="VID:PID", help="Its USB bridge, such as 1A86:7523.")
@click.option("--level-unit", type=click.Choice(["level", "ppm"]), default="level", show_default=True)
@click.option("--level-lowest", type=click.IntRange(1), default=1, show_default=True, help="The lowest that runs.")
@click.option("--level-full", type=click.IntRange(1), help="The marketed maximum, which 100 % means.")
@click.option("--channel", "channels", multiple=True, metavar="NAME[=NUMBER]", help="A motor.  [default: head=0]")
@click.option("--set-level", metavar="FRAME", help="The frame that sets a level, such as 'AA {level:u8} {sum8@0..}'.")
@click.option("--stop", multiple=True, metavar="FRAME", help="The frame that stops everything. Again for each.")
@click.option("--query-status", metavar="FRAME", help="The frame that asks what it is doing.")
@click.option("--status", metavar="FRAME", help="Its answer, such as 'BB {running:bool} {level:u8}'.")
@click.option("--example", "examples", multiple=True, metavar="'NAME [KEY=VALUE]…: HEX'", help=EXAMPLE_HELP)
@click.option("--example-source", metavar="TEXT", help="Where the bytes of the examples are from.  [default: --source]")
@click.option("--dead-man", default="host only: no auto-off is known", show_default=True)
def new(file: Path | None, **answers: Any) -> None:
    """Write the beginning of a profile, to FILE or to your own folder.

    What is not given is asked for. The example bytes have to come from a source, not from percuss: they prove that the
    frames are right, and nothing is written when the two disagree. A file that is there already is never changed.
    """
    from firmware_profiles.authoring import write_draft
    from firmware_profiles.folders import config_folder

    draft = _draft(_Asking(answers))
    path = file or config_folder() / "profiles" / f"{draft.id}.toml"
    profile = write_draft(draft, path)
    print_written(path, f" ({profile.id}, {len(profile.vectors)} vectors)")
    say(f"Look it over, then: percuss profiles check {path}")


class _Asking:
    """Answers from flags, and from the person where a terminal is there to ask."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given
        self._can_ask = sys.stdin.isatty()

    def given(self, key: str) -> Any:
        """What a flag said; None or nothing when it was not there."""
        return self._given[key]

    def needed(self, key: str, flag: str, question: str, check: Callable[[str], Answer]) -> Answer:
        """A flag's value or an answer, checked; a bad answer is asked for again. Raises UsageError without either."""
        if (value := self._given[key]) not in {None, ()}:
            return self._checked(str(value), flag, check)
        if not self._can_ask:
            raise click.UsageError(f"{flag} is missing, and there is no terminal to ask on.")
        return self._ask(question, check)

    def wanted(self, key: str, question: str, check: Callable[[str], Answer]) -> Answer | None:
        """The same for what may be left out: with an empty answer, or with any other answer given by flags."""
        if (value := self._given[key]) is not None:
            return self._checked(str(value), f"--{key.replace('_', '-')}", check)
        return self._ask(question, lambda text: check(text) if text else None, default="") if self.is_asking else None

    @property
    def is_asking(self) -> bool:
        """Whether questions are asked for what could be left out: not of somebody who gave flags."""
        return self._can_ask and self._given["set_level"] is None

    def _checked(self, text: str, flag: str, check: Callable[[str], Answer]) -> Answer:
        try:
            return check(text)
        except ValueError as problem:
            raise click.BadParameter(str(problem), param_hint=flag) from problem

    def _ask(self, question: str, check: Callable[[str], Answer], default: str | None = None) -> Answer:
        while True:
            text = str(click.prompt(question, err=True, default=default, show_default=False)).strip()
            try:
                return check(text)
            except ValueError as problem:
                say(str(problem))


def _draft(asking: _Asking) -> Draft:
    from firmware_profiles.authoring import Draft

    profile_id = asking.needed("profile_id", "--id", "Its id, such as acme-one (letters, digits, dashes)", _id)
    name = asking.needed("name", "--name", "What people call it", _text)
    url = asking.needed("source_url", "--source", "Where what you know of its bytes is from (a URL)", _text)
    says = asking.wanted("says", "What that source says, in a sentence (may be empty)", _text) or ""
    ble, baud = _link(asking)
    full = asking.needed("level_full", "--level-full", "The level that is its marketed maximum", _positive)
    lowest = int(asking.given("level_lowest"))
    say_frames = "AA is a byte, {level:u8} the level, {sum8@0..} a checksum; see docs/reference/profile-format.md"
    set_level = asking.needed("set_level", "--set-level", f"The frame that sets the level ({say_frames})", _frame)
    stops = asking.given("stop") or (asking.needed("stop", "--stop", "The frame that stops it", _frame),)
    commands: list[Named] = [("set_level", (set_level,)), ("stop", tuple(_frame(text) for text in stops))]
    reports: list[Named] = []
    if (query := asking.wanted("query_status", "The frame that asks for its status (empty: none)", _frame)) is not None:
        commands.append(("query_status", (query,)))
        status = asking.needed("status", "--status", "The frame of its answer, with {running:bool} or a level", _frame)
        reports.append(("status", (status,)))
    elif (pushed := asking.given("status")) is not None:
        reports.append(("status", (_frame(pushed),)))
    return Draft(
        id=profile_id,
        name=name,
        sources=((url, says),),
        ble=ble,
        baud=baud,
        match_name=asking.wanted("match_name", "The name that it advertises (may be empty)", _text),
        match_usb=asking.given("match_usb"),
        level_unit=asking.given("level_unit"),
        level_lowest=lowest,
        level_full=full,
        channels=tuple(_channel(text, n) for n, text in enumerate(asking.given("channels"))) or (("head", 0),),
        commands=tuple(commands),
        reports=tuple(reports),
        examples=_examples(asking, commands, reports, lowest, full),
        example_source=asking.wanted("example_source", f"Where these bytes are from (empty: {url})", _text) or url,
        dead_man=asking.given("dead_man"),
    )


def _link(asking: _Asking) -> tuple[tuple[str, str, str | None] | None, int | None]:
    """Bluetooth, a serial line, or both, as the flags say; else as the person says."""
    baud = asking.given("baud")
    if baud is not None and asking.given("ble_service") is None:
        return None, int(baud)
    question = "Its Bluetooth service (percuss probe shows it; empty for a serial device)"
    service = asking.wanted("ble_service", question, _uuid)
    if service is None:
        return None, asking.needed("baud", "--ble-service or --baud", "Bits per second of its serial line", _positive)
    write = asking.needed("ble_write", "--ble-write", "The characteristic that is written to", _uuid)
    return (service, write, asking.wanted("ble_notify", "The one that notifies (empty: none)", _uuid)), baud


def _examples(
    asking: _Asking,
    commands: Sequence[Named],
    reports: Sequence[Named],
    lowest: int,
    full: int,
) -> tuple[Example, ...]:
    """The example bytes, from the flags; else each is asked for."""
    from firmware_profiles.authoring import levels_to_show, parse_example

    if given := asking.given("examples"):
        try:
            return tuple(parse_example(text) for text in given)
        except ValueError as problem:
            raise click.BadParameter(str(problem), param_hint="--example") from problem
    channels = asking.given("channels")
    channel = f" channel={_channel(channels[0], 0)[0]}" if len(channels) > 1 else ""
    wanted = [f"set_level{channel} level={level}" for level in levels_to_show(lowest, full)]
    wanted += [name for name, _ in commands[1:]]
    say("Now the bytes that your source gives, or that a capture shows; percuss does not make them up.")
    examples = [
        asking.needed("examples", "--example", f"The bytes of {what}", partial(_example, what)) for what in wanted
    ]
    for name, _ in reports:
        says = asking.needed("examples", "--example", f"What an example of {name} says, such as level=5", _text)
        examples.append(asking.needed("examples", "--example", "And its bytes", partial(_example, f"{name} {says}")))
    return tuple(examples)


def _example(what: str, frames: str) -> Example:
    from firmware_profiles.authoring import parse_example

    return parse_example(f"{what}: {frames}")


def _id(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text) or len(text) > 60:
        raise ValueError(f"{text!r} is no id: lower-case letters, digits and dashes, such as acme-one.")
    return text


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("Something has to stand here.")
    return text.strip()


def _uuid(text: str) -> str:
    from firmware_profiles.links import full_uuid

    full_uuid(text)
    return text


def _positive(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,7}", text) or int(text) == 0:
        raise ValueError(f"{text!r} is no whole number above 0.")
    return int(text)


def _frame(text: str) -> str:
    from firmware_profiles.frames import is_for_each_channel

    is_for_each_channel(text, {})
    return text


def _channel(text: str, position: int) -> tuple[str, int]:
    name, equals, number = text.partition("=")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name) or (equals and not number.isdigit()):
        raise click.BadParameter(f"{text!r} is no motor such as head or left=1.", param_hint="--channel")
    return name, int(number) if equals else position
