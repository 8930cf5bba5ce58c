"""``profiles decode``: what bytes mean, given by hand or in a capture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from controller.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from firmware_profiles.captures import Opened, Passed
    from firmware_profiles.commands import Report
    from firmware_profiles.decoding import Decoder, Meaning
    from firmware_profiles.firmware import Received

HANDLE_HELP = "Only this GATT handle of an HCI log, such as 0x0012. Again for each."


@click.command()
@click.argument("profile", required=False)
@click.argument("data", nargs=-1, metavar="[HEX]...")
@click.option("--capture", type=click.Path(path_type=Path, dir_okay=False), help="A capture (JSON lines), or btsnoop.")
@click.option("--handle", "handles", multiple=True, metavar="HANDLE", help=HANDLE_HELP)
@click.option("--json", "as_json", is_flag=True, help="JSON lines on stdout.")
def decode(
    profile: str | None, data: tuple[str, ...], capture: Path | None, handles: tuple[str, ...], as_json: bool
) -> None:
    """Print what bytes mean: HEX as a report, as JSON; or every frame of a capture, both ways.

    A capture is one of percuss (`percuss sniff NAME --capture FILE`), or an HCI log of Android or BlueZ. Without
    PROFILE every known profile is tried on it, and told how much of it each explains.
    """
    if capture is None:
        if profile is None or not data:
            raise click.UsageError("give a PROFILE and HEX, or --capture FILE.")
        _decode_report(profile, data)
        return
    if data:
        raise click.UsageError("give either HEX or --capture FILE.")
    from firmware_profiles.captures import read_capture

    passed = _chosen(read_capture(capture), frozenset(_number(handle) for handle in handles))
    if profile is None:
        _compare(passed, as_json=as_json)
    else:
        _explain(passed, profile, as_json=as_json)


def _decode_report(profile: str, data: tuple[str, ...]) -> None:
    from firmware_profiles.codec import Codec
    from firmware_profiles.library import find_profile
    from firmware_profiles.plain_values import report_name, report_values

    try:
        raw = bytes.fromhex(" ".join(data))
    except ValueError:
        raise click.BadParameter(f"{' '.join(data)!r} is no hex, such as BB 10 10 00.", param_hint="HEX") from None
    report = Codec(find_profile(profile)).decode(raw)
    print_json({"report": report_name(report), **report_values(report)})


def _explain(passed: Iterator[Opened | Passed], profile_id: str, *, as_json: bool) -> None:
    """Print every frame with what it means, then how much that was."""
    from firmware_profiles.captures import Opened
    from firmware_profiles.decoding import Decoder, passed_json
    from firmware_profiles.library import find_profile

    decoder = Decoder(find_profile(profile_id))
    try:
        for one in passed:
            if isinstance(one, Opened):
                decoder.open(one)
                continue
            meaning = decoder.take(one)
            if as_json:
                print_json(passed_json(meaning))
            else:
                click.echo(_line(meaning))
    finally:
        # Also of a capture that is damaged at its end.
        say(_told(decoder))


def _compare(passed: Iterator[Opened | Passed], *, as_json: bool) -> None:
    """Let every profile try, and tell how much of the capture each explains."""
    from firmware_profiles.captures import CaptureError
    from firmware_profiles.decoding import Decoder, explain
    from firmware_profiles.library import load_profiles

    profiles, _ = load_profiles()
    decoders = [Decoder(profile) for profile in profiles.values()]
    damage: CaptureError | None = None
    try:
        explain(passed, decoders)
    except CaptureError as problem:
        damage = problem
    decoders.sort(key=lambda decoder: (-decoder.share, decoder.profile.id))
    if as_json:
        rows = [
            {"profile": one.profile.id, "understood": one.understood, "frames": one.total, "share": round(one.share, 4)}
            for one in decoders
        ]
        print_json({"profiles": rows})
    else:
        explaining = [one for one in decoders if one.understood]
        print_table(
            ("profile", "explains", "frames"),
            [(one.profile.id, f"{one.share:.0%}", f"{one.understood} of {one.total}") for one in explaining],
        )
        if explaining:
            say(f"See them with: percuss profiles decode --capture FILE {explaining[0].profile.id}")
        else:
            say("No known profile explains a single frame of it.")
    if damage is not None:
        raise damage


def _chosen(passed: Iterator[Opened | Passed], handles: frozenset[int]) -> Iterator[Opened | Passed]:
    from firmware_profiles.captures import Opened

    for one in passed:
        if not handles or isinstance(one, Opened) or one.handle in handles:
            yield one


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no handle such as 0x0012 or 18.", param_hint="--handle") from None


def _line(meaning: Meaning) -> str:
    passed = meaning.passed
    when = "" if passed.t_s is None else f"{passed.t_s:10.3f} s  "
    handle = "" if passed.handle is None else f"0x{passed.handle:04X}  "
    shown = f"({passed.left_out} bytes left out)" if passed.left_out else passed.data.hex(" ").upper()
    said = "; ".join(_words(one) for one in meaning.said)
    if not said:
        said = "holds something private" if passed.left_out else "the beginning of a frame"
    return f"{when}{passed.direction}  {handle}{shown}  {said}"


def _words(said: Received | Report) -> str:
    """A command or a report in words: ``set_level head=50``."""
    from firmware_profiles.decoding import said_json

    plain = said_json(said)
    if "unknown" in plain:
        return f"?? fits no frame: {plain['unknown']}"
    name = plain.pop("command", None) or plain.pop("report", "")
    rows = {**plain.pop("levels", {}), **plain.pop("values", {}), **plain}
    if "channel" in rows and rows["channel"] in rows:
        del rows["channel"]
    shown = {key: str(value).lower() if isinstance(value, bool) else value for key, value in rows.items()}
    return " ".join((str(name), *(f"{key}={value}" for key, value in shown.items())))


def _told(decoder: Decoder) -> str:
    return f"{decoder.understood} of {decoder.total} frames ({decoder.share:.0%}) fit the profile {decoder.profile.id}."
