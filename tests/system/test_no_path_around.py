"""No path around the supervisor: every way to reach a device is listed, and each tries to exceed the caps.

The limits are the published ones, written out here; nothing is taken from the code that keeps to them.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.cli import percuss as group
from controller.sessions import Request
from tests.helpers.motor import SPEED, is_at_rest, paired_gun, rpm_of
from tests.helpers.processes import HANG_S, RunningSimulator, percuss, simulator, started, wait_for_event
from tests.helpers.terminal import in_terminal

ROOT = Path(__file__).parents[2]

MOVES = {"run", "set", "demo", "serve"}
"""The commands that may move a motor. A new command must be put into one of these sets, and tried below.

What `serve` lets in is tried in test_no_path_through_doors.py.
"""

MOVES_NOTHING = {
    *("scan", "pair", "devices", "forget", "stop", "clear", "screening"),
    *("routines", "profiles", "simulate", "sniff", "probe", "doctor"),
    *("programmes", "history", "completion"),
}

UNVERIFIED_PPM = 2100
"""Nobody has verified a bundled profile: 87.5 % of 2400 is the most anywhere."""

CALVES_PPM, CALVES_S = 2100, 120.0
LUMBAR_PPM, LUMBAR_S = 1800, 60.0
STRICTEST_PPM = 1600
"""The heel's: what holds where no place is named."""


@pytest.fixture
def gun(tmp_path: Path) -> Iterator[RunningSimulator]:
    with paired_gun(tmp_path, "--ble") as device:
        yield device


def asked_ppm(gun: RunningSimulator) -> list[int]:
    """Every speed that it was told to run at."""
    return [rpm for line in gun.recorded("rx") if (rpm := rpm_of(line["hex"])) is not None]


def peak_ppm(gun: RunningSimulator) -> int:
    return max(asked_ppm(gun), default=0)


def driven_s(gun: RunningSimulator) -> float:
    """How long it was told to run, in its own seconds."""
    total_s, since_s = 0.0, None
    for line in gun.recorded("rx"):
        rpm = rpm_of(line["hex"])
        if rpm and since_s is None:
            since_s = float(line["t_s"])
        elif rpm == 0 and since_s is not None:
            total_s += float(line["t_s"]) - since_s
            since_s = None
    assert since_s is None, "it was never told to stop"
    return total_s


def routine(folder: Path, region: str, intensity: str, duration_s: float, *, repeat: int = 1) -> str:
    """The path of a routine for one place."""
    path = folder / "one-place.toml"
    path.write_text(
        'schema = 1\nname = "one-place"\ntitle = "One place"\n[[steps]]\n'
        f'region = "{region}"\nside = "left"\nintensity = "{intensity}"\nduration = {duration_s}\nrepeat = {repeat}\n',
        encoding="utf-8",
    )
    return str(path)


def test_every_command_is_known_to_move_a_motor_or_not() -> None:
    assert set(group.commands) == MOVES | MOVES_NOTHING
    assert not MOVES & MOVES_NOTHING


def test_commands_that_move_nothing_move_nothing(gun: RunningSimulator, home: Path) -> None:
    tried = [
        *(["scan", "--timeout", "1"], ["pair", gun.url, "--profile", "theragun-gen4", "--as", "gun"]),
        *(["devices"], ["stop", "gun"], ["stop", "--all"], ["clear"], ["screening", "--none"], ["doctor"]),
        *(["routines", "check"], ["profiles", "encode", "theragun-gen4", "set_level", "level=2400"]),
        *(["profiles", "check"], ["simulate", "--help"], ["sniff", "gun", "--for", "1"], ["probe", gun.url]),
        *(["programmes", "list"], ["history", "list"], ["completion", "bash"]),
        ["forget", "gun"],
    ]
    assert {command[0] for command in tried} == MOVES_NOTHING
    for command in tried:
        percuss(*command)
    assert peak_ppm(gun) == 0


