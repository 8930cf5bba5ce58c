"""A person in front of a terminal: a session is followed on the screen, by ear, and driven by keys."""

from __future__ import annotations

import os
import re
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.processes import percuss, simulator
from tests.helpers.terminal import Terminal, in_terminal

STEPS = """schema = 1
name = "by-keys"
title = "Driven by keys"
closing_note = "Drink something."
[[steps]]
region = "lower_back"
side = "left"
technique = "effleurage"
duration = "45s"
move = "60s"
position = "seated"
tool = "massage-gun"
cue = "Up and down beside the spine."
[[steps]]
region = "hamstrings"
side = "right"
duration = "60s"
move = "60s"
[[steps]]
region = "quadriceps"
side = "left"
duration = "60s"
move = "60s"
[[steps]]
technique = "stretch"
duration = "60s"
"""

SHORT = """schema = 1
name = "short"
title = "Short"
closing_note = "Drink something."
[[steps]]
region = "calves"
side = "left"
duration = "{duration}"
move = {move}
cue = "Up each bulge."
"""

BODY_COLUMNS = range(60, 79)
"""Where the picture stands at 80 columns: 19 of them at the right, before the margin."""

MIDDLE = 69
"""The column of the spine."""

THREE = ("██████", "    ██", "██████", "    ██", "██████")
TWO = ("██████", "    ██", "██████", "██", "██████")
ONE = ("  ██", "████", "  ██", "  ██", "██████")


@pytest.fixture
def by_keys(tmp_path: Path) -> str:
    """A routine in which nothing ends soon: what happens, a key made."""
    path = tmp_path / "by-keys.toml"
    path.write_text(STEPS, encoding="utf-8")
    return str(path)


def short(folder: Path, duration: str, move: float = 0) -> str:
    path = folder / "short.toml"
    path.write_text(SHORT.format(duration=duration, move=move), encoding="utf-8")
    return str(path)


def marks(terminal: Terminal, mark: str) -> list[tuple[int, int]]:
    """The lines and columns of a mark in the picture, the title above and the explanation below it aside."""
    lines = {row: line for row, line in enumerate(terminal.lines) if row and "# now" not in line}
    return [
        (row, column) for row, line in lines.items() for column in BODY_COLUMNS if line[column : column + 1] == mark
    ]


def left_in_all_s(terminal: Terminal) -> int:
    found = re.search(r"(\d+):(\d\d) left in all", terminal.lines[0])
    assert found is not None, terminal.lines[0]
    return 60 * int(found.group(1)) + int(found.group(2))


def is_shown_large(frame: str, digit: tuple[str, ...]) -> bool:
    """Whether five lines at the left show a digit and nothing beside it; the bar below it is another character."""
    words = [line[:59].strip("\n") for line in frame.splitlines()]
    large = [line[1:].rstrip() for line in words if "█" in line]
    return tuple(large) == digit


def test_a_whole_session_is_driven_by_keys(by_keys: str) -> None:
    with in_terminal("run", by_keys, "--sim", "theragun-gen4") as terminal:
        terminal.wait_shown("MOVE TO left lumbar paraspinal", "motor off")
        assert terminal.lines[0].startswith("─ by-keys · Elite ─")
        assert terminal.shows("NEXT left lumbar paraspinal, effleurage, 0:45")
        assert terminal.lines[-2].startswith(" q stop · t tingling, numb or shooting pain: stops · space pause")
        assert "0 to 10 how much it hurts" in terminal.lines[-1]
        assert terminal.shows("left   BACK   right")
        assert marks(terminal, "#")
        assert all(column < MIDDLE for _, column in marks(terminal, "#"))

        terminal.press("s")
        terminal.wait_shown("NOW left lumbar paraspinal", "effleurage · seated · massage gun", "asked 1400 ppm")
        assert terminal.shows("Up and down beside the spine.")
        assert terminal.shows("NEXT move to right hamstrings, 1:00")
        # Next is further down and on the other side.
        assert min(marks(terminal, ":")) > max(marks(terminal, "#"))
        assert all(column > MIDDLE for _, column in marks(terminal, ":"))

        terminal.press(" ")
        terminal.wait_shown("PAUSED", "Paused; the motor stops", "space go on", "reported at rest")
        before_s = left_in_all_s(terminal)
        terminal.press("e")
        terminal.wait_shown("15 s more here.")
        assert left_in_all_s(terminal) == before_s + 15
        terminal.press(" ")
        terminal.wait_shown("Going on, from rest.", "space pause")
        terminal.press("3")
        terminal.wait_shown("Pain 3 of 10.")

        terminal.press("s")
        terminal.wait_shown("MOVE TO right hamstrings")
        assert all(column > MIDDLE for _, column in marks(terminal, "#"))
        terminal.press("b")
        terminal.wait_shown("MOVE TO left lumbar paraspinal")
        terminal.press("q")
        assert terminal.end() == 3
        # The screen of before is back, with an account of the session.
        assert terminal.shows("connecting to Elite")
        assert not terminal.shows("left in all")
        assert re.search(r"by-keys: \d:\d\d of 6:45\n  0:\d\d  left lumbar paraspinal\n", "\n".join(terminal.lines))
        assert terminal.shows("Pain, 0 to 10: 3 between.")
        assert terminal.shows("Elite: stop confirmed by its status")
        assert terminal.shows("\nStopped.")


