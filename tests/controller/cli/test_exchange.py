import csv
import io
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fit_tool.fit_file import FitFile
from icalendar import Calendar

from routines.library import BUNDLED
from routines.loader import load_routine
from tests.controller.cli.conftest import Result

Percuss = Callable[..., Result]

RIDE = """<workout_file>
<name>Evening ride</name>
<workout>
<SteadyState Duration="30" Power="0.5" Cadence="90"/>
<SteadyState Duration="10" Power="0.9"/>
</workout>
</workout_file>
"""
WAVE = '{"version": "1.0", "actions": [{"at": 0, "pos": 40}, {"at": 10000, "pos": 40}]}'
PLACE = ("--region", "calves", "--side", "left")


@pytest.fixture
def ride(tmp_path: Path) -> Path:
    path = tmp_path / "ride.zwo"
    path.write_text(RIDE)
    return path


@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("a.zwo", b"<?xml"),
        ("a.fit", b"\x0e"),
        ("a.csv", b"start_s,"),
        ("a.html", b"<!DOCTYPE html>"),
        ("a.HTM", b"<!DOCTYPE html>"),
    ],
)
def test_the_suffix_says_what_is_written(percuss: Percuss, tmp_path: Path, name: str, begin: bytes) -> None:
    file = tmp_path / name
    result = percuss("routines", "export", "piriformis-release", str(file))
    assert (result.code, result.out) == (0, f"{file}: written\n")
    assert file.read_bytes().startswith(begin)


def test_without_a_file_it_goes_to_stdout_in_the_format_that_is_named(percuss: Percuss) -> None:
    result = percuss("routines", "export", "piriformis-release", "--format", "csv", "--profile", "theragun-gen4")
    rows = list(csv.DictReader(io.StringIO(result.out)))
    asked = {row["asked_ppm"] for row in rows if row["technique"] == "circles"}
    # Gentle of the piriformis is 1500, and the profile's gun can be set to that.
    assert asked == {"1500"}
    assert percuss("routines", "export", "piriformis-release").code == 2
    assert percuss("routines", "export", "piriformis-release", "--format", "zwo", "--profile", "nlr-hf8").code == 2


def test_bytes_through_a_pipe_are_whole(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "controller", "routines", "export", "sciatica-relief", "--format", "fit"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    assert FitFile.from_bytes(done.stdout).records


def test_a_file_that_is_there_is_left_as_it_is(percuss: Percuss, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("mine")
    result = percuss("routines", "export", "piriformis-release", str(file))
    assert result.code == 8
    assert "--force" in result.err
    assert file.read_text() == "mine"
    file.chmod(0o640)
    assert percuss("routines", "export", "piriformis-release", str(file), "--force").code == 0
    assert file.read_text().startswith("start_s")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640, "it is the same person's file still"
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]


def test_a_disk_that_is_full_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "a.html"
    file.write_text("mine")
    # No file may grow beyond 1000 bytes: what a full disk is for whoever writes.
    code = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    code += "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); from controller.cli import main; main()"
    words = ("routines", "export", "sciatica-relief", str(file), "--force")
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, "cannot be written (File too large)" in done.stderr) == (8, True), done.stderr
    assert file.read_text() == "mine"
    assert [each.name for each in tmp_path.iterdir()] == ["a.html"]


def test_what_is_no_file_is_written_to_and_not_replaced(percuss: Percuss, tmp_path: Path) -> None:
    full = percuss("routines", "export", "piriformis-release", "/dev/full", "--format", "csv", "--force")
    assert (full.code, "cannot be written (No space left on device)" in full.err) == (8, True)
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        assert percuss("routines", "export", "piriformis-release", str(pipe), "--force").code == 0
        assert reader.communicate()[0].startswith("start_s")
    assert pipe.is_fifo()


