"""Motor and battery, against what the physics says by hand."""

from __future__ import annotations

import math

import pytest

from simulators.motor import (
    AMBIENT_C,
    CUT_OUT_C,
    FULL_SPEED_RISE_K,
    RESET_C,
    STALL_RISE_K,
    WINDING_TIME_CONSTANT_S,
    Battery,
    Motor,
)


def _run(motor: Motor, duration_s: float, step_s: float = 0.1) -> None:
    for _ in range(round(duration_s / step_s)):
        motor.process(step_s)


def test_after_one_time_constant_the_motor_is_at_63_percent() -> None:
    motor = Motor(spin_up_s=0.8)
    motor.ask(2400)
    _run(motor, 0.8)
    assert motor.actual_ppm == pytest.approx(2400 * (1 - 1 / math.e), rel=1e-6)


def test_after_five_time_constants_the_motor_is_within_one_percent() -> None:
    motor = Motor(spin_up_s=0.8)
    motor.ask(1750)
    _run(motor, 4.0)
    assert 1750 * 0.99 < motor.actual_ppm < 1750


def test_it_arrives_exactly_and_stands_still_exactly() -> None:
    motor = Motor(spin_up_s=0.8)
    motor.ask(1750)
    _run(motor, 12 * 0.8)
    assert motor.actual_ppm == 1750
    motor.ask(0)
    _run(motor, 12 * 0.8)
    assert motor.actual_ppm == 0
    assert not motor.turns


def test_the_length_of_a_step_does_not_change_the_speed() -> None:
    fine, coarse = Motor(spin_up_s=1.0), Motor(spin_up_s=1.0)
    fine.ask(2000)
    coarse.ask(2000)
    _run(fine, 2.0, 0.01)
    coarse.process(2.0)
    assert fine.actual_ppm == pytest.approx(coarse.actual_ppm)


def test_a_stalled_motor_stands_still_and_starts_again_when_it_is_free() -> None:
    motor = Motor(spin_up_s=0.5)
    motor.ask(2000)
    _run(motor, 5)
    motor.is_stalled = True
    motor.process(0.1)
    assert motor.actual_ppm == 0
    motor.is_stalled = False
    _run(motor, 5)
    assert motor.actual_ppm > 1990


def test_full_speed_warms_the_winding_to_where_it_settles_and_no_further() -> None:
    motor = Motor(spin_up_s=0.5)
    motor.ask(2400)
    _run(motor, 10 * WINDING_TIME_CONSTANT_S, 1.0)
    assert motor.winding_c == pytest.approx(AMBIENT_C + FULL_SPEED_RISE_K, abs=0.1)
    assert not motor.is_cut_out


def test_half_speed_warms_a_quarter_as_much() -> None:
    motor = Motor(spin_up_s=0.5)
    motor.ask(1200)
    _run(motor, 10 * WINDING_TIME_CONSTANT_S, 1.0)
    assert motor.winding_c - AMBIENT_C == pytest.approx(FULL_SPEED_RISE_K / 4, abs=0.1)


def test_a_stall_at_full_power_opens_the_thermal_switch_when_the_exponential_says() -> None:
    motor = Motor(spin_up_s=0.5, is_stalled=True)
    motor.ask(2400)
    expected_s = -WINDING_TIME_CONSTANT_S * math.log(1 - (CUT_OUT_C - AMBIENT_C) / STALL_RISE_K)
    _run(motor, expected_s - 1)
    assert not motor.is_cut_out
    _run(motor, 2)
    assert motor.is_cut_out


def test_a_hot_motor_refuses_to_start_until_it_has_cooled_and_then_waits_to_be_asked() -> None:
    motor = Motor(spin_up_s=0.5, winding_c=CUT_OUT_C + 1)
    motor.ask(2400)
    motor.process(0.1)
    assert motor.asked_ppm == 0
    assert not motor.ask(1000)
    assert motor.ask(0), "off is never refused"
    cooling_s = WINDING_TIME_CONSTANT_S * math.log((CUT_OUT_C + 1 - AMBIENT_C) / (RESET_C - AMBIENT_C))
    _run(motor, cooling_s - 5)
    assert not motor.ask(1000)
    _run(motor, 10)
    assert motor.actual_ppm == 0
    assert motor.ask(1000)


def test_a_battery_lasts_its_life_at_full_speed() -> None:
    battery = Battery(life_s=7200)
    battery.process(3600, load=1.0)
    assert battery.charge_pct == pytest.approx(50)
    battery.process(3600.1, load=1.0)
    assert battery.is_empty
    assert battery.charge_pct == 0


def test_a_resting_battery_drains_fifty_times_slower() -> None:
    battery = Battery(life_s=100)
    battery.process(100, load=0.0)
    assert battery.charge_pct == pytest.approx(98)