def test_seen_from_the_front_left_is_on_the_right(by_keys: str) -> None:
    with in_terminal("run", by_keys, "--no-device") as terminal:
        for place in ("MOVE TO left lumbar", "NOW left lumbar", "MOVE TO right ham", "NOW right ham"):
            terminal.wait_shown(place)
            terminal.press("s")
        terminal.wait_shown("MOVE TO left quadriceps", "right  FRONT   left")
        assert marks(terminal, "#")
        assert all(column > MIDDLE for _, column in marks(terminal, "#"))
        terminal.press("q")
        assert terminal.end() == 3


def test_without_any_device_it_says_by_hand_and_how_strong(by_keys: str) -> None:
    with in_terminal("run", by_keys, "--no-device") as terminal:
        terminal.wait_shown("by-keys · by hand")
        terminal.press("s")
        terminal.wait_shown("effleurage · seated · massage gun · by hand")
        # The gentle speed of the lower back.
        shown = " ".join(line[:59].strip() for line in terminal.lines)
        assert "not above 1400 percussions a minute" in shown
        assert not terminal.shows("asked")
        before_s = left_in_all_s(terminal)
        terminal.wait_until(lambda: left_in_all_s(terminal) <= before_s - 2)
        terminal.press("q")
        assert terminal.end() == 3
        assert terminal.shows("left lumbar paraspinal, by hand")


def test_after_a_resize_everything_is_there_and_nothing_remains(by_keys: str) -> None:
    with in_terminal("run", by_keys, "--no-device") as terminal:
        terminal.wait_shown("MOVE TO left lumbar")
        terminal.press("s")
        terminal.wait_shown("NOW left lumbar")
        terminal.press(" ")
        terminal.wait_shown("PAUSED", "space go on")  # nothing changes from here on
        large = terminal.lines
        terminal.resize(16, 60)
        terminal.wait_until(lambda: terminal.lines[0].endswith("left in all ─") and len(terminal.lines[0]) == 60)
        small = terminal.lines
        assert not terminal.shows("BACK")  # the picture goes first
        for shown in ("NOW left lumbar paraspinal", "Up and down beside the spine.", "PAUSED", "NEXT move to right"):
            assert terminal.shows(shown), shown
        assert small[-3].startswith(" q stop")
        assert small[-1].endswith("0 to 10 how much it hurts")
        terminal.resize(24, 80)
        terminal.wait_until(lambda: terminal.lines == large)
        terminal.resize(10, 40)
        terminal.wait_until(lambda: terminal.lines[0].endswith("left in all ─") and len(terminal.lines[0]) == 40)
        assert terminal.shows(" q stop")
        assert terminal.shows("NOW left lumbar paraspinal")
        terminal.resize(30, 120)
        terminal.wait_shown("left   BACK   right  right  FRONT   left")
        assert sum("NOW left lumbar" in line for line in terminal.lines) == 1
        terminal.press("q")
        assert terminal.end() == 3


