from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller import screening
from controller.errors import RefusedError, ScreeningError
from firmware_profiles.errors import FileError
from routines.bounds import Bound
from routines.schema import Intensity
from routines.screening import Answer, Answers, all_no, answered, questions

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def with_yes(**given: Answer) -> Answers:
    return answered({**all_no(now_utc=NOW).answers, **given}, now_utc=NOW)


def test_answers_are_found_again() -> None:
    assert screening.load() is None
    answers = with_yes(fracture=Answer(yes=True, places=("heel",)), night_pain=Answer(yes=True, reason="ü"))
    screening.save(answers)
    assert screening.load() == answers


def test_the_file_is_for_its_owner_only(home: Path) -> None:
    screening.save(all_no(now_utc=NOW))
    assert stat.S_IMODE((home / "screening.json").stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == ["screening.json"], "nothing temporary is left"


def test_answers_are_forgotten() -> None:
    assert not screening.forget()
    screening.save(all_no(now_utc=NOW))
    assert screening.forget()
    assert screening.load() is None


@pytest.mark.parametrize(
    ("content", "line", "key"),
    [
        ('{"schema": 1,\n "answ', 2, ""),
        ("", 1, ""),
        ("[" * 100_000, None, ""),
        ('{"schema": 2, "answered_utc": "2026-03-01T12:00:00Z", "questions": "x", "answers": {}}', None, "schema"),
        ('{"schema": 1, "answered_utc": "2026-03-01T12:00:00", "questions": "x", "answers": {}}', None, "answered_utc"),
        (
            '{"schema": 1, "answered_utc": "2026-03-01T12:00:00Z", "questions": "x", "answers": {"a": {"yes": 1}}}',
            None,
            "answers.a.yes",
        ),
    ],
)
def test_a_broken_file_is_told_and_never_overwritten(home: Path, content: str, line: int | None, key: str) -> None:
    path = home / "screening.json"
    path.write_text(content, encoding="utf-8")
    for attempt in (
        screening.load,
        lambda: screening.save(all_no(now_utc=NOW)),
        lambda: screening.require(now_utc=NOW),
    ):
        with pytest.raises(ScreeningError, match="--forget") as caught:
            attempt()
        assert (caught.value.path, caught.value.line, caught.value.key) == (path, line, key)
        assert isinstance(caught.value, FileError)
    assert path.read_text(encoding="utf-8") == content
    assert screening.forget(), "only who asks for it loses a broken file"


def test_a_file_that_cannot_be_read_or_removed_is_told(home: Path) -> None:
    (home / "screening.json").mkdir()
    with pytest.raises(ScreeningError, match="cannot be read"):
        screening.load()
    with pytest.raises(ScreeningError, match="cannot be written"):
        screening.forget()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("PERCUSS_HOME", str(tmp_path / "file"))
    with pytest.raises(ScreeningError, match=r"cannot be (read|written)"):
        screening.save(all_no(now_utc=NOW))


def test_a_real_device_needs_answers() -> None:
    with pytest.raises(RefusedError, match="`percuss screening`"):
        screening.require(now_utc=NOW)


def test_good_answers_give_their_bounds() -> None:
    screening.save(with_yes(epilepsy=Answer(yes=True, acknowledged=True), tumour=Answer(yes=True, places=("calf",))))
    assert screening.require(now_utc=NOW + timedelta(days=29)) == (
        Bound("there is a tumour", region="calves", is_refused=True),
        Bound("you have epilepsy", cap=Intensity(word="gentle")),
    )


@pytest.mark.parametrize(
    ("given", "later", "words"),
    [
        ({}, timedelta(days=30), "more than 30 days ago"),
        ({}, -timedelta(days=3), "clock"),
        ({"weak_legs": Answer(yes=True)}, timedelta(0), "both your legs have become weak.*get help now"),
        # What was so a month ago is asked again, and not shouted.
        ({"weak_legs": Answer(yes=True)}, timedelta(days=31), "answered again"),
        ({"epilepsy": Answer(yes=True)}, timedelta(0), "you have epilepsy.*want to go on"),
        ({"night_pain": Answer(yes=True, acknowledged=True)}, timedelta(0), "doctor or physiotherapist"),
    ],
)
def test_what_does_not_allow_a_session_is_refused_with_the_command(
    given: dict[str, Answer], later: timedelta, words: str
) -> None:
    screening.save(with_yes(**given))
    with pytest.raises(RefusedError, match=words) as caught:
        screening.require(now_utc=NOW + later)
    assert "`percuss screening`" in caught.value.fix


def as_toml(**changed: str) -> str:
    return "".join(f"{name} = {changed.get(name, 'false')}\n" for name in questions())


def test_answers_are_read_from_toml_and_json(tmp_path: Path) -> None:
    wanted = with_yes(fracture=Answer(yes=True, places=("heel",)), weak_legs=Answer(yes=True))
    toml, as_json = tmp_path / "a.toml", tmp_path / "a.json"
    toml.write_text(as_toml(fracture='{ yes = true, places = ["heel"] }', weak_legs="true"), encoding="utf-8")
    plain: dict[str, object] = dict.fromkeys(questions(), False)
    as_json.write_text(json.dumps({**plain, "fracture": {"yes": True, "places": ["heel"]}, "weak_legs": True}))
    assert screening.read_answers(toml, now_utc=NOW) == wanted
    assert screening.read_answers(as_json, now_utc=NOW) == wanted


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("weak_legs = false\n", "leaves questions open: bladder_or_bowel"),
        (as_toml() + "weak_leg = true\n", "weak_leg: is no question here. Did you mean 'weak_legs'"),
        (as_toml(weak_legs="3"), "weak_legs"),
        (as_toml(weak_legs="{ yes = true, plces = [] }"), "plces: is not a key here. Did you mean 'places'"),
        (as_toml(fracture='{ yes = true, places = ["calfs"] }'), "Did you mean 'cal"),
        (as_toml(fracture='{ yes = true, places = ["cal\\u001b"] }'), "control character"),
        ("weak_legs = \n", ":1: is not valid TOML"),
        ('{"weak_legs": \n', ":2: the answers cannot be understood"),
        ('{"weak_legs": 3}', "weak_legs: the answers cannot be understood"),
        ("#" * 1_000_001, "larger than"),
    ],
)
def test_a_file_of_answers_that_cannot_be_used_is_told(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "answers"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ScreeningError) as caught:
        screening.read_answers(path, now_utc=NOW)
    assert words in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ScreeningError, match="is not there"):
        screening.read_answers(tmp_path / "no.toml", now_utc=NOW)
