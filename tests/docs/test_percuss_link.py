"""The reference of percuss-link, its profile and its bytes say the same."""

import binascii
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from firmware_profiles.codec import Codec
from firmware_profiles.commands import BadFrame, Command, QueryVersion, SetLevel, SetTimer, Stop
from firmware_profiles.errors import ValueRefusedError
from firmware_profiles.firmware import FirmwareCodec, Received
from firmware_profiles.library import find_profile
from firmware_profiles.links import Link
from firmware_profiles.plain_values import report_name, report_values
from firmware_profiles.units import Level

PAGE = (Path(__file__).parents[2] / "docs/reference/percuss-link.md").read_text(encoding="utf-8")
PROFILE = find_profile("percuss-link")
LINKS: tuple[Link, ...] = ("ble", "serial")
STOP_BYTE = b"!"


def rows(header: str) -> list[list[str]]:
    """The rows of the table with this header, cells without their backticks."""
    table = PAGE.partition(f"{header}\n")[2].partition("\n\n")[0]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in table.splitlines()[1:]]


def values_of(text: str) -> dict[str, Any]:
    """The values of one row, as the codec names them."""
    values = tomllib.loads(f"values = {{ {text} }}")["values"] if text else {}
    if "levels" in values:
        values["levels"] = dict(zip(PROFILE.channels, values["levels"], strict=True))
    return values


COMMANDS = [
    (name, values_of(values), bytes.fromhex(frame)) for name, values, frame in rows("| command | values | frame |")
]
REPORTS = [
    (name, values_of(values), bytes.fromhex(frame)) for name, values, frame in rows("| report | values | frame |")
]
REFUSED = [
    (bytes.fromhex(frame), None if answer == "none" else bytes.fromhex(answer))
    for frame, _, answer in rows("| frame | why | answer |")
]


def frame_id(case: object) -> str:
    return case.hex(" ") if isinstance(case, bytes) else ""


def encoded_reports(name: str, values: Mapping[str, Any]) -> set[bytes]:
    """What the device's side makes of these values, in every frame of the report that carries all of them."""
    flat = {key: value for key, value in values.items() if key != "levels"}
    flat |= {f"level.{channel}": level for channel, level in values.get("levels", {}).items()}
    flat = {"running": False, "stalled": False, "hot": False, "latched": False} | flat if name == "status" else flat
    made = set()
    for number, text in enumerate(PROFILE.reports[name].frames):
        optional = {"battery_pct", "temperature_c", "force_n"}
        if {field for field in optional if f"{{{field}:" in text} == optional & set(flat):
            data = FirmwareCodec(PROFILE).encode(name, flat, number)
            assert data is not None
            made.add(data)
    return made


def test_the_page_has_an_example_of_every_command_and_report() -> None:
    assert {name for name, _, _ in COMMANDS} == set(PROFILE.commands.given())
    assert {name for name, _, _ in REPORTS} == set(PROFILE.reports)
    assert {values["result"] for name, values, _ in REPORTS if name == "result"} == set(PROFILE.lookups["results"])
    assert {answer is None for _, answer in REFUSED} == {True, False}


@pytest.mark.parametrize(("name", "values", "frame"), COMMANDS, ids=frame_id)
@pytest.mark.parametrize("over", LINKS)
def test_every_command_of_the_page_is_made_and_understood(
    over: Link, name: str, values: dict[str, Any], frame: bytes
) -> None:
    made = [write.data for write in Codec(PROFILE, over).raw_writes(name, values)]
    assert frame in made if name == "stop" else made == [frame]
    channel = values.get("channel")
    levels = {channel: values["level"]} if channel else {}
    heard = FirmwareCodec(PROFILE, over).feed(frame)
    assert [(type(h), getattr(h, "command", "")) for h in heard] == [(Received, name)]
    assert isinstance(heard[0], Received)
    assert (heard[0].channel, heard[0].levels) == (channel, levels)
    assert heard[0].values.get("timer_s") == values.get("timer_s")


@pytest.mark.parametrize(("name", "values", "frame"), REPORTS, ids=frame_id)
@pytest.mark.parametrize("over", LINKS)
def test_every_report_of_the_page_is_read_and_made(over: Link, name: str, values: dict[str, Any], frame: bytes) -> None:
    reports = Codec(PROFILE, over).feed(frame)
    assert [report_name(report) for report in reports] == [name]
    said = report_values(reports[0])
    blank = {"stalled": False, "hot": False, "latched": False} if name == "status" else {}
    assert said == blank | values
    assert encoded_reports(name, values) == {frame}