def test_nothing_is_erased_and_only_what_changed_is_written(by_keys: str) -> None:
    with in_terminal("run", by_keys, "--no-device") as terminal:
        terminal.wait_shown("MOVE TO left lumbar")
        terminal.press(" ")
        terminal.wait_shown("PAUSED", "Paused; the motor stops")
        before = len(terminal.written)
        terminal.press("e")
        terminal.wait_shown("15 s more here.")
        terminal.wait_until(lambda: terminal.written.endswith("\x1b[?2026l"))
        lines = re.findall(r"\x1b\[(\d+);1H", terminal.written[before:])
        # The total above, at most five lines of the clock, its bar, and the message.
        assert len(lines) == len(set(lines)) <= 8
        terminal.press("q")
        assert terminal.end() == 3
    drawn = terminal.written.partition("\x1b[?1049h")[2].partition("\x1b[?1049l")[0]
    assert drawn
    assert not re.search(r"\x1b\[[0-3]?[JK]", drawn)


def test_three_two_one_can_be_read_from_afar(tmp_path: Path) -> None:
    # Slower than life, so that no machine is too busy to draw each of them.
    with in_terminal("run", short(tmp_path, "4s"), "--no-device", "--speed", "0.5") as terminal:
        assert terminal.end() == 0
    for digit in (THREE, TWO, ONE):
        assert any(is_shown_large(frame, digit) for frame in terminal.frames)
    assert terminal.shows("Done.\nDrink something.")


def test_half_way_is_said_on_the_screen(tmp_path: Path) -> None:
    with in_terminal("run", short(tmp_path, "20s"), "--no-device", "--speed", "2") as terminal:
        assert terminal.end() == 0
    assert any("half-way" in frame for frame in terminal.frames)


def test_in_place_is_asked_in_large_and_waited_for(tmp_path: Path) -> None:
    path = short(tmp_path, "60s", move=1)
    with in_terminal("run", path, "--no-device", "--wait-for-key") as terminal:
        terminal.wait_shown(">> Press space when you are in place.", "space I am in place")
        assert ">> Press space when you are in place." in terminal.reversed_text
        terminal.press(" ")
        terminal.wait_shown("NOW left calves", "space pause")
        terminal.press("q")
        assert terminal.end() == 3


@pytest.fixture
def gun(tmp_path: Path) -> Iterator[str]:
    """A paired gun that percuss takes for a real one: it asks how much it hurts."""
    apart = {**os.environ, "PERCUSS_HOME": str(tmp_path / "apart")}
    with simulator(tmp_path, "theragun-gen4", "--ble", environment=apart) as running:
        assert percuss("pair", running.url, "--profile", "theragun-gen4", "--as", "gun").returncode == 0
        assert percuss("screening", "--none").returncode == 0
        yield "gun"


def test_pain_is_asked_where_nobody_misses_it(gun: str, by_keys: str) -> None:
    with in_terminal("run", by_keys, "--on", gun) as terminal:
        terminal.wait_shown(">> How much does it hurt, before?", "FIRST left lumbar", "space go on without saying")
        assert ">> How much does it hurt, before?" in terminal.reversed_text
        terminal.press("2")
        terminal.wait_shown("MOVE TO left lumbar")
        assert not terminal.reversed_text.strip()
        terminal.press("s")
        terminal.wait_shown("NOW left lumbar")
        terminal.press("s")
        terminal.wait_shown("MOVE TO right hamstrings", ">> How much does it hurt now? 0 to 10.")
        terminal.press("3")
        terminal.wait_shown("Pain 3 of 10.")
        assert not terminal.shows(">>")
        terminal.press("sssss")  # two ways, two places, and the stretch
        terminal.wait_shown(">> How much does it hurt, after?", "Done.")
        terminal.press("1")
        assert terminal.end() == 0
        assert terminal.shows("Pain, 0 to 10: 2 before; 3 between; 1 after.")


def test_a_pipe_gets_every_line_and_no_more(tmp_path: Path) -> None:
    done = percuss("run", short(tmp_path, "20s", move=1), "--no-device", "--speed", "20")
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert lines[0] == "short, 0:21, on no device: by hand"
    assert lines[1].startswith("[0:01] Move to left calves: ")
    assert "Next: " not in done.stderr
    assert lines[2].startswith("[0:20] Now left calves, percussion, by hand: Up each bulge. (Clot check first:")
    assert lines[2].endswith("not above 1600 percussions a minute.)")
    assert lines[3:] == ["Half-way.", "3 2 1", "Done.", "Drink something."]
    assert "\a" not in done.stderr
    assert "\x1b" not in done.stderr


