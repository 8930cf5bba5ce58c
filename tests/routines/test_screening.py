from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routines.bounds import Bound
from routines.errors import RoutineError
from routines.regions import regions
from routines.schema import Intensity
from routines.screening import (
    TABLE_PATH,
    Answer,
    Answers,
    Verdict,
    all_no,
    answered,
    assess,
    consequence,
    load_questions,
    problem_with,
    questions,
    questions_digest,
    what_to_do,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GENTLE = Intensity(word="gentle")
LEGS = {"hamstrings", "calves", "quadriceps", "foot_arch", "heel"}
TIERS = {
    "emergency": {"bladder_or_bowel", "saddle_numbness", "weak_legs", "fever_with_back_pain", "sudden_weakness"},
    "clinician": {
        "long_or_worse_pain",
        "lasting_numbness",
        "foot_drop",
        "weight_loss",
        "night_pain",
        "limited_mobility",
    },
    "stop": {
        "blood_clot",
        "fracture",
        "broken_skin",
        "surgery_or_hardware",
        "tumour",
        "pacemaker",
        "bleeding_disorder",
        "lost_sensation",
    },
    "ask": {
        "blood_thinners",
        "osteoporosis",
        "pregnancy",
        "diabetes",
        "high_blood_pressure",
        "varicose_veins",
        "epilepsy",
        "under_18",
        "hard_exercise_with_anaemia",
        "disc_or_stenosis",
        "connective_tissue",
    },
}
PLACES = {"fracture", "broken_skin", "surgery_or_hardware", "tumour", "lost_sensation"}


def with_yes(**given: Answer) -> Answers:
    return answered({**all_no(now_utc=NOW).answers, **given}, now_utc=NOW)


def verdict(**given: Answer) -> Verdict:
    return assess(with_yes(**given), now_utc=NOW)


def refused(found: Verdict) -> set[tuple[str | None, str | None]]:
    return {(bound.region, bound.side) for bound in found.bounds if bound.is_refused}


def is_gentle_everywhere(found: Verdict) -> bool:
    return any(bound.cap == GENTLE and bound.region is None and bound.side is None for bound in found.bounds)


def test_every_question_is_in_its_tier_and_the_most_urgent_come_first() -> None:
    for tier, names in TIERS.items():
        assert {question.id for question in questions().values() if question.tier == tier} == names
    assert [question.tier for question in questions().values()] == sorted(
        (question.tier for question in questions().values()), key=list(TIERS).index
    )


@pytest.mark.parametrize("name", questions())
def test_a_question_can_be_asked_and_says_what_follows(name: str) -> None:
    question = questions()[name]
    assert question.ask.endswith("?")
    assert question.why.endswith(".")
    assert consequence(question).endswith(".")
    assert what_to_do(question).endswith(".")


def test_no_to_everything_lets_everything_run() -> None:
    found = assess(all_no(now_utc=NOW), now_utc=NOW)
    assert (found.refusals, found.unacknowledged, found.bounds) == ((), (), ())
    assert found.may_run
    assert found.expires_utc == NOW + timedelta(days=30)


@pytest.mark.parametrize("name", [*sorted(TIERS["emergency"]), "blood_clot", "pacemaker", "bleeding_disorder"])
def test_some_answers_refuse_everything_and_nothing_acknowledges_them(name: str) -> None:
    found = verdict(**{name: Answer(yes=True, acknowledged=True, reason="x", places=("heel",), side="left")})
    assert [reason.question for reason in found.refusals] == [name]
    assert (None, None) in refused(found)
    assert not found.may_run


def test_an_emergency_says_to_get_help_now() -> None:
    assert "get help now" in verdict(weak_legs=Answer(yes=True)).refusals[0].what_to_do


@pytest.mark.parametrize("name", sorted(PLACES))
def test_a_place_is_left_alone_and_the_others_are_not(name: str) -> None:
    found = verdict(**{name: Answer(yes=True, places=("calf", "Lower Back", "calves"))})
    assert refused(found) == {("calves", None), ("lumbar_paraspinal", None)}
    assert found.may_run
    assert not is_gentle_everywhere(found)


@pytest.mark.parametrize("name", sorted(PLACES))
@pytest.mark.parametrize("places", [(), ("elbow",), ("somewhere",), ("heel", "somewhere"), ("spine",)])
def test_no_place_or_one_that_is_not_known_means_everything(name: str, places: tuple[str, ...]) -> None:
    found = verdict(**{name: Answer(yes=True, places=places)})
    assert refused(found) == {(None, None)}
    assert [reason.question for reason in found.refusals] == [name]


@pytest.mark.parametrize("name", sorted(TIERS["clinician"]))
def test_what_should_be_looked_at_waits_for_what_a_clinician_said(name: str) -> None:
    for answer in (
        Answer(yes=True),
        Answer(yes=True, acknowledged=True),
        Answer(yes=True, acknowledged=True, reason="  "),
        Answer(yes=True, reason="fine"),
    ):
        found = verdict(**{name: answer})
        assert [reason.question for reason in found.unacknowledged] == [name]
        assert found.refusals == ()
        assert refused(found) == {(None, None)}
        assert not found.may_run
    found = verdict(**{name: Answer(yes=True, acknowledged=True, reason="fine")})
    assert found.may_run
    assert found.bounds == ()


@pytest.mark.parametrize("name", sorted(TIERS["ask"]))
def test_what_is_asked_runs_gently_after_acknowledgement(name: str) -> None:
    waiting = verdict(**{name: Answer(yes=True)})
    assert [reason.question for reason in waiting.unacknowledged] == [name]
    assert (None, None) in refused(waiting)
    found = verdict(**{name: Answer(yes=True, acknowledged=True)})
    assert found.may_run
    assert is_gentle_everywhere(found)
    assert (None, None) not in refused(found)


def test_pregnancy_leaves_the_lower_back_and_the_calves_alone() -> None:
    found = verdict(pregnancy=Answer(yes=True, acknowledged=True))
    assert refused(found) == {("lumbar_paraspinal", None), ("calves", None)}
    # No side was asked for, so one that is given narrows nothing.
    assert refused(verdict(pregnancy=Answer(yes=True, acknowledged=True, side="left"))) == refused(found)


@pytest.mark.parametrize(("side", "held"), [("left", "left"), ("right", "right"), ("both", None), (None, None)])
def test_varicose_veins_leave_that_leg_alone(side: str | None, held: str | None) -> None:
    answer = Answer.model_validate({"yes": True, "acknowledged": True, "side": side})
    assert refused(verdict(varicose_veins=answer)) == {(region, held) for region in LEGS}


def test_reasons_of_bounds_are_phrases() -> None:
    assert verdict(epilepsy=Answer(yes=True, acknowledged=True)).bounds == (Bound("you have epilepsy", cap=GENTLE),)


@pytest.mark.parametrize(
    ("age", "is_expired"),
    [
        (timedelta(days=30) - timedelta(seconds=1), False),
        (timedelta(days=30), True),
        (timedelta(days=4000), True),
        (timedelta(0), False),
        (-timedelta(days=1), False),
        (-timedelta(days=1, seconds=1), True),
        (-timedelta(days=400), True),
    ],
)
def test_answers_hold_for_30_days_and_not_from_the_future(age: timedelta, is_expired: bool) -> None:
    found = assess(all_no(now_utc=NOW - age), now_utc=NOW)
    assert found.is_expired is is_expired
    assert found.may_run is not is_expired
    assert refused(found) == ({(None, None)} if is_expired else set())


def test_another_time_zone_changes_nothing() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=-11)))
    assert assess(all_no(now_utc=there), now_utc=NOW).may_run


