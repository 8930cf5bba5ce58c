"""The simulator's time."""

from __future__ import annotations

import math

import pytest

from simulators.clock import MAX_SPEED, ManualClock, RunningClock


class World:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_time_starts_at_zero_and_runs_as_fast_as_it_is_told() -> None:
    world = World()
    clock = RunningClock(60, mono=world)
    assert clock.now() == 0
    world.now_s += 2
    assert clock.now() == 120


def test_a_change_of_speed_makes_no_jump() -> None:
    world = World()
    clock = RunningClock(10, mono=world)
    world.now_s += 3
    clock.speed = 0.5
    assert clock.now() == 30
    world.now_s += 4
    assert clock.now() == 32


def test_a_simulated_moment_has_its_place_in_the_machines_time() -> None:
    world = World()
    clock = RunningClock(60, mono=world)
    world.now_s += 2
    assert clock.mono_at(60) == 1001
    clock.speed = 1
    world.now_s += 5
    assert clock.mono_at(clock.now()) == world.now_s


@pytest.mark.parametrize("speed", [0, -1, math.nan, math.inf, MAX_SPEED * 2])
def test_a_speed_that_makes_no_sense_is_refused_and_changes_nothing(speed: float) -> None:
    clock = RunningClock(2)
    with pytest.raises(ValueError, match="above 0"):
        clock.speed = speed
    assert clock.speed == 2


def test_manual_time_moves_only_when_told_and_never_back() -> None:
    clock = ManualClock()
    clock.advance(1.5)
    clock.advance(0)
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1)
    assert clock.now() == 1.5
    assert clock.speed == 0
