import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from routines.library import BUNDLED, load_routines
from routines.loader import load_routine
from tests.controller.cli.conftest import Result

Percuss = Callable[..., Result]


def test_a_new_routine_can_be_checked_shown_and_listed_as_it_is(percuss: Percuss, home: Path) -> None:
    made = percuss("routines", "new", "evening-legs")
    path = home / "routines" / "evening-legs.toml"
    assert (made.code, made.out) == (0, f"{path}: written\n")
    checked = percuss("routines", "check", "evening-legs")
    assert (checked.code, checked.out, checked.err) == (0, f"{path}: ok\n", "")
    assert "left calves" in percuss("routines", "show", "evening-legs").out
    assert "evening-legs" in percuss("routines", "list").out


def test_a_new_routine_leads_editors_to_its_schema_which_knows_it_and_its_mistakes(
    percuss: Percuss, home: Path
) -> None:
    percuss("routines", "new", "mine")
    path = home / "routines" / "mine.toml"
    directive, name = path.read_text().splitlines()[0].split()
    assert directive == "#:schema"
    schema = json.loads((path.parent / name).read_text())
    good = tomllib.loads(path.read_text())
    jsonschema.validate(good, schema)
    good["steps"][1]["regoin"] = "calves"
    with pytest.raises(jsonschema.ValidationError, match="regoin"):
        jsonschema.validate(good, schema)


def test_every_key_in_a_comment_of_a_new_routine_can_be_switched_on(percuss: Percuss, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    percuss("routines", "new", "mine", str(path))
    lines = [line[2:] if " = " in line and line.startswith("# ") else line for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines))
    assert percuss("routines", "check", str(path)).err == ""
    assert load_routine(path).steps[1].repeat == 2


def test_a_copy_keeps_everything_but_the_name(percuss: Percuss, home: Path) -> None:
    assert percuss("routines", "new", "mine", "--from", "sciatica-relief").code == 0
    original = load_routine(BUNDLED / "sciatica-relief.toml")
    copy = load_routine(home / "routines" / "mine.toml")
    assert copy.file == original.file.model_copy(update={"name": "mine"})
    assert copy.text.splitlines()[1:3] == ["schema = 1", 'name = "mine"']
    assert set(copy.text.splitlines()) - set(original.text.splitlines()) == {
        'name = "mine"',
        "#:schema ./percuss-routine.schema.json",
    }


def test_a_copy_of_a_file_with_its_name_in_another_place_is_written_anew(percuss: Percuss, tmp_path: Path) -> None:
    odd = tmp_path / "odd.toml"
    odd.write_text("schema = 1\nname = '''\nodd'''\ntitle = 'Odd'\nsteps = [{region = 'calves', side = 'left'}]\n")
    assert percuss("routines", "new", "mine", "--from", str(odd)).code == 0
    assert load_routines()[0]["mine"].file.steps == load_routine(odd).file.steps


def test_a_script_becomes_a_file(percuss: Percuss, home: Path) -> None:
    assert percuss("routines", "new", "legs", "--script", "calves 40% 30s; rest 10s").code == 0
    routine = load_routine(home / "routines" / "legs.toml")
    assert (routine.name, routine.title, len(routine.steps)) == ("legs", "Legs", 2)
    assert percuss("routines", "show", "legs", "--script").out == "calves 40% 30s; rest 10s\n"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["Evening Legs"], 2, "is no name"),
        (["../mine"], 2, "is no name"),
        (["sciatica-relief"], 2, "sciatica-relief is a routine of percuss. Take another name, or copy it"),
        (["mine", "--from", "sciatica-relif"], 8, "Did you mean 'sciatica-relief'?"),
        (["mine", "--script", "calvs"], 8, "script:1: column 1, 'calvs'"),
        (["mine", "--script", "neck"], 4, "is refused"),
        (["mine", "--script", "rest 5s\ncalves 2400ppm"], 4, "script:2: steps.1.intensity: 2400 ppm is above 2100 ppm"),
        (["mine", "--script", "calves", "--from", "sciatica-relief"], 2, "take one"),
        (["mine", "/proc/nowhere/mine.toml"], 8, "cannot be written"),
    ],
)
def test_what_cannot_be_begun_is_told_and_nothing_is_written(
    percuss: Percuss, home: Path, arguments: list[str], code: int, says: str
) -> None:
    result = percuss("routines", "new", *arguments)
    assert (result.code, result.out) == (code, "")
    assert says in result.err
    assert not (home / "routines").exists()


def test_a_name_of_ones_own_that_stands_in_another_file_is_told_with_that_file(percuss: Percuss, home: Path) -> None:
    assert percuss("routines", "new", "mine").code == 0
    other = home / "routines" / "evening.toml"
    (home / "routines" / "mine.toml").rename(other)
    result = percuss("routines", "new", "mine")
    assert result.code == 2
    assert f"mine is the name of your {other}" in result.err
    assert not (home / "routines" / "mine.toml").exists()


def test_a_file_that_is_there_is_left_as_it_is(percuss: Percuss, home: Path, tmp_path: Path) -> None:
    for arguments, path in ((["mine"], home / "routines" / "mine.toml"), (["b", "b.toml"], tmp_path / "b.toml")):
        words = [str(path) if word.endswith(".toml") else word for word in arguments]
        percuss("routines", "new", *words)
        before = path.read_bytes()
        again = percuss("routines", "new", *words, "--script", "heel")
        assert again.code == 8
        assert "is there already and is left as it is" in again.err
        assert path.read_bytes() == before


