from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_profiles.captures import MAX_LINE, CaptureError, Opened, Passed, read_capture
from tests.helpers.hci_log import log, notification, passed, write_command


def file_of(folder: Path, content: str | bytes) -> Path:
    path = folder / "capture"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read_until_broken(path: Path) -> tuple[list[Opened | Passed], CaptureError | None]:
    found = []
    try:
        for one in read_capture(path):
            found.append(one)
    except CaptureError as problem:
        return found, problem
    return found, None


def test_a_capture_of_percuss_is_read(tmp_path: Path) -> None:
    lines = [
        {"schema": 1, "link": "7-1", "profile": "theragun-gen4", "over": "ble"},
        {"t_s": 0.5, "dir": "tx", "hex": "AA 10 10 00", "with_response": True, "link": "7-1"},
        {"t_s": 0.75, "dir": "rx", "hex": "BB 00", "link": "7-1"},
        {"t_s": 1.0, "dir": "tx", "left_out_bytes": 12, "with_response": False, "link": "7-1"},
    ]
    path = file_of(tmp_path, "\n".join(json.dumps(line) for line in lines) + "\n")
    assert list(read_capture(path)) == [
        Opened("7-1", "theragun-gen4", "ble"),
        Passed("tx", bytes.fromhex("AA101000"), "7-1", 0.5, True),
        Passed("rx", bytes.fromhex("BB00"), "7-1", 0.75),
        Passed("tx", b"", "7-1", 1.0, False, left_out=12),
    ]


def test_direction_and_bytes_are_enough(tmp_path: Path) -> None:
    path = file_of(tmp_path, '{"dir":"tx","hex":"aa01"}\n\n{"dir": "rx", "hex": "BB 02", "note": "from an app"}')
    assert list(read_capture(path)) == [Passed("tx", b"\xaa\x01"), Passed("rx", b"\xbb\x02")]


def test_an_hci_log_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    raw = log([passed(True, write_command(0x12, b"on")), passed(False, notification(0x15, b"is on"), at_s=2)])
    assert list(read_capture(file_of(tmp_path, raw))) == [
        Passed("tx", b"on", "0040", 0.0, False, 0x12),
        Passed("rx", b"is on", "0040", 2.0, False, 0x15),
    ]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("hello", "is no line of JSON"),
        ("[1]", "no object"),
        ("[" * 5000, "is no line of JSON"),
        ('{"dir": "up", "hex": "00"}', "dir is 'up'"),
        ('{"hex": "00"}', "dir is None"),
        ('{"dir": "tx"}', "hex is None"),
        ('{"dir": "tx", "hex": 5}', "hex is 5"),
        ('{"dir": "tx", "hex": "0"}', "not bytes such as"),
        ('{"dir": "tx", "hex": "00", "t_s": "now"}', "t_s is 'now'"),
        ('{"dir": "tx", "hex": "00", "t_s": NaN}', "t_s is nan"),
        ('{"dir": "tx", "hex": "00", "with_response": 1}', "with_response"),
        ('{"dir": "tx", "left_out_bytes": -1}', "left_out_bytes"),
        ('{"dir": "tx", "hex": "00", "link": []}', "link is []"),
        ('{"schema": 2, "profile": "x"}', "schema 2"),
        ('{"schema": 1, "over": "smoke"}', "over is 'smoke'"),
        ('{"dir": "tx", "hex": "00", "t_s": ' + "9" * 400 + "}", "t_s is"),
    ],
)
def test_a_line_that_makes_no_sense_is_told_with_its_number(tmp_path: Path, line: str, what: str) -> None:
    path = file_of(tmp_path, '{"dir": "tx", "hex": "01"}\n' + line + "\n")
    found, problem = read_until_broken(path)
    assert found == [Passed("tx", b"\x01")]
    assert problem is not None
    assert what in problem.what
    assert problem.line == 2
    assert str(problem).startswith(f"{path}:2: ")


def test_a_last_line_that_is_cut_off_is_said_to_be_that(tmp_path: Path) -> None:
    # A machine that lost its power leaves half a line.
    found, problem = read_until_broken(file_of(tmp_path, '{"dir": "tx", "hex": "01"}\n{"dir": "t'))
    assert found == [Passed("tx", b"\x01")]
    assert problem is not None
    assert "cut off" in problem.what


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    _, problem = read_until_broken(file_of(tmp_path, b"a" * (MAX_LINE + 1)))
    assert problem is not None
    assert "longer than" in problem.what


def test_a_damaged_hci_log_is_told_with_file_and_byte(tmp_path: Path) -> None:
    path = file_of(tmp_path, log([passed(True, write_command(9, b"on"))])[:-1])
    _, problem = read_until_broken(path)
    assert problem is not None
    assert str(problem).startswith(f"{path}: byte 16: ")


def test_a_file_that_is_not_there_or_is_a_folder_is_said(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        _, problem = read_until_broken(path)
        assert problem is not None
        assert "cannot be read" in problem.what


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_no_file_is_a_traceback(tmp_path: Path, content: bytes) -> None:
    read_until_broken(file_of(tmp_path, content))
    read_until_broken(file_of(tmp_path, b"btsnoop\0" + content))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(["schema", "dir", "hex", "t_s", "link", "over", "profile", "with_response", "left_out_bytes"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(KEYS, JSON | st.sampled_from(["tx", "rx", "00", "ble", 1]), max_size=9))
def test_no_line_is_a_traceback(tmp_path: Path, entry: dict[str, object]) -> None:
    found, problem = read_until_broken(file_of(tmp_path, json.dumps(entry) + "\n"))
    assert len(found) == (problem is None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["tx", "rx"]), st.binary(max_size=40))))
def test_every_capture_is_read_as_it_was_written(tmp_path: Path, frames: list[tuple[str, bytes]]) -> None:
    lines = [json.dumps({"dir": direction, "hex": data.hex(" ")}) + "\n" for direction, data in frames]
    found = list(read_capture(file_of(tmp_path, "".join(lines))))
    assert [(one.direction, one.data) for one in found if isinstance(one, Passed)] == frames