def test_only_sessions_send_levels_and_only_three_places_open_a_device() -> None:
    """Whoever builds a Device or sends it a level is named here; everything else has to go through them."""
    builds, sends = set(), set()
    for path in (ROOT / "controller").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        is_ours = re.search(r"from controller\.devices(\.device)? import .*\bDevice\b", text)  # bumble has a Device too
        for node in ast.walk(ast.parse(text)):
            if is_ours and isinstance(node, ast.Call) and ast.unparse(node.func) == "Device":
                builds.add(path.relative_to(ROOT / "controller").as_posix())
            if isinstance(node, ast.Attribute) and node.attr == "send" and "device" in ast.unparse(node.value):
                sends.add(path.relative_to(ROOT / "controller").as_posix())
    assert builds == {"service/running.py", "service/emergency.py", "service/pairing.py"}
    assert sends == {"sessions/session.py", "timekeeping.py"}
    assert "SetLevel" not in (ROOT / "controller/timekeeping.py").read_text(encoding="utf-8"), "timers move nothing"


def test_only_running_makes_a_session() -> None:
    makers = {
        path.relative_to(ROOT / "controller").as_posix()
        for path in (ROOT / "controller").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"Session", "Supervisor"}
    }
    assert makers == {"service/running.py"}


@pytest.mark.parametrize("intensity", ["100%", "88%", "2101 ppm"])
def test_a_routine_cannot_ask_for_more(gun: RunningSimulator, tmp_path: Path, intensity: str) -> None:
    done = percuss("run", routine(tmp_path, "calves", intensity, 10), "--on", "gun", "--speed", str(SPEED))
    assert done.returncode == 4, done.stderr
    assert peak_ppm(gun) == 0


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["set", "gun", "100%", "--for", "5s", "--region", "calves"], 4),
        (["set", "gun", "76%", "--for", "5s", "--region", "lower_back"], 4),  # 1824 ppm
        (["set", "gun", "67%", "--for", "5s"], 4),  # 1608 ppm, and no place is named
        (["set", "gun", "50%", "--for", "121s", "--region", "calves"], 4),
        (["set", "gun", "50%", "--for", "61s", "--region", "lower_back"], 4),
        (["set", "gun", "1e9%", "--for", "5s"], 2),
        (["set", "gun", "40%", "--for", "5s", "--region", "spine"], 4),
        (["run", "one-place", "--on", "gun", "--speed", "1001"], 2),
    ],
)
def test_a_command_cannot_ask_for_more(gun: RunningSimulator, command: list[str], code: int) -> None:
    done = percuss(*command)
    assert done.returncode == code, done.stderr
    assert peak_ppm(gun) == 0


def test_words_stay_at_the_cap(gun: RunningSimulator, tmp_path: Path) -> None:
    done = percuss("run", routine(tmp_path, "lower_back", "firm", 45), "--on", "gun", "--speed", str(SPEED))
    assert done.returncode == 0, done.stderr
    assert 0 < peak_ppm(gun) <= LUMBAR_PPM


def test_a_routine_cannot_repeat_a_place_beyond_its_time(gun: RunningSimulator, tmp_path: Path) -> None:
    endless = routine(tmp_path, "lower_back", "gentle", 45, repeat=2)
    assert percuss("run", endless, "--on", "gun", "--speed", str(SPEED)).returncode == 4
    assert peak_ppm(gun) == 0


KEYS = {
    Request.STRONGER: "+",
    Request.SOFTER: "-",
    Request.EXTRA: "e",
    Request.BACK: "b",
    Request.SKIP: "s",
    Request.PAUSE: " ",
    Request.RESUME: " ",
    Request.TOGGLE: " ",
}


