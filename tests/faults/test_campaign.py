"""The campaign in the ordinary suite: some seeds, and the proof that it can fail."""

import sys

import pytest

from routines.regions import regions
from tests.faults import __main__ as command_line
from tests.faults.by_hand import blind, fault, scenario, that_speaks
from tests.faults.campaign import Summary, Wish, run
from tests.faults.doubles import DOUBLES
from tests.faults.limits import PLACES
from tests.faults.scenarios import FAULTS, Act, bundled, draw
from tests.faults.world import play

pytestmark = pytest.mark.timeout(600)
"""Hundreds of scenarios; on a machine that is busy with other things they take their time."""

SCENARIOS = 150
ENOUGH = 60
"""Within how many seeds a broken double must be caught; by far the most take half of it."""


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERCUSS_HOME", str(tmp_path_factory.mktemp("home")))
        return run(range(SCENARIOS), Wish())


def test_no_scenario_breaks_a_rule(summary: Summary) -> None:
    assert not summary.failures, "\n".join(summary.lines(Wish()))


def test_no_motor_is_above_its_cap_and_none_runs_on_after_the_session(summary: Summary) -> None:
    told = [violation for outcome in summary.failures for violation in outcome.violations]
    assert [violation for violation in told if violation.rule in {"I2", "I3"}] == []


def test_a_stop_on_a_line_that_carries_it_is_there_at_once(summary: Summary) -> None:
    assert summary.worst_stop_s < 0.1
    assert summary.worst_lost_s < 2.1
    assert set(summary.profiles) == set(bundled())


@pytest.mark.parametrize("name", DOUBLES)
def test_a_broken_double_is_caught_where_the_product_passes(name: str) -> None:
    caught = (seed for seed in range(ENOUGH) if Wish(double=name).play(seed).violations)
    assert any(not Wish().play(seed).violations for seed in caught)


def test_nothing_goes_wrong_where_nothing_goes_wrong() -> None:
    for profile in bundled().values():
        outcome = play(scenario(profile))
        assert (outcome.outcome, outcome.violations) == ("done", [])
        assert not outcome.figures.excuses


def test_a_lost_stop_is_repeated_until_the_device_says_that_it_is_at_rest() -> None:
    played = scenario(that_speaks(), [fault("drop", 14.9, 2.0)], [Act(15.0, "stop")])
    outcome = play(played)
    assert (outcome.outcome, outcome.violations) == ("stopped", [])
    assert outcome.figures.worst_excused_s >= 1.9


def test_a_link_that_stays_away_tells_the_person_to_press_the_button() -> None:
    outcome = play(scenario(that_speaks(), [fault("disconnect", 15.0, 300.0)]))
    assert (outcome.outcome, outcome.violations) == ("stop_unconfirmed", [])


def test_what_a_line_without_checksum_makes_of_a_command_is_counted_and_not_hidden() -> None:
    played = scenario(blind(), [fault("corrupt", 1.5, 6.0)])
    outcomes = [play(played.reseeded(seed)) for seed in range(20)]
    assert any(outcome.figures.excuses["I2: a flipped bit made another command"] for outcome in outcomes)


def test_a_seed_gives_the_same_story_twice() -> None:
    for seed in range(0, 40, 4):
        first, second = (play(draw(seed), tells=True).story for _ in range(2))
        assert first == second
        assert first


def test_every_fault_is_drawn_on_every_profile() -> None:
    drawn: dict[str, set[str]] = {}
    for seed in range(400):
        played = draw(seed)
        drawn.setdefault(played.profile.id, set()).update(each.kind for each in played.faults)
    assert drawn == {name: set(FAULTS) for name in bundled()}


def test_a_failing_seed_is_told_with_the_command_that_plays_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    double = "no cap"
    seed = next(seed for seed in range(ENOUGH) if Wish(double=double).play(seed).violations)
    asked = ["tests.faults", "--first", str(seed), "--scenarios", "1", "--jobs", "1", "--double", double]
    monkeypatch.setattr(sys, "argv", asked)
    assert command_line.main() == 1
    told = capsys.readouterr().out
    assert f'python -m tests.faults --seed {seed} --double "no cap" --verbose' in told
    assert "violations: 1 scenarios" in told
    monkeypatch.setattr(sys, "argv", ["tests.faults", "--seed", str(seed), "--double", double, "--verbose"])
    assert command_line.main() == 1
    assert "VIOLATION I" in capsys.readouterr().out


def test_the_table_of_places_is_the_products() -> None:
    driven = {
        place.id: (place.gentle_ppm, place.cap_ppm, place.max_s) for place in regions().values() if place.drivable
    }
    assert driven == PLACES
