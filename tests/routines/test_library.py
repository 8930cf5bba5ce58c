from __future__ import annotations

from pathlib import Path

import pytest

from routines.errors import PlanRefusedError, RoutineError
from routines.library import BUNDLED, find_routine, load_routines

MINE = 'schema = 1\nname = "mine"\ntitle = "Mine"\n[[steps]]\nregion = "calves"\nside = "left"\n'


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PERCUSS_HOME", str(tmp_path))
    folder = tmp_path / "routines"
    folder.mkdir()
    return folder


def test_the_shipped_routines_are_known(own: Path) -> None:
    assert {"sciatica-relief", "piriformis-release"} <= set(load_routines()[0])


def test_a_person_without_a_folder_has_the_shipped_routines(own: Path) -> None:
    own.rmdir()
    assert "sciatica-relief" in load_routines()[0]


def test_the_users_own_routine_is_found_by_name_and_by_path(own: Path) -> None:
    path = own / "file.toml"
    path.write_text(MINE)
    assert find_routine("mine").path == path
    assert find_routine(str(path)).name == "mine"


def test_a_misspelt_name_is_told_with_the_nearest(own: Path) -> None:
    with pytest.raises(RoutineError, match="Did you mean 'sciatica-relief'"):
        find_routine("siatica-relief")


def test_a_missing_file_is_told(own: Path) -> None:
    with pytest.raises(RoutineError, match="cannot be read"):
        find_routine("nowhere/mine")


def test_two_files_with_one_name_are_told_with_both_files(own: Path) -> None:
    second = own / "copy.toml"
    second.write_text(MINE.replace("mine", "sciatica-relief"))
    ((_, problem),) = load_routines()[1]
    assert str(second) in str(problem)
    assert str(BUNDLED / "sciatica-relief.toml") in str(problem)
    with pytest.raises(RoutineError):
        find_routine("sciatica-relief")
    assert find_routine("piriformis-release").name == "piriformis-release"


def test_a_broken_draft_is_told_but_does_not_stand_in_the_way_of_other_routines(own: Path) -> None:
    (own / "draft.toml").write_text("schema = ")
    (own / "stiff-neck.toml").write_text(MINE.replace("mine", "stiff-neck").replace("calves", "neck"))
    assert find_routine("sciatica-relief").name == "sciatica-relief"
    assert [problem.path.name for _, problem in load_routines()[1]] == ["draft.toml", "stiff-neck.toml"]
    with pytest.raises(RoutineError):
        find_routine("draft")
    with pytest.raises(PlanRefusedError):
        find_routine("stiff-neck")
