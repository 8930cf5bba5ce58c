from __future__ import annotations

from pathlib import Path

import pytest

from firmware_profiles.errors import FileError
from routines.errors import RoutineError
from routines.library import load_routines
from routines.programme import BUNDLED, find_programme, load_programme, load_programmes, programme_paths

WEEK = """schema = 1
name = "week"
title = "A week"

[[sessions]]
day = 1
routine = "short-break"

[[sessions]]
day = 3
routine = "sciatica-relief"
"""


@pytest.fixture
def own(home: Path) -> Path:
    folder = home / "programmes"
    folder.mkdir()
    return folder


def read(folder: Path, text: str) -> None:
    path = folder / "week.toml"
    path.write_text(text, encoding="utf-8")
    load_programme(path, load_routines()[0])


def test_the_rising_programme_is_three_sessions_with_a_day_between() -> None:
    rising = find_programme("rising")
    assert [(session.day, session.routine) for session in rising.sessions] == [
        *((1, "rising-1"), (3, "rising-2")),
        (5, "rising-3"),
    ]
    assert any("Sams 2025" in source for source in rising.sources)
    assert all(word in rising.closing_note for word in ("soreness", "tingles", "clinician", "diagnoses nothing"))


def test_every_shipped_programme_can_be_used_and_is_called_as_its_file() -> None:
    programmes, broken = load_programmes()
    assert broken == []
    assert set(programmes) == {path.stem for path in BUNDLED.glob("*.toml")}


def test_the_users_own_programme_is_found_by_name_and_by_path(own: Path) -> None:
    path = own / "file.toml"
    path.write_text(WEEK)
    assert find_programme("week") == find_programme(str(path))
    assert [session.day for session in find_programme("week").sessions] == [1, 3]
    assert path in programme_paths()


def test_a_programme_may_name_the_users_own_routine(own: Path, home: Path) -> None:
    (home / "routines").mkdir()
    (home / "routines" / "mine.toml").write_text(
        'schema = 1\nname = "mine"\ntitle = "Mine"\n[[steps]]\nregion = "calves"\nside = "left"\n'
    )
    (own / "week.toml").write_text(WEEK.replace("short-break", "mine"))
    assert find_programme("week").sessions[0].routine == "mine"


def test_two_sessions_of_one_day_are_the_most(own: Path) -> None:
    read(own, WEEK.replace("day = 3", "day = 1"))
    third = '[[sessions]]\nday = 1\nroutine = "short-break"\n'
    with pytest.raises(RoutineError, match="3 sessions on day 1; the most is 2 a day"):
        read(own, WEEK.replace("day = 3", "day = 1") + third)


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "says"),
    [
        ('"sciatica-relief"', '"siatica-relief"', 11, "sessions.1.routine", "Did you mean 'sciatica-relief'"),
        ('"sciatica-relief"', '"../etc/passwd"', 11, "sessions.1.routine", "pattern"),
        ("day = 3", "day = 0", 10, "sessions.1.day", "greater than or equal to 1"),
        ("day = 3", "day = 367", 10, "sessions.1.day", "less than or equal to 366"),
        ("day = 3", 'day = "3"', 10, "sessions.1.day", "integer"),
        ("day = 1", "day = 2", None, "", "begins on day 2"),
        ("day = 3", "dya = 3", 10, "sessions.1.dya", "Did you mean 'day'"),
        ('name = "week"', 'name = "A Week"', 2, "name", "pattern"),
        ('title = "A week"', 'title = "A\\u001bweek"', 3, "title", "control character"),
        ("schema = 1", "schema = 2", 1, "schema", "1"),
        ("[[sessions]]\nday = 3", "[[sessions]\nday = 3", 9, "", "TOML"),
    ],
)
def test_a_bad_programme_is_told_with_file_line_and_key(
    own: Path, old: str, new: str, line: int | None, key: str, says: str
) -> None:
    with pytest.raises(RoutineError) as told:
        read(own, WEEK.replace(old, new))
    assert told.value.path == own / "week.toml"
    assert told.value.key == key
    assert line is None or told.value.line == line
    assert says in str(told.value)


def test_a_day_that_goes_back_is_told(own: Path) -> None:
    with pytest.raises(RoutineError, match="has day 2 after day 3"):
        read(own, WEEK + '[[sessions]]\nday = 2\nroutine = "short-break"\n')


def test_a_programme_without_sessions_is_told(own: Path) -> None:
    with pytest.raises(RoutineError, match="sessions"):
        read(own, WEEK.partition("[[")[0])


def test_a_missing_file_and_a_misspelt_name_are_told() -> None:
    with pytest.raises(FileError, match="cannot be read"):
        find_programme("nowhere/week")
    with pytest.raises(RoutineError, match="Did you mean 'rising'"):
        find_programme("risng")


def test_two_files_with_one_name_are_told_with_both_files(own: Path) -> None:
    copy = own / "copy.toml"
    copy.write_text(WEEK.replace('"week"', '"rising"'))
    ((name, problem),) = load_programmes()[1]
    assert name == "rising"
    assert str(copy) in str(problem)
    assert problem.line == 2
    assert str(BUNDLED / "rising.toml") in str(problem)
    with pytest.raises(RoutineError):
        find_programme("rising")


def test_a_broken_draft_does_not_stand_in_the_way_of_other_programmes(own: Path) -> None:
    (own / "draft.toml").write_text("schema = ")
    assert find_programme("rising").name == "rising"
    with pytest.raises(RoutineError):
        find_programme("draft")
