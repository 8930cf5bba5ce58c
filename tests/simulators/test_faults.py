"""What goes wrong when it is told to."""

from __future__ import annotations

from typing import Any

import pytest

from simulators.faults import FaultRefusedError, Faults, check_injection
from tests.simulators.bench import Bench
from tests.simulators.test_device import ASK_STATUS, AT_REST, RUN_1750, RUN_2400


@pytest.fixture
def gun() -> Bench:
    return Bench("theragun-gen4")


def test_the_next_reports_are_spoilt_and_no_more(gun: Bench) -> None:
    gun.inject("corrupt", reports=2)
    gun.write(ASK_STATUS, ASK_STATUS, ASK_STATUS)
    assert [report == AT_REST for report in gun.sent] == [False, False, True]
    assert all(len(report) == len(AT_REST) for report in gun.sent)


def test_the_same_seed_spoils_the_same_bits_and_another_seed_others() -> None:
    report = bytes(15)
    first, again, other = (Faults(seed, corrupt_left=20) for seed in (1, 1, 2))
    spoilt = [first.spoil(report) for _ in range(20)]
    assert spoilt == [again.spoil(report) for _ in range(20)]
    assert spoilt != [other.spoil(report) for _ in range(20)]
    assert report not in spoilt


def test_reports_come_late_and_in_order(gun: Bench) -> None:
    gun.inject("delay", by_s=2)
    gun.write(ASK_STATUS)
    gun.inject("delay", by_s=0)
    gun.write("AA 20 20 00")
    gun.wait(1.9)
    assert gun.sent == []
    gun.wait(0.2)
    assert [report[6:8] for report in gun.sent] == ["10", "20"]


def test_a_silent_device_obeys_and_answers_nothing(gun: Bench) -> None:
    gun.inject("silence")
    gun.write(RUN_1750, ASK_STATUS)
    gun.wait(30)
    assert gun.sent == []
    assert gun.device.motors["head"].actual_ppm == 1750


def test_a_refusing_device_goes_on_as_it_was(gun: Bench) -> None:
    gun.write(RUN_1750)
    gun.inject("refuse")
    assert not gun.device.receive(bytes.fromhex("AA 04 01 03"))
    gun.wait(30)
    assert gun.device.motors["head"].actual_ppm == 1750


def test_a_low_battery_runs_out_soon(gun: Bench) -> None:
    gun.inject("low_battery", charge_pct=1)
    gun.write(RUN_2400)
    gun.wait(60)
    assert gun.device.is_running
    gun.wait(20)  # 1 % of 7200 s is 72 s
    assert not gun.device.is_running


def test_a_device_without_a_battery_cannot_have_a_low_one() -> None:
    pad = Bench("nlr-hf8")
    with pytest.raises(FaultRefusedError, match="no battery"):
        pad.inject("low_battery")
    assert pad.kinds("fault") == []


def test_an_overheated_device_stops_and_refuses_until_it_is_well_again(gun: Bench) -> None:
    gun.write(RUN_2400)
    gun.wait(10)
    gun.inject("overheat")
    gun.wait(10)
    gun.write(RUN_2400)
    gun.wait(10)
    assert gun.device.motors["head"].actual_ppm == 0
    assert "thermal" in gun.kinds("bad")[0]["reason"]
    gun.inject("clear")
    gun.write(RUN_2400)
    gun.wait(10)
    assert gun.device.motors["head"].actual_ppm == 2400


def test_a_stalled_head_is_reported_as_running_at_speed_zero(gun: Bench) -> None:
    gun.write(RUN_1750)
    gun.inject("stall")
    gun.wait(1)
    gun.write(ASK_STATUS)
    assert gun.sent == ["BB 11 10 00 01 00 00 00 00 00 00 00 00 00 00"]
    assert gun.device.state()["stalled"]


def test_one_channel_can_stall_alone() -> None:
    pad = Bench("nlr-hf8")
    pad.device.receive(b"M4255\rM5255\r")
    pad.inject("stall", channel="left_back")
    pad.wait(10)
    assert pad.device.motors["left_back"].actual_ppm == 0
    assert pad.device.motors["right_back"].actual_ppm == 2400


def test_clearing_ends_everything(gun: Bench) -> None:
    for fault in ("silence", "refuse", "corrupt", "stall", "low_battery", "overheat"):
        gun.inject(fault)
    gun.inject("delay", by_s=5)
    gun.inject("clear")
    gun.write(RUN_1750)
    gun.wait(20)
    gun.write(ASK_STATUS)
    assert gun.sent == ["BB ED 10 00 01 00 00 00 00 00 00 00 00 06 D6"]
    assert gun.device.state()["battery_pct"] > 99


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "no fault"),
        ({"fault": "stal"}, "Did you mean 'stall'"),
        ({"fault": ["stall"]}, "no fault"),
        ({"fault": "stall", "for_s": 3}, "no setting of stall"),
        ({"fault": "stall", "channel": "foot"}, "Channels: head"),
        ({"fault": "stall", "channel": []}, "no channel"),
        ({"fault": "drop_link", "for_s": 0}, "above 0"),
        ({"fault": "drop_link", "for_s": -1}, "above 0"),
        ({"fault": "drop_link", "for_s": "3"}, "not a number"),
        ({"fault": "drop_link", "for_s": True}, "not a number"),
        ({"fault": "drop_link", "for_s": float("nan")}, "not a number"),
        ({"fault": "drop_link", "for_s": 10**400}, "not a number"),
        ({"fault": "drop_link", "for_s": 1e9}, "to 86400"),
        ({"fault": "corrupt", "reports": 1.5}, "whole number"),
        ({"fault": "low_battery", "charge_pct": 101}, "to 100"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_with_a_sentence(values: dict[str, Any], told: str) -> None:
    with pytest.raises(FaultRefusedError, match=told):
        check_injection(values, ["head"])