def test_answers_to_other_questions_are_asked_again() -> None:
    good = all_no(now_utc=NOW)
    missing = {name: answer for name, answer in good.answers.items() if name != "epilepsy"}
    for changed in (
        good.model_copy(update={"questions": "0" * 16}),
        good.model_copy(update={"answers": missing}),
        good.model_copy(update={"answers": {**good.answers, "old_question": Answer(yes=False)}}),
    ):
        found = assess(changed, now_utc=NOW)
        assert "questions have changed" in found.expired_because
        assert not found.may_run


def test_refusals_in_incomplete_answers_are_still_told() -> None:
    found = assess(answered({"blood_clot": Answer(yes=True)}, now_utc=NOW), now_utc=NOW)
    assert [reason.question for reason in found.refusals] == ["blood_clot"]


NAMES = st.sampled_from([*questions(), "old_question"])
ANSWERS = st.builds(
    Answer,
    yes=st.booleans(),
    places=st.lists(
        st.sampled_from(["calf", "heel", "spine", "?", ""]) | st.text(max_size=20).filter(str.isprintable), max_size=5
    ).map(tuple),
    side=st.sampled_from(["left", "right", "both", None]),
    acknowledged=st.booleans(),
    reason=st.sampled_from(["", " ", "fine"]),
)
ALL_ANSWERS = st.builds(
    Answers,
    schema=st.just(1),
    answered_utc=st.datetimes(timezones=st.just(UTC)) | st.just(NOW),
    questions=st.just(questions_digest()) | st.text(max_size=20),
    answers=st.dictionaries(NAMES, ANSWERS) | st.fixed_dictionaries(dict.fromkeys(questions(), ANSWERS)),
)


