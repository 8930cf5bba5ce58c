import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_profiles.captures import Passed, read_capture
from tests.helpers.motor import paired_gun
from tests.helpers.processes import HANG_S, RunningSimulator, percuss, started


@pytest.fixture
def gun(tmp_path: Path) -> Iterator[RunningSimulator]:
    with paired_gun(tmp_path, "--ble", speed=1) as device:
        yield device


def test_ctrl_c_ends_the_listening_and_nothing_was_driven(gun: RunningSimulator, tmp_path: Path) -> None:
    before = len(gun.recorded("rx"))
    capture = tmp_path / "capture.jsonl"
    with started("sniff", "gun", "--capture", str(capture)) as sniffing:
        assert sniffing.stdout is not None
        lines = [json.loads(sniffing.stdout.readline()) for _ in range(6)]
        sniffing.send_signal(signal.SIGINT)
        _, talk = sniffing.communicate(timeout=HANG_S)
        assert sniffing.returncode == 0
    # The two questions that the protocol notes know; whatever else was there would have been written to it.
    assert {line["hex"] for line in gun.recorded("rx")[before:]} == {"AA 20 20 00", "AA 10 10 00"}
    assert {word for line in lines for said in line["said"] for word in said} >= {"command", "report"}
    assert "fit the profile theragun-gen4." in talk
    written = [one.data for one in read_capture(capture) if isinstance(one, Passed)]
    assert [bytes.fromhex(line["hex"]) for line in lines] == written[:6]


def test_stop_in_another_terminal_gets_the_device(gun: RunningSimulator) -> None:
    with started("sniff", "gun") as sniffing:
        assert sniffing.stdout is not None
        sniffing.stdout.readline()
        assert percuss("stop", "gun").returncode == 0
        sniffing.communicate(timeout=HANG_S)
        assert sniffing.returncode == 0


def test_a_reader_that_has_enough_ends_it(gun: RunningSimulator) -> None:
    with started("sniff", "gun") as sniffing:
        assert sniffing.stdout is not None
        sniffing.stdout.readline()
        sniffing.stdout.close()
        assert sniffing.wait(HANG_S) == 0


def test_a_device_that_is_not_paired_is_not_found() -> None:
    done = percuss("sniff", "gun")
    assert done.returncode == 5
    assert "is not paired" in done.stderr


def test_a_capture_that_cannot_be_written_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    done = percuss("sniff", "gun", "--capture", str(tmp_path / "none" / "x.jsonl"))
    assert done.returncode == 8
    assert "cannot be written" in done.stderr


def test_probe_shows_what_a_device_shows(gun: RunningSimulator) -> None:
    done = percuss("probe", gun.url, "--timeout", "5")
    assert done.returncode == 0, done.stderr
    assert "serial: SIM-0001" in done.stdout
    assert "theragun-gen4: sure (score 55)" in done.stdout
    as_json = json.loads(percuss("probe", gun.url, "--timeout", "5", "--json").stdout)
    assert as_json["candidates"][0]["profile"] == "theragun-gen4"
    assert {service["uuid"][4:8] for service in as_json["services"]} >= {"ffe0", "180a"}
