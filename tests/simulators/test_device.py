"""The firmware, against bytes typed by hand from the protocols' sources, never made by our encoder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_profiles.errors import ValueRefusedError
from simulators.device import SimulatedDevice
from tests.simulators.bench import Bench

RUN_1750 = "AA E3 01 03 06 D6 03"
RUN_2400 = "AA 70 01 03 09 60 03"
SPEED_0 = "AA 07 01 03 00 00 03"
SHORT_STOP = "AA 04 01 03"
ASK_STATUS = "AA 10 10 00"
ASK_VERSION = "AA 20 20 00"
AT_REST = "BB 10 10 00 00 00 00 00 00 00 00 00 00 00 00"


@pytest.fixture
def gun() -> Bench:
    return Bench("theragun-gen4")


@pytest.fixture
def pad() -> Bench:
    return Bench("nlr-hf8")


def test_the_theragun_turns_at_the_speed_of_the_worked_example(gun: Bench) -> None:
    gun.write(RUN_1750)
    gun.wait(30)
    assert gun.device.motors["head"].actual_ppm == 1750


@pytest.mark.parametrize("stop", [SPEED_0, SHORT_STOP])
def test_speed_zero_and_the_short_frame_each_stop_the_theragun(gun: Bench, stop: str) -> None:
    gun.write(RUN_2400)
    gun.wait(30)
    gun.write(stop)
    gun.wait(30)
    assert gun.device.motors["head"].actual_ppm == 0
    assert not gun.device.is_running


def test_the_status_says_running_and_the_speed_of_the_motor(gun: Bench) -> None:
    gun.write(RUN_1750)
    gun.wait(30)
    gun.write(ASK_STATUS)
    assert gun.sent == ["BB ED 10 00 01 00 00 00 00 00 00 00 00 06 D6"]


def test_the_status_of_a_resting_theragun_says_so(gun: Bench) -> None:
    gun.write(ASK_STATUS)
    assert gun.sent == [AT_REST]


def test_the_status_says_the_real_speed_while_the_motor_is_still_slowing_down(gun: Bench) -> None:
    gun.write(RUN_1750)
    gun.wait(30)
    gun.write(SHORT_STOP)
    gun.wait(0.8)  # one time constant: 37 % of 1750 is 644 = 02 84; 10+01+02+84 = 97
    gun.write(ASK_STATUS)
    assert gun.sent == ["BB 97 10 00 01 00 00 00 00 00 00 00 00 02 84"]


def test_a_motor_that_has_not_moved_yet_is_not_called_at_rest(gun: Bench) -> None:
    gun.write(RUN_1750, ASK_STATUS)
    assert gun.sent == ["BB 11 10 00 01 00 00 00 00 00 00 00 00 00 00"]


def test_the_version_is_the_profiles(gun: Bench) -> None:
    gun.write(ASK_VERSION)
    assert gun.sent == ["BB F8 20 00 00 00 00 00 00 00 00 00 00 D8"]


def test_a_version_that_the_report_cannot_carry_is_refused_at_once(gun: Bench) -> None:
    with pytest.raises(ValueRefusedError, match="not a version"):
        SimulatedDevice(gun.profile, clock=gun.clock, firmware="new")


def test_a_wrong_checksum_is_recorded_and_changes_nothing(gun: Bench) -> None:
    gun.write(RUN_1750)
    gun.write("AA 71 01 03 09 60 03")
    gun.wait(30)
    assert gun.device.motors["head"].actual_ppm == 1750
    assert [entry["hex"] for entry in gun.kinds("bad")] == ["AA 71 01 03 09 60 03"]


def test_the_theragun_takes_what_its_protocol_takes_and_no_more(gun: Bench) -> None:
    gun.write("AA 15 01 03 0E 00 03")  # 3584 = 0E 00
    gun.wait(20)
    assert gun.device.motors["head"].actual_ppm == 3584
    gun.write("AA 16 01 03 0E 01 03")  # 3585
    gun.wait(20)
    assert gun.device.motors["head"].actual_ppm == 3584
    assert len(gun.kinds("bad")) == 1


def test_losing_the_link_leaves_the_motor_running(gun: Bench) -> None:
    gun.write(RUN_1750)
    gun.device.record_link(is_connected=False, count=0)
    gun.wait(600)
    assert gun.device.motors["head"].actual_ppm == 1750


def test_the_seat_pad_takes_ascii(pad: Bench) -> None:
    pad.device.receive(b"M4128\rM7255\r")
    pad.wait(10)
    speeds = {name: round(motor.actual_ppm) for name, motor in pad.device.motors.items() if motor.turns}
    # It knows only levels; 255 counts as 2400 ppm.
    assert speeds == {"right_back": round(128 * 2400 / 255), "left_shoulder": 2400}


def test_the_seat_pad_takes_a_command_in_pieces(pad: Bench) -> None:
    for piece in (b"M", b"4", b"12", b"8", b"\r"):
        pad.device.receive(piece)
    assert pad.device.state()["channels"]["right_back"]["level_asked"] == 128


def test_the_seat_pad_stops_zone_by_zone_and_says_nothing(pad: Bench) -> None:
    pad.device.receive(b"M4128\rM5255\r")
    pad.wait(10)
    pad.device.receive(b"M40\r")
    pad.wait(10)
    turning = [name for name, motor in pad.device.motors.items() if motor.turns]
    assert turning == ["left_back"]
    assert pad.sent == []


@pytest.mark.parametrize("command", [b"M8128\r", b"M4256\r"])
def test_a_zone_or_a_level_that_the_pad_does_not_have_is_ignored(pad: Bench, command: bytes) -> None:
    pad.device.receive(command)
    assert not pad.device.is_running
    assert len(pad.kinds("bad")) == 1


def test_garbage_does_not_swallow_the_command_behind_it(pad: Bench) -> None:
    pad.device.receive(b"\x00MM4x\r\xffM4128\r")
    assert pad.device.state()["channels"]["right_back"]["level_asked"] == 128
    assert pad.kinds("bad")


def test_the_relay_switches_one_by_one_and_keeps_what_it_was_told() -> None:
    board = Bench("lcus-relay")
    board.write("A0 01 01 A2", "A0 02 01 A3", "A0 01 00 A1")
    board.wait(3600)
    levels = {name: channel["level_asked"] for name, channel in board.device.state()["channels"].items()}
    assert levels == {"relay1": 0, "relay2": 1} | {f"relay{n}": 0 for n in range(3, 9)}


def test_the_built_in_timer_switches_off_after_its_time_from_the_start() -> None:
    gun = Bench("theragun-gen4", auto_off_s=600.0)
    gun.write(RUN_1750)
    gun.wait(400)
    gun.write(RUN_2400)
    gun.wait(199)
    assert gun.device.motors["head"].actual_ppm == 2400
    gun.wait(20)
    assert not gun.device.is_running
    assert [entry["fault"] for entry in gun.kinds("fault")] == ["auto_off"]


def test_an_empty_battery_stops_the_motor_and_keeps_it_stopped() -> None:
    gun = Bench("theragun-gen4", battery_life_s=100.0)
    gun.write(RUN_2400)
    gun.wait(120)
    assert not gun.device.is_running
    assert gun.device.state()["battery_pct"] == 0
    gun.write(RUN_2400)
    gun.wait(10)
    assert not gun.device.is_running


def test_one_long_step_does_what_many_short_ones_do() -> None:
    coarse, fine = Bench("theragun-gen4"), Bench("theragun-gen4")
    for bench in (coarse, fine):
        bench.write(RUN_2400)
    coarse.wait(100)
    for _ in range(1000):
        fine.wait(0.1)
    assert coarse.device.state()["temperature_c"] == fine.device.state()["temperature_c"]
    assert coarse.device.state()["battery_pct"] == fine.device.state()["battery_pct"]


def test_time_can_be_stepped_by_hand(gun: Bench) -> None:
    gun.write(RUN_1750)
    gun.device.process(30.0)
    assert gun.device.state()["t_s"] == 30
    assert gun.device.motors["head"].actual_ppm == 1750


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_no_bytes_at_all_upset_the_firmware(pieces: list[bytes]) -> None:
    for profile in ("theragun-gen4", "nlr-hf8", "lcus-relay"):
        bench = Bench(profile)
        for piece in pieces:
            bench.device.receive(piece)
            bench.wait(1)
        assert len(bench.kinds("rx")) == len(pieces)
