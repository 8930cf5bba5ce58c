"""Devices that are busy, gone, silent or talk nonsense: one clear message, the right exit code, nothing changed."""

import json
import signal
from pathlib import Path

from tests.helpers.motor import is_at_rest
from tests.helpers.processes import HANG_S, percuss, simulator, started, wait_for_event
from tests.system.test_whole_way import events


def test_a_serial_port_that_another_session_holds_is_busy(tmp_path: Path) -> None:
    with simulator(tmp_path, "nlr-hf8", "--pty") as pad:
        assert percuss("pair", pad.url, "--profile", "nlr-hf8", "--as", "pad").returncode == 0
        with started("run", "sciatica-relief", "--on", "pad", "--json") as first:
            wait_for_event(first, "level_asked")
            second = percuss("run", "sciatica-relief", "--on", "pad")
            assert second.returncode == 5
            assert "pad: is driven by another percuss already" in second.stderr
            assert "Traceback" not in second.stderr
            first.send_signal(signal.SIGINT)
            first.communicate(timeout=HANG_S)
            assert first.returncode == 3


def test_a_device_that_dies_in_mid_session_is_loud(tmp_path: Path) -> None:
    with simulator(tmp_path, "theragun-gen4", "--ble", "--speed", "10") as gun:
        assert percuss("pair", "--timeout", "2", "--as", "gun").returncode == 0
        with started("run", "piriformis-release", "--speed", "10", "--json") as running:
            wait_for_event(running, "level_asked")
            gun.process.kill()
            output, errors = running.communicate(timeout=HANG_S)
            assert running.returncode == 9, errors
            ended = events(output)[-1]
            assert ended["outcome"] == "stop_unconfirmed"
            assert "PRESS ITS BUTTON" in ended["reason"]
            assert "COULD NOT STOP gun. PRESS ITS BUTTON NOW" in errors, "the guardian tried too, and says so"


def test_a_device_that_talks_nonsense_is_a_fault(tmp_path: Path) -> None:
    with simulator(tmp_path, "theragun-gen4", "--ble", "--speed", "10") as gun:
        assert percuss("pair", "--timeout", "2", "--as", "gun").returncode == 0
        gun.control(do="inject", fault="corrupt", reports=1000)
        result = percuss("run", "piriformis-release", "--speed", "10")
        assert result.returncode == 7
        assert "garbled bytes" in result.stderr
        assert not any(line["ppm"] for line in gun.recorded("motor"))


def test_a_device_that_turns_to_nonsense_is_stopped(tmp_path: Path) -> None:
    with simulator(tmp_path, "theragun-gen4", "--ble", "--speed", "10") as gun:
        assert percuss("pair", "--timeout", "2", "--as", "gun").returncode == 0
        with started("run", "piriformis-release", "--speed", "10", "--json") as running:
            wait_for_event(running, "level_asked")
            gun.control(do="inject", fault="corrupt", reports=24)
            output, _ = running.communicate(timeout=HANG_S)
        assert running.returncode == 7, output
        assert is_at_rest(gun)


def test_a_device_that_refuses_every_write_is_loud(tmp_path: Path) -> None:
    with simulator(tmp_path, "theragun-gen4", "--ble") as gun:
        assert percuss("pair", "--timeout", "2", "--as", "gun").returncode == 0
        with started("set", "gun", "40%", "--for", "40s", "--json") as running:
            wait_for_event(running, "level_asked")
            gun.control(do="inject", fault="refuse")
            running.send_signal(signal.SIGINT)
            assert running.wait(HANG_S) == 9
            assert not is_at_rest(gun), "nothing could stop it yet"
            gun.control(do="inject", fault="clear")
            output, errors = running.communicate(timeout=HANG_S)
            assert "percuss guardian" in errors
            assert is_at_rest(gun)
        assert events(output)[-1]["outcome"] == "stop_unconfirmed"
        assert "PRESS ITS BUTTON" in events(output)[-1]["reason"]


def test_a_gun_that_spins_down_at_its_real_speed_is_confirmed_to_have_stopped(tmp_path: Path) -> None:
    with simulator(tmp_path, "theragun-gen4", "--ble") as gun:
        assert percuss("pair", "--timeout", "2", "--as", "gun").returncode == 0
        done = percuss("set", "gun", "60%", "--for", "12s", "--json")
        assert done.returncode == 0, done.stdout
        stops = [one for one in events(done.stdout) if one["event"] == "device_stopped"]
        assert [one["proof"] for one in stops] == ["confirmed"]
        assert is_at_rest(gun)


def test_pairing_keeps_nothing_when_it_fails(tmp_path: Path, home: Path) -> None:
    with simulator(tmp_path, "theragun-gen4", "--ble") as gun:
        gun.control(do="inject", fault="silence")
        result = percuss("pair", "--timeout", "2", "--as", "gun")
        assert result.returncode == 7
        assert not (home / "devices.json").exists()


def test_a_scan_on_one_adapter_that_is_not_there_says_so() -> None:
    result = percuss("scan", "--timeout", "0.5", "--adapter", "tcp-client:127.0.0.1:1", "--json")
    told = json.loads(result.stdout)
    assert told["found"] == []
    assert "127.0.0.1:1" in told["problems"][0]


def test_a_device_that_does_not_answer_is_sent_stop_all_the_same(tmp_path: Path) -> None:
    with simulator(tmp_path, "theragun-gen4", "--ble") as gun:
        assert percuss("pair", "--timeout", "2", "--as", "gun").returncode == 0
        before = len(gun.recorded("rx"))
        gun.control(do="inject", fault="silence")
        result = percuss("stop", "gun", "--json")
        assert result.returncode == 9
        assert "Press its button" in result.stderr
        assert json.loads(result.stdout)["gun"]["proof"] == "unconfirmed"
        assert "AA 07 01 03 00 00 03" in [line["hex"] for line in gun.recorded("rx")[before:]]