def test_check_tells_every_error_of_every_file_and_goes_on(percuss: Percuss, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    percuss("routines", "new", "good", str(good))
    text = good.read_text()
    bad.write_text(text.replace('"calves"', '"calvs"') + '[[steps]]\nregion = "neck"\nside = "left"\n')
    result = percuss("routines", "check", str(bad), str(good))
    line = text.splitlines().index('region = "calves"') + 1
    assert result.out == f"{good}: ok\n"
    assert f"percuss: {bad}:{line}: steps.1.region: 'calvs' is no region. Did you mean 'calves'?" in result.err
    assert f"percuss: {bad}:{len(text.splitlines()) + 2}: steps.3.region: neck is refused." in result.err
    assert result.code == 8


def test_check_ends_with_refused_when_only_limits_are_broken(percuss: Percuss, tmp_path: Path) -> None:
    path = tmp_path / "strong.toml"
    percuss("routines", "new", "strong", str(path))
    path.write_text(path.read_text().replace('"gentle"\n', '"100%"\n').replace('"45s"\n', '"3m"\n'))
    result = percuss("routines", "check", str(path))
    assert result.code == 4
    assert "steps.1.intensity: 100 % (2400 ppm) is above 2100 ppm" in result.err
    assert "steps.1.duration: 180 s is longer than 120 s" in result.err


def test_check_as_json_has_lines_keys_and_warnings(percuss: Percuss, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text('schema = 1\nname = "good"\ntitle = "Good"\n[[steps]]\nregion = "calves"\nside = "left"\n')
    bad.write_text(good.read_text().replace('"left"', '"lft"'))
    result = percuss("routines", "check", "--json", str(good), str(bad))
    first, second = json.loads(result.out)["files"]
    assert (first["path"], first["ok"], first["errors"]) == (str(good), True, [])
    assert [(each["line"], each["key"]) for each in first["warnings"]] == [(2, "sources"), (2, "closing_note")]
    assert [(each["line"], each["key"], each["fix"] != "") for each in second["errors"]] == [(6, "steps.0.side", False)]
    assert (second["ok"], result.code, result.err) == (False, 8, "")


def test_check_holds_a_routine_to_the_limits_of_a_device(percuss: Percuss, tmp_path: Path) -> None:
    path = tmp_path / "firm.toml"
    path.write_text(
        'schema = 1\nname = "firm"\ntitle = "Firm"\n'
        '[[steps]]\nregion = "hamstrings"\nside = "left"\nintensity = "2400 ppm"\n'
    )
    assert percuss("routines", "check", str(path)).code == 0
    # Nobody has run a Theragun profile on the real thing: it is held below its full scale.
    result = percuss("routines", "check", str(path), "--profile", "theragun-gen4")
    assert result.code == 4
    assert "is the limit of theragun-gen4" in result.err
    assert percuss("routines", "check", "--profile", "theragun-gen").code == 5


def test_check_without_files_tells_of_two_routines_with_one_name(percuss: Percuss, home: Path) -> None:
    (home / "routines").mkdir()
    other = home / "routines" / "other.toml"
    other.write_text((BUNDLED / "short-break.toml").read_text())
    result = percuss("routines", "check")
    assert result.code == 8
    assert f"{other}:" in result.err
    assert "has the name 'short-break'" in result.err


def test_plot_draws_into_a_file_and_replaces_it_only_when_told(percuss: Percuss, tmp_path: Path) -> None:
    for name, begins in (("a.svg", b"<?xml"), ("a.PNG", b"\x89PNG")):
        path = tmp_path / name
        assert percuss("routines", "plot", "short-break", str(path)).out == f"{path}: written\n"
        assert path.read_bytes().startswith(begins)
        before = path.read_bytes()
        again = percuss("routines", "plot", "sciatica-relief", str(path))
        assert (again.code, "--force" in again.err) == (8, True)
        assert path.read_bytes() == before
        assert percuss("routines", "plot", "sciatica-relief", str(path), "--force").code == 0
        assert path.read_bytes() != before


def test_plot_draws_in_the_terminal_without_colours(percuss: Percuss) -> None:
    result = percuss("routines", "plot", "sciatica-relief", "--profile", "theragun-gen4")
    assert result.code == 0
    assert "Sciatica relief" in result.out
    assert "hamstrings, at most 2100 ppm" in result.out
    assert "\x1b" not in result.out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["short-break", "a.gif"], 2, ".svg or .png"),
        (["short-brake"], 8, "Did you mean 'short-break'?"),
        (["short-break", "--profile", "nothing"], 5, "nothing"),
        (["short-break", "/proc/nowhere/a.svg"], 8, "cannot be written"),
    ],
)
def test_plot_tells_what_is_wrong(percuss: Percuss, arguments: list[str], code: int, says: str) -> None:
    result = percuss("routines", "plot", *arguments)
    assert (result.code, result.out) == (code, "")
    assert says in result.err


def test_without_matplotlib_a_sentence_says_what_to_install_and_the_terminal_still_draws(tmp_path: Path) -> None:
    # A Python that has no matplotlib: an empty folder of that name would still be found, a broken one is not there.
    (tmp_path / "matplotlib.py").write_text("raise ModuleNotFoundError('no', name='matplotlib')\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "controller", "routines", "plot", "short-break"]
    done = subprocess.run(
        [*command, "a.svg"], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "pip install 'percuss[plot]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "a.svg").exists()
    assert (
        "ppm|"
        in subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    )
