"""The record: what its format promises."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from simulators.clock import ManualClock, RunningClock
from simulators.recorder import Recorder, RecordFile
from tests.simulators.bench import Bench
from tests.simulators.test_clock import World
from tests.simulators.test_device import ASK_STATUS, RUN_1750, SHORT_STOP


def test_a_session_is_told_from_start_to_end() -> None:
    gun = Bench("theragun-gen4")
    gun.device.start()
    gun.device.record_link(is_connected=True, count=1)
    gun.write(RUN_1750)
    gun.wait(20)
    gun.write(SHORT_STOP)
    gun.wait(20)
    gun.write(ASK_STATUS, "00 01")
    gun.device.end()

    kinds = [entry["kind"] for entry in gun.entries]
    assert kinds[0] == "start"
    assert kinds[-1] == "end"
    assert [entry["hex"] for entry in gun.kinds("rx")] == [RUN_1750, SHORT_STOP, ASK_STATUS, "00 01"]
    assert [entry["hex"] for entry in gun.kinds("tx")] == ["BB 10 10 00 00 00 00 00 00 00 00 00 00 00 00"]
    assert [entry["hex"] for entry in gun.kinds("bad")] == ["00 01"]
    assert gun.entries[-1]["channels"] == {"head": {"ppm": 0, "level": 0}}
    stamps = [entry["t_s"] for entry in gun.entries]
    assert stamps == sorted(stamps)
    assert all("mono_s" in entry for entry in gun.entries)


def test_a_turning_motor_is_recorded_every_half_second_in_one_long_wait_too() -> None:
    gun = Bench("theragun-gen4")
    gun.write(RUN_1750)
    gun.wait(60)
    times = [entry["t_s"] for entry in gun.kinds("motor")]
    assert times[-1] >= 59.5
    assert max(after - before for before, after in pairwise(times)) <= 0.5 + 1e-6


def test_the_record_shows_the_motor_at_rest_at_the_moment_it_is_asked_to_turn() -> None:
    gun = Bench("theragun-gen4")
    gun.wait(100)
    gun.write(RUN_1750)
    assert [(e["t_s"], e["ppm"], e["level"]) for e in gun.kinds("motor")] == [(100, 0, 1750)]


def test_a_motor_at_rest_writes_nothing() -> None:
    gun = Bench("theragun-gen4")
    gun.device.start()
    before = len(gun.entries)
    gun.wait(3600)
    assert len(gun.entries) == before


def test_each_channel_has_its_own_lines() -> None:
    pad = Bench("nlr-hf8")
    pad.device.receive(b"M4128\r")
    pad.wait(5)
    assert {entry["channel"] for entry in pad.kinds("motor")} == {"right_back"}


def test_stamps_lie_on_the_machines_clock_at_the_speed_of_time() -> None:
    world = World()
    entries: list[dict[str, float]] = []
    recorder = Recorder(entries, RunningClock(60, mono=world))
    world.now_s += 10
    recorder.record("motor", t_s=60.0)
    recorder.record("motor", t_s=120.0)
    assert entries[1]["mono_s"] - entries[0]["mono_s"] == pytest.approx(1.0)


def test_every_line_is_in_the_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    file = RecordFile(path)
    recorder = Recorder(file, ManualClock())
    recorder.record("start", t_s=0.0, profile="grün")
    assert json.loads(path.read_text(encoding="utf-8"))["profile"] == "grün"
    file.close()
    file.close()
    recorder.record("end", t_s=1.0)
    assert len(path.read_text(encoding="utf-8").splitlines()) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_ends_the_record_but_not_the_device(caplog: pytest.LogCaptureFixture) -> None:
    file = RecordFile(Path("/dev/full"))
    recorder = Recorder(file, ManualClock())
    for _ in range(3):
        recorder.record("rx", t_s=0.0)
    assert sum("record ends here" in line for line in caplog.messages) == 1
