"""The tutorial is walked through from its first step to its last, with the stand-in as the unknown device."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from firmware_profiles.captures import Passed, read_capture
from firmware_profiles.library import BUNDLED
from firmware_profiles.loader import load_profile
from tests.docs.test_documents import ROOT, play

TUTORIAL = ROOT / "docs/tutorial/add-a-device.md"
BESIDE = ("stranger.toml", "app.jsonl")
# Not ```console: those are run by test_documents, which has nothing lying beside a document.
BLOCK = re.compile(r"^```shell-session\n(.*?)^```", re.MULTILINE | re.DOTALL)


def steps() -> list[tuple[str, str]]:
    """The commands, each with what it is said to print; a command goes on behind a backslash."""
    found = []
    for block in BLOCK.findall(TUTORIAL.read_text(encoding="utf-8")):
        for piece in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = re.sub(r"\\\n\s*", "", piece).partition("\n")
            found.append((command, shown))
    return found


def test_the_stand_in_is_a_device_that_percuss_does_not_know() -> None:
    stranger = load_profile(TUTORIAL.parent / "stranger.toml")
    known = [load_profile(path) for path in BUNDLED.glob("*.toml")]
    assert stranger.id not in {profile.id for profile in known}
    names = {name.casefold() for profile in known for match in profile.match for name in match.name}
    assert not names & {name.casefold() for match in stranger.match for name in match.name}


@pytest.fixture
def walked(tmp_path: Path, home: Path) -> Path:
    """The folder after every step was taken, and had printed what the page shows."""
    for name in BESIDE:
        shutil.copy(TUTORIAL.parent / name, tmp_path)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    play(steps(), tmp_path, environment)
    return tmp_path


def test_every_step_does_what_the_page_shows(walked: Path, home: Path) -> None:
    written = load_profile(home / "profiles" / "kneadmate.toml")
    stranger = load_profile(walked / "stranger.toml")
    # What the reader found out is what the device does.
    assert written.commands == stranger.commands
    assert written.reports == stranger.reports
    assert written.ble == stranger.ble
    # And listening wrote nothing but the question.
    sniffed = [one for one in read_capture(walked / "mine.jsonl") if isinstance(one, Passed)]
    assert {one.data for one in sniffed if one.direction == "tx"} == {bytes.fromhex("5A 02 58")}
    assert [one for one in sniffed if one.direction == "rx"]
    assert "F0:F1:C2" not in (walked / "mine.jsonl").read_text()
    paired = json.loads((home / "devices.json").read_text())["devices"]
    assert paired["kneadmate"]["profile"] == "kneadmate"


def test_every_command_that_the_page_is_about_is_among_its_steps() -> None:
    told = "\n".join(command for command, _ in steps())
    for command in (
        *("scan", "probe", "profiles new", "profiles check", "profiles decode", "pair", "sniff", "set", "simulate"),
    ):
        assert f"percuss {command}" in told