def test_a_terminal_that_cannot_draw_gets_lines_and_hears_keys(by_keys: str) -> None:
    with in_terminal("run", by_keys, "--no-device", environment={"TERM": "dumb"}) as terminal:
        terminal.wait_for("Keys: q stop; t tingling")
        terminal.wait_for("Move to left lumbar paraspinal")
        terminal.press("s")
        # 80 columns, and no word is broken.
        terminal.wait_for("Now left lumbar paraspinal, effleurage, by hand: Up and down beside the\r\nspine.")
        terminal.press("q")
        assert terminal.end() == 3
        assert "Stopped." in terminal.screen
    assert "\x1b" not in terminal.written


def test_a_terminal_without_unicode_gets_a_picture_all_the_same(by_keys: str) -> None:
    with in_terminal("run", by_keys, "--no-device", environment={"PYTHONIOENCODING": "ascii"}) as terminal:
        terminal.wait_shown("MOVE TO left lumbar", "left   BACK   right", "######", " q stop | t tingling")
        terminal.press("q")
        assert terminal.end() == 3
    drawn = terminal.written.partition("\x1b[?1049h")[2].partition("\x1b[?1049l")[0]
    assert drawn.isascii()
    assert "\\u" not in drawn


@pytest.mark.parametrize(
    ("options", "environment", "is_heard"),
    [
        ((), {}, True),
        ((), {"PERCUSS_SOUND": "bell"}, True),
        (("--no-sound",), {}, False),
        ((), {"PERCUSS_SOUND": "off"}, False),
    ],
)
def test_the_bell_rings_unless_it_is_off(
    tmp_path: Path, options: tuple[str, ...], environment: dict[str, str], is_heard: bool
) -> None:
    command = ("run", short(tmp_path, "5s"), "--no-device", "--speed", "5", *options)
    with in_terminal(*command, environment=environment) as terminal:
        assert terminal.end() == 0
    assert ("\a" in terminal.written) is is_heard


def test_a_sound_that_does_not_exist_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with in_terminal("run", short(tmp_path, "5s"), "--no-device", environment={"PERCUSS_SOUND": "loud"}) as terminal:
        assert terminal.end() == 2
    assert "PERCUSS_SOUND is 'loud': choose bell, wav or off." in " ".join(terminal.screen.split())
    assert not terminal.frames


PLAYER = """#!/bin/sh
cp "$1" "{heard}/$$-$(basename "$1")"
{then}
"""


def player(folder: Path, then: str) -> tuple[str, Path]:
    """A player on the PATH that keeps what it is given to play; what to set PATH to, and where it keeps it."""
    heard, programs = folder / "heard", folder / "programs"
    heard.mkdir()
    programs.mkdir()
    program = programs / "pw-play"
    program.write_text(PLAYER.format(heard=heard, then=then), encoding="utf-8")
    program.chmod(0o755)
    return f"{programs}{os.pathsep}{os.environ['PATH']}", heard


def test_tones_go_to_the_player_of_the_system(tmp_path: Path) -> None:
    path, heard = player(tmp_path, "exit 0")
    command = ("run", short(tmp_path, "4s"), "--no-device", "--speed", "0.5")
    with in_terminal(*command, environment={"PERCUSS_SOUND": "wav", "PATH": path}) as terminal:
        assert terminal.end() == 0
    assert "\a" not in terminal.written
    played = [file.name.partition("-")[2] for file in heard.iterdir()]
    assert sorted(played) == ["done.wav", "start.wav", "tick.wav", "tick.wav", "tick.wav"]
    for file in heard.iterdir():
        with wave.open(str(file)) as tone:
            assert tone.getnchannels() == 1
            assert 0 < tone.getnframes() / tone.getframerate() < 1


def test_a_player_that_never_ends_holds_nothing_up_and_is_ended(tmp_path: Path) -> None:
    path, heard = player(tmp_path, "exec sleep 1000")
    command = ("run", short(tmp_path, "4s"), "--no-device", "--speed", "0.5")
    with in_terminal(*command, environment={"PERCUSS_SOUND": "wav", "PATH": path}) as terminal:
        assert terminal.end() == 0
    players = [int(file.name.partition("-")[0]) for file in heard.iterdir()]
    assert players
    for number in players:
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)


def test_where_the_player_fails_the_bell_rings(tmp_path: Path) -> None:
    path, _ = player(tmp_path, "exit 1")
    command = ("run", short(tmp_path, "4s"), "--no-device", "--speed", "0.5")
    with in_terminal(*command, environment={"PERCUSS_SOUND": "wav", "PATH": path}) as terminal:
        assert terminal.end() == 0
    assert "\a" in terminal.written