def command_of(heard: Received) -> Command:
    if heard.command == "set_timer":
        return SetTimer(int(heard.values["timer_s"]))
    ((channel, level),) = heard.levels.items()
    return SetLevel(channel, level)


def test_a_session_of_commands_makes_the_frames_of_the_page() -> None:
    codec = Codec(PROFILE)
    sent = [
        write.data.hex(" ").upper()
        for command in (QueryVersion(), SetTimer(600), SetLevel("motor1", Level(50)), SetLevel("motor2", Level(33)))
        for write in codec.encode(command)
    ]
    assert all(f"`{frame}`" in PAGE for frame in sent)
    assert [write.data for write in codec.encode(Stop())] == [bytes.fromhex("50 4C 01 03 00 56 FF"), STOP_BYTE]


def test_every_frame_of_the_page_has_the_checksum_of_another_implementation() -> None:
    assert binascii.crc_hqx(b"123456789", 0) == 0x31C3, "the check value that the page names"
    frames = [frame for _, _, frame in (*COMMANDS, *REPORTS) if frame != STOP_BYTE]
    frames += [data for pair in REFUSED for data in pair if data is not None]
    wrong = [frame for frame in frames if binascii.crc_hqx(frame, 0) != 0]
    assert [frame.hex(" ").upper() for frame in wrong] == ["50 4C 01 03 00 56 FE"], "the one that is meant to be wrong"


def test_the_worked_checksum_is_right_after_every_byte() -> None:
    header = re.search(r"^\| after the byte \|(.*)\|$", PAGE, re.MULTILINE)
    working = re.search(r"^\| the checksum is \|(.*)\|$", PAGE, re.MULTILINE)
    assert header is not None
    assert working is not None
    given = bytes.fromhex(header.group(1).replace("|", " "))
    for number, checksum in enumerate(working.group(1).split("|"), start=1):
        assert binascii.crc_hqx(given[:number], 0) == int(checksum, 16)


@pytest.mark.parametrize(("frame", "answer"), REFUSED, ids=frame_id)
def test_what_a_device_refuses_is_nothing_that_percuss_sends(frame: bytes, answer: bytes | None) -> None:
    for heard in FirmwareCodec(PROFILE, "ble").feed(frame):
        # What only its value makes wrong has the shape of a command; percuss's own limits never let it out.
        if isinstance(heard, Received):
            assert answer is not None
            with pytest.raises(ValueRefusedError):
                Codec(PROFILE).encode(command_of(heard))
    if answer is not None:
        report = Codec(PROFILE).decode(answer)
        assert report_values(report)["answers"] == frame[3]
        assert report_values(report)["result"] != "done"


def test_commands_survive_a_line_that_gives_them_byte_by_byte() -> None:
    firmware = FirmwareCodec(PROFILE, "serial")
    line = b"".join(frame for _, _, frame in COMMANDS)
    heard = [received for byte in line for received in firmware.feed(bytes([byte]))]
    assert [received.command for received in heard if isinstance(received, Received)] == [n for n, _, _ in COMMANDS]
    assert not [received for received in heard if isinstance(received, BadFrame)]


def test_the_stop_byte_inside_a_frame_is_no_stop() -> None:
    frame = next(frame for name, values, frame in COMMANDS if name == "set_level" and STOP_BYTE in frame)
    heard = FirmwareCodec(PROFILE, "serial").feed(frame)
    assert [received.command for received in heard if isinstance(received, Received)] == ["set_level"]


def test_the_longest_frame_fits_the_smallest_bluetooth_link() -> None:
    attribute_bytes = 23 - 3
    assert max(len(frame) for _, _, frame in (*COMMANDS, *REPORTS)) <= attribute_bytes


def test_the_lease_outlives_two_lost_levels_and_ends_within_the_page_s_two_seconds() -> None:
    set_level = next(frame for name, _, frame in COMMANDS if name == "set_level")
    lease_s = int.from_bytes(set_level[7:9], "big") / 1000
    assert lease_s == PROFILE.simulator.lease_s
    assert PROFILE.level is not None
    assert PROFILE.level.resend_s is not None
    assert 2 * PROFILE.level.resend_s < lease_s <= 2.0
