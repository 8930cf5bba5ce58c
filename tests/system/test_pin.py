"""A device that does nothing before its PIN came: asked for, kept, and sent on every link, also to stop."""

import json
from pathlib import Path

from tests.helpers.processes import RunningSimulator, percuss, simulator

ROUTINE = """
schema = 1
name = "both-calves"
title = "Both calves"

[[steps]]
region = "calves"
side = "both"
technique = "percussion"
intensity = "gentle"
duration = "45s"
"""
PIN_1234 = "1E 01 02 03 04 00"


def frames(bed: RunningSimulator) -> list[str]:
    return [line["hex"] for line in bed.recorded("rx")]


def test_a_pin_is_asked_for_kept_and_sent_before_anything_else(tmp_path: Path) -> None:
    routine = tmp_path / "both-calves.toml"
    routine.write_text(ROUTINE, encoding="utf-8")
    with simulator(tmp_path, "jensen", "--ble", "--speed", "60", "--parameter", "pin=1234") as bed:
        pair = ("pair", bed.url, "--profile", "jensen", "--as", "bed")
        short = percuss(*pair, "--parameter", "pin=12345")
        assert (short.returncode, "12345" in short.stderr) == (2, False), short.stderr
        assert percuss(*pair, "--parameter", "pin", typed="1234\n").returncode == 0
        shown = percuss("devices", "--json").stdout
        assert "1234" not in shown
        run = percuss("run", str(routine), "--on", "bed", "--speed", "60", "--json")
        assert run.returncode == 0, run.stderr
        assert "1234" not in run.stderr
        assert any(line["level"] for line in bed.recorded("motor")), "it let itself be driven"
        assert not any(json.loads(line)["event"] == "bytes_ignored" for line in run.stdout.splitlines())
        before = len(frames(bed))
        assert percuss("stop", "bed").returncode == 0
        assert PIN_1234 in frames(bed)[before:], "a new link is greeted, also to stop"


def test_with_another_pin_it_does_nothing(tmp_path: Path) -> None:
    routine = tmp_path / "both-calves.toml"
    routine.write_text(ROUTINE, encoding="utf-8")
    with simulator(tmp_path, "jensen", "--ble", "--speed", "60", "--parameter", "pin=1234") as bed:
        assert percuss("pair", bed.url, "--profile", "jensen", "--as", "bed").returncode == 0
        percuss("run", str(routine), "--on", "bed", "--speed", "60")
        assert not any(line["level"] for line in bed.recorded("motor"))