@given(ALL_ANSWERS, st.datetimes(timezones=st.just(UTC)) | st.just(NOW))
def test_any_answers_get_a_verdict_whose_bounds_alone_are_safe(answers: Answers, now: datetime) -> None:
    found = assess(answers, now_utc=now)
    assert found.may_run is ((None, None) not in refused(found))
    for bound in found.bounds:
        assert bound.is_refused or bound.cap == GENTLE
        assert bound.region is None or bound.region in regions()
    for reason in (*found.refusals, *found.unacknowledged):
        assert answers.answers[reason.question].yes


@given(ALL_ANSWERS, NAMES)
def test_one_more_yes_never_allows_more(answers: Answers, name: str) -> None:
    more = answers.model_copy(update={"answers": {**answers.answers, name: Answer(yes=True)}})
    less = answers.model_copy(update={"answers": {**answers.answers, name: Answer(yes=False)}})
    assert refused(assess(more, now_utc=NOW)) >= refused(assess(less, now_utc=NOW))


@given(ALL_ANSWERS)
def test_answers_survive_being_kept(answers: Answers) -> None:
    assert Answers.model_validate_json(answers.model_dump_json(by_alias=True)) == answers


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("epilepsy", Answer(yes=True, places=("heel",)), "no places"),
        ("epilepsy", Answer(yes=True, side="left"), "no side"),
        ("fracture", Answer(yes=True, places=("calfs",)), "Did you mean"),
        ("fracture", Answer(yes=True, places=("spine",)), "never driven anyway"),
        ("fracture", Answer(yes=True, places=("calf",)), ""),
        ("varicose_veins", Answer(yes=True, side="left"), ""),
    ],
)
def test_an_answer_that_cannot_be_meant_is_told(name: str, answer: Answer, words: str) -> None:
    problem = problem_with(questions()[name], answer)
    assert words in problem
    assert bool(words) == bool(problem)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('refused = ["lumbar_paraspinal", "calves"]', 'refused = ["belly"]', "is no region"),
        ('id = "weak_legs"', 'id = "foot_drop"', "asks these twice"),
        ('id = "emergency"', 'id = "stop"', "needs exactly these tiers"),
        ('phrase = "you are under 18"', 'phrase = "You are under 18."', "pattern"),
        ('about = "legs"\n', 'about = "arms"\n', "legs"),
        ('about = "legs"\nrefused', 'about = "places"\nrefused', "only the tier stop"),
    ],
)
def test_a_broken_table_is_told(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = TABLE_PATH.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "screening.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(RoutineError, match=words):
        load_questions(tmp_path / "screening.toml")
