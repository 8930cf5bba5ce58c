import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.controller.cli.conftest import Result
from tests.helpers.hci_log import log, notification, passed, write_request

Percuss = Callable[..., Result]

# The worked examples of the public protocol notes: 1750 rpm, and a status that says so.
SET_1750 = bytes.fromhex("AA E3 01 03 06 D6 03")
STATUS_1750 = bytes.fromhex("BB ED 10 00 01 00 00 00 00 00 00 00 00 06 D6")


@pytest.fixture
def hci_log(tmp_path: Path) -> Path:
    """What a phone wrote to a gun, and to something else."""
    path = tmp_path / "phone.btsnoop"
    records = [
        passed(True, write_request(0x10, SET_1750), at_s=1),
        passed(True, write_request(0x33, b"headphones"), at_s=1.5),
        passed(False, notification(0x12, STATUS_1750), at_s=2, pieces=2),
    ]
    path.write_bytes(log(records))
    return path


def test_every_frame_of_an_hci_log_is_told(percuss: Percuss, hci_log: Path) -> None:
    result = percuss("profiles", "decode", "--capture", str(hci_log), "theragun-gen4")
    first, second, third = result.out.splitlines()
    assert first.split() == ["0.000", "s", "tx", "0x0010", *SET_1750.hex(" ").upper().split(), "set_level", "head=1750"]
    assert "?? fits no frame" in second
    assert third.endswith("status running=true level=1750")
    assert "2 of 3 frames (67%) fit the profile theragun-gen4." in result.err
    assert result.code == 0


def test_other_handles_can_be_left_out(percuss: Percuss, hci_log: Path) -> None:
    arguments = ("--handle", "0x10", "--handle", "18", "--json")
    result = percuss("profiles", "decode", "--capture", str(hci_log), "theragun-gen4", *arguments)
    lines = [json.loads(line) for line in result.out.splitlines()]
    assert [(line["dir"], line["handle"], line["t_s"]) for line in lines] == [("tx", 16, 0.0), ("rx", 18, 1.0)]
    assert lines[0]["said"] == [{"command": "set_level", "channel": "head", "levels": {"head": 1750}}]
    assert "2 of 2 frames (100%)" in result.err


def test_without_a_profile_each_says_how_much_it_explains(percuss: Percuss, hci_log: Path) -> None:
    rows = json.loads(percuss("profiles", "decode", "--capture", str(hci_log), "--json").out)["profiles"]
    assert (rows[0]["profile"], rows[0]["understood"], rows[0]["frames"]) == ("theragun-gen4", 2, 3)
    assert [row["share"] for row in rows] == sorted((row["share"] for row in rows), reverse=True)
    shown = percuss("profiles", "decode", "--capture", str(hci_log))
    assert re.search(r"theragun-gen4 +67% +2 of 3", shown.out)


def test_frames_written_by_hand_are_enough(percuss: Percuss, tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text('{"dir": "tx", "hex": "4D343132380D"}\n{"dir": "tx", "hex": "FF"}\n')
    result = percuss("profiles", "decode", "--capture", str(path), "nlr-hf8")
    assert result.out.splitlines()[0].startswith("tx  4D 34 31 32 38 0D  set_level right_back=128")
    assert "?? fits no frame: FF" in result.out


def test_a_damaged_log_is_read_as_far_as_it_goes_and_then_told(percuss: Percuss, hci_log: Path) -> None:
    hci_log.write_bytes(hci_log.read_bytes()[:-1])
    result = percuss("profiles", "decode", "--capture", str(hci_log), "theragun-gen4")
    assert result.code == 8
    assert len(result.out.splitlines()) == 2
    assert "1 of 2 frames" in result.err
    assert f"{hci_log}: byte " in result.err
    assert "Traceback" not in result.err
    compared = percuss("profiles", "decode", "--capture", str(hci_log))
    assert compared.code == 8
    assert "theragun-gen4" in compared.out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "--capture FILE"),
        (("theragun-gen4",), 2, "--capture FILE"),
        (("theragun-gen4", "00", "--capture", "x"), 2, "either"),
        (("--capture", "x", "--handle", "left"), 2, "no handle"),
        (("--capture", "not-there"), 8, "cannot be read"),
        (("--capture", "not-there", "theragun"), 5, "Did you mean"),
    ],
)
def test_what_makes_no_sense_is_told(percuss: Percuss, arguments: tuple[str, ...], code: int, says: str) -> None:
    result = percuss("profiles", "decode", *arguments)
    assert (result.code, says in result.err) == (code, True), result.err