def test_an_import_never_replaces_what_it_reads(percuss: Percuss, tmp_path: Path, ride: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(ride)
    for target in (ride, link):
        result = percuss("routines", "import", str(ride), *PLACE, "--full", "50%", "--to", str(target), "--force")
        assert (result.code, "is FILE itself" in result.err) == (2, True), result.err
        assert ride.read_text() == RIDE


def test_what_cannot_be_written_is_a_sentence(percuss: Percuss, tmp_path: Path) -> None:
    result = percuss("routines", "export", "piriformis-release", str(tmp_path / "none" / "a.csv"))
    assert (result.code, "cannot be written" in result.err) == (8, True)


@pytest.mark.parametrize("library", ["fit_tool", "icalendar"])
def test_a_library_that_is_missing_is_named_with_how_to_get_it(
    percuss: Percuss, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    file = tmp_path / ("a.fit" if library == "fit_tool" else "a.ics")
    if library == "fit_tool":
        result = percuss("routines", "export", "piriformis-release", str(file))
    else:
        result = percuss("programmes", "export", "rising", str(file), "--start", "2026-12-01", "--at", "19:00")
    assert result.code == 2
    assert "pip install 'percuss[exchange]'" in result.err
    assert not file.exists()


def test_an_exported_routine_comes_back_under_another_name(percuss: Percuss, tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.zwo"
    percuss("routines", "export", "sciatica-relief", str(file))
    taken = percuss("routines", "import", str(file))
    assert taken.code == 8
    assert "has the name sciatica-relief already" in taken.err
    assert "--as" in taken.err
    assert not (home / "routines").exists()
    assert percuss("routines", "import", str(file), "--as", "evening").code == 0
    mine = load_routine(home / "routines" / "evening.toml").file
    assert mine.model_copy(update={"name": "sciatica-relief"}) == load_routine(BUNDLED / "sciatica-relief.toml").file
    assert "left piriformis" in percuss("routines", "show", "evening").out


def test_a_strangers_workout_needs_a_place_and_then_can_be_run(percuss: Percuss, ride: Path, home: Path) -> None:
    assert "does not say where" in percuss("routines", "import", str(ride)).err
    assert percuss("routines", "import", str(ride), "--region", "calves").code == 2
    result = percuss("routines", "import", str(ride), *PLACE, "--full", "50%")
    assert result.code == 0
    assert "Not taken over: Cadence (line 4)." in result.err
    assert "It is called evening-ride." in result.err
    shown = percuss("routines", "show", "evening-ride", "--profile", "theragun-gen4").out
    # Half of 50 % of 2400 ppm, and nine tenths of it.
    assert "600 ppm" in shown
    assert "1080 ppm" in shown
    # Once more is a second one of that name, unless it is forced.
    assert percuss("routines", "import", str(ride), *PLACE, "--full", "40%").code == 8
    assert percuss("routines", "import", str(ride), *PLACE, "--full", "40%", "--force").code == 0
    assert 'intensity = "20%"' in (home / "routines" / "evening-ride.toml").read_text()


def test_a_funscript_becomes_a_curve_on_stdout(percuss: Percuss, tmp_path: Path, home: Path) -> None:
    file = tmp_path / "wave.funscript"
    file.write_text(WAVE)
    assert percuss("routines", "import", str(file)).code == 2
    result = percuss("routines", "import", str(file), *PLACE, "--full", "1000 ppm", "--to", "-")
    assert result.code == 0
    assert 'curve = [{at = "0s", intensity = "400 ppm"}]' in result.out
    assert not (home / "routines").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (PLACE, 4, "ride.zwo:5: Power: 90 % (2160 ppm) is above 2100 ppm"),
        (("--region", "neck", "--side", "left"), 4, "ride.zwo:4: --region: neck is refused"),
        (("--region", "calvs", "--side", "left"), 8, "Did you mean 'calves'?"),
        ((*PLACE, "--full", "gentle"), 2, "--full"),
        ((*PLACE, "--full", "140%"), 2, "--full"),
        ((*PLACE, "--full", "50"), 2, "Did you mean 50%?"),
        ((*PLACE, "--full", "40%", "--as", "No Name"), 8, "name"),
        ((*PLACE, "--full", "40%", "--as", "../evil"), 8, "name"),
    ],
)
def test_a_refusal_names_the_line_and_writes_nothing(
    percuss: Percuss, ride: Path, home: Path, arguments: tuple[str, ...], code: int, what: str
) -> None:
    result = percuss("routines", "import", str(ride), *arguments)
    assert result.code == code, result.err
    assert what in result.err
    assert result.out == ""
    assert not (home / "routines").exists()


@pytest.mark.parametrize("content", [b"", b"\x00", b"<a>" * 100_000, b"{" * 100_000, b"\xff" * 2_000_000], ids=range(5))
@pytest.mark.parametrize("suffix", [".zwo", ".funscript", ".txt"])
def test_hostile_files_end_in_a_sentence_and_change_nothing(
    percuss: Percuss, tmp_path: Path, home: Path, suffix: str, content: bytes
) -> None:
    file = tmp_path / f"evil{suffix}"
    file.write_bytes(content)
    result = percuss("routines", "import", str(file), *PLACE)
    assert result.code == (2 if suffix == ".txt" else 8)
    assert "this should not have happened" not in result.err
    assert not (home / "routines").exists()


def test_a_file_that_is_not_there_is_told(percuss: Percuss) -> None:
    result = percuss("routines", "import", "none.zwo", *PLACE)
    assert (result.code, "cannot be read" in result.err) == (8, True)


def test_days_that_are_over_are_told_and_written_all_the_same(percuss: Percuss) -> None:
    # Its three sessions are on days 1, 3 and 5: see routines/programmes/rising.toml.
    result = percuss("programmes", "export", "rising", "--start", "2020-12-01", "--at", "19:00")
    assert result.code == 0
    assert "Take care: 3 of its 3 sessions lie in the past, from 2020-12-01 on." in result.err
    assert result.out.count("BEGIN:VEVENT") == 3
    begun = datetime.now(UTC).date() - timedelta(days=2)
    result = percuss("programmes", "export", "rising", "--start", f"{begun}", "--at", "00:00", "--zone", "UTC")
    assert "Take care: 2 of its 3 sessions" in result.err


def test_a_start_to_come_is_no_reason_to_take_care(percuss: Percuss) -> None:
    result = percuss("programmes", "export", "rising", "--start", "2126-12-01", "--at", "19:00")
    assert (result.code, result.err) == (0, "")


def test_a_programme_is_no_routine_and_is_told_where_its_routines_are(percuss: Percuss, tmp_path: Path) -> None:
    result = percuss("routines", "export", "rising", str(tmp_path / "x.html"))
    assert result.code == 8
    assert "rising: is a programme, not a routine. `percuss programmes show rising` names its routines." in result.err
    assert not (tmp_path / "x.html").exists()


def test_a_programme_becomes_a_calendar(percuss: Percuss, tmp_path: Path) -> None:
    file = tmp_path / "rising.ics"
    when = ("--start", "2026-12-01", "--at", "19:00")
    assert percuss("programmes", "export", "rising", str(file), *when, "--zone", "Europe/Berlin").code == 0
    events = Calendar.from_ical(file.read_bytes()).walk("VEVENT")
    assert f"{events[0].decoded('dtstart'):%Y-%m-%d %H:%M %Z}" == "2026-12-01 19:00 CET"
    assert percuss("programmes", "export", "rising", *when).out.startswith("BEGIN:VCALENDAR")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--start", "2026-13-01", "--at", "19:00"), "--start"),
        (("--start", "2026-12-01", "--at", "25:00"), "--at"),
        (("--start", "9999-12-31", "--at", "19:00"), "--start"),
        (("--start", "2026-12-01", "--at", "19:00", "--zone", "Nowhere/At_all"), "--zone"),
        (("--start", "2026-12-01", "--at", "19:00", "--zone", "../../etc/passwd"), "--zone"),
        (("--start", "2026-12-01"), "--at"),
    ],
)
def test_a_day_hour_or_zone_that_is_none_is_told(percuss: Percuss, arguments: tuple[str, ...], what: str) -> None:
    result = percuss("programmes", "export", "rising", *arguments)
    assert result.code == 2
    assert what in result.err