@pytest.mark.parametrize("request_", list(Request), ids=lambda request: request.name.lower())
def test_no_key_leads_beyond_a_cap(gun: RunningSimulator, tmp_path: Path, request_: Request) -> None:
    """Every request that a person can make, over and over, with everything else that helps it."""
    path = routine(tmp_path, "lower_back", "firm", 45)
    with in_terminal("run", path, "--on", "gun", "--speed", str(SPEED)) as terminal:
        terminal.wait_until(lambda: peak_ppm(gun) > 0)
        key = KEYS[request_]
        for _ in range(40):
            terminal.press(key + "+" + ("e" if request_ is not Request.SKIP else ""))
            if KEYS[request_] == " ":
                terminal.press(" ")
            terminal.wait_until(lambda: True)
        terminal.end()
    assert peak_ppm(gun) <= LUMBAR_PPM
    # The motor is told to stop some milliseconds after its time, which run fast here.
    assert driven_s(gun) <= LUMBAR_S + 0.2 * SPEED
    assert is_at_rest(gun)


def test_a_reconnect_starts_from_rest_and_stays_below(gun: RunningSimulator, tmp_path: Path) -> None:
    path = routine(tmp_path, "lower_back", "firm", 45)
    with in_terminal("run", path, "--on", "gun", "--speed", str(SPEED)) as terminal:
        for _ in range(3):
            before = len(asked_ppm(gun))
            terminal.wait_until(lambda before=before: any(asked_ppm(gun)[before:]))  # type: ignore[misc]
            gun.control(do="inject", fault="drop_link", for_s=0.3)
            terminal.wait_for("is back and was stopped")
            terminal.press(" ")
        terminal.end()
    assert peak_ppm(gun) <= LUMBAR_PPM
    assert driven_s(gun) <= LUMBAR_S + 0.5 * SPEED


def test_a_restart_does_not_take_up_where_the_last_one_was_killed(gun: RunningSimulator, tmp_path: Path) -> None:
    path = routine(tmp_path, "lower_back", "firm", 45)
    with started("run", path, "--on", "gun", "--speed", str(SPEED), "--json") as first:
        wait_for_event(first, "level_asked")
        first.kill()
        first.wait(HANG_S)
    before = len(asked_ppm(gun))
    done = percuss("run", path, "--on", "gun", "--speed", str(SPEED))
    assert done.returncode == 0, done.stderr
    again = asked_ppm(gun)[before:]
    first_level = next(rpm for rpm in again if rpm)
    assert again[0] == 0, "Stop goes first"
    assert first_level <= 250, "and then it climbs from rest"
    assert peak_ppm(gun) <= LUMBAR_PPM


def test_a_file_of_ones_own_cannot_loosen_a_cap(gun: RunningSimulator, home: Path, tmp_path: Path) -> None:
    (home / "limits.toml").write_text(
        'schema = 1\ncap = "100%"\nsession = "15m"\n[regions.lower_back]\ncap = "100%"\ntime = "900s"\n'
        '[devices.gun]\ncap = "100%"\n',
        encoding="utf-8",
    )
    assert percuss("set", "gun", "76%", "--for", "5s", "--region", "lower_back").returncode == 4
    assert percuss("set", "gun", "50%", "--for", "61s", "--region", "lower_back").returncode == 4
    assert peak_ppm(gun) == 0


def test_a_profile_of_ones_own_is_held_like_any_other(tmp_path: Path, home: Path) -> None:
    """A copy of a profile under another name, which claims a louder scale, still meets the places' caps."""
    bundled = (ROOT / "firmware_profiles/bundled/theragun-gen4.toml").read_text(encoding="utf-8")
    (home / "profiles").mkdir()
    own = bundled.replace('id = "theragun-gen4"', 'id = "loud-gun"').replace("full = 2400", "full = 3584")
    (home / "profiles" / "loud-gun.toml").write_text(own, encoding="utf-8")
    with simulator(tmp_path, "loud-gun", "--ble", "--speed", str(SPEED), environment=dict(os.environ)) as gun:
        assert percuss("pair", gun.url, "--profile", "loud-gun", "--as", "loud").returncode == 0
        assert percuss("set", "loud", "51%", "--for", "5s", "--region", "lower_back").returncode == 4  # 1828 ppm
        path = routine(tmp_path, "lower_back", "firm", 45)
        assert percuss("run", path, "--on", "loud", "--speed", str(SPEED)).returncode == 0
        assert 0 < peak_ppm(gun) <= LUMBAR_PPM
