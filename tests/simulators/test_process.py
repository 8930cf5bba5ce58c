"""The simulator as a process: how it starts, says so, and ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.simulators.bench import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="these ends are told by signals")

Start = Callable[..., Awaitable[asyncio.subprocess.Process]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
async def start(home: Path) -> AsyncIterator[Start]:
    started: list[asyncio.subprocess.Process] = []

    async def start(*arguments: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "simulators", *arguments),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env={**os.environ, "PERCUSS_HOME": str(home)},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _ready(process: asyncio.subprocess.Process) -> Any:
    assert process.stdout is not None
    return json.loads(await process.stdout.readline())


async def _control(facts: dict[str, Any], **request: Any) -> Any:
    host, port = facts["control"].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(json.dumps({"token": facts["token"], **request}).encode() + b"\n")
    answer = json.loads(await reader.readline())
    writer.close()
    return answer


def _entries(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


async def test_a_simulated_pad_runs_is_recorded_and_ends_on_sigterm(start: Start, home: Path, tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    process = await start("nlr-hf8", "--tcp", "--json", "--record", str(record), "--speed", "60", "--serial", "PAD-7")
    facts = await _ready(process)
    assert set(facts) == {"ready", "profile", "name", "url", "control", "token", "record", "pid", "speed"}
    assert (facts["profile"], facts["pid"], facts["speed"]) == ("nlr-hf8", process.pid, 60)
    assert facts["record"] == str(record)

    _, writer = await asyncio.open_connection("127.0.0.1", int(facts["url"].rsplit(":", 1)[1]))
    writer.write(b"M4128\r")
    await until(lambda: any(entry["kind"] == "motor" and entry["ppm"] == 1205 for entry in _entries(record)))
    writer.close()
    process.send_signal(signal.SIGTERM)
    said, talk = await process.communicate()

    assert process.returncode == 0
    assert said == b"", "the ready line is the only one"
    assert b"right_back at 1205 ppm" in talk
    entries = _entries(record)
    assert entries[0]["kind"] == "start"
    assert entries[0]["serial"] == "PAD-7"
    assert entries[-1]["kind"] == "end"
    assert entries[-1]["channels"]["right_back"] == {"ppm": 1205, "level": 128}
    assert list((home / "simulators").iterdir()) == []


async def test_it_is_announced_to_this_user_only_without_the_token(start: Start, home: Path) -> None:
    process = await start("nlr-hf8", "--tcp", "--json")
    facts = await _ready(process)
    (file,) = (home / "simulators").iterdir()
    assert file.name == f"{process.pid}.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    announced = json.loads(file.read_text())
    assert announced == {key: value for key, value in facts.items() if key != "token"}


async def test_a_changed_speed_of_time_is_announced(start: Start, home: Path) -> None:
    facts = await _ready(await start("nlr-hf8", "--tcp", "--json"))
    assert (await _control(facts, do="speed", factor=30))["ok"]
    (file,) = (home / "simulators").iterdir()
    assert json.loads(file.read_text())["speed"] == 30


async def test_a_killed_simulator_leaves_an_announcement_of_a_dead_pid(start: Start, home: Path) -> None:
    process = await start("nlr-hf8", "--tcp", "--json")
    await _ready(process)
    process.kill()
    await process.wait()
    (file,) = (home / "simulators").iterdir()
    with pytest.raises(ProcessLookupError):
        os.kill(json.loads(file.read_text())["pid"], 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
async def test_ctrl_c_and_a_closed_terminal_end_it_cleanly(start: Start, home: Path, number: signal.Signals) -> None:
    process = await start("lcus-relay", "--json", "--link", str(home.parent / "relay"))
    assert (await _ready(process))["url"] == str(home.parent / "relay")
    process.send_signal(number)
    _, talk = await process.communicate()
    assert process.returncode == 0
    assert b"stood still" in talk
    assert b"Traceback" not in talk
    assert not (home.parent / "relay").is_symlink()


async def test_it_ends_when_its_parent_goes(start: Start) -> None:
    process = await start("nlr-hf8", "--tcp", "--json", "--until-stdin-closes")
    await _ready(process)
    assert process.stdin is not None
    process.stdin.close()
    await process.communicate()
    assert process.returncode == 0


async def test_the_control_socket_ends_it(start: Start) -> None:
    process = await start("nlr-hf8", "--tcp", "--json", "--clock", "manual")
    facts = await _ready(process)
    assert facts["speed"] == 1
    assert (await _control(facts, do="advance", by_s=5))["t_s"] == 5
    assert (await _control(facts, do="quit"))["ok"]
    await process.communicate()
    assert process.returncode == 0


async def test_a_person_is_told_what_to_type_next(start: Start) -> None:
    process = await start("nlr-hf8", "--tcp", "--name", "Seat")
    assert process.stdout is not None
    said = ""
    while "Ctrl-C" not in said:
        said += (await process.stdout.readline()).decode()
    url = said.splitlines()[1].strip()
    assert url.startswith("socket://127.0.0.1:")
    assert "'Seat'" in said
    assert f"percuss pair {url} --profile nlr-hf8" in said


async def test_a_theragun_is_on_virtual_bluetooth_unless_told_otherwise(start: Start) -> None:
    process = await start("theragun-gen4", "--json", "--address", "C0:00:00:00:00:07")
    facts = await _ready(process)
    assert facts["url"].startswith("ble://C0:00:00:00:00:07?hci=tcp-client:127.0.0.1:")
    assert facts["name"] == "Elite"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["theragun-gen4", "--tcp"], 2, "speaks Bluetooth LE"),
        (["nlr-hf8", "--ble"], 2, "speaks a serial line"),
        (["nlr-hf9"], 2, "Did you mean 'nlr-hf8'?"),
        (["nlr-hf8", "--speed", "0"], 2, "--speed"),
        (["nlr-hf8", "--tcp", "--link", "x"], 2, "--link means nothing with --tcp"),
        (["nlr-hf8", "--pty", "--port", "7"], 2, "--port means nothing with --pty"),
        (["nlr-hf8", "--parameter", "pin"], 2, "NAME=VALUE"),
        (["nlr-hf8", "--parameter", "pin=1"], 2, "no parameter 'pin'"),
        (["nlr-hf8", "--clock", "manual", "--speed", "2"], 2, "manual clock"),
        (["theragun-gen4", "--address", "00:11:22:33:44:55"], 2, "random static"),
        (["nlr-hf8", "--tcp", "--record", "/nowhere/at/all"], 8, "cannot be written"),
        (["missing.toml"], 8, "missing.toml"),
        ([], 2, "PROFILE"),
    ],
)
async def test_what_cannot_be_is_refused_with_a_sentence(
    start: Start, home: Path, arguments: list[str], code: int, told: str
) -> None:
    process = await start(*arguments)
    said, talk = await process.communicate()
    assert process.returncode == code
    assert told in talk.decode()
    assert b"Traceback" not in talk
    assert said == b""
    assert list(home.parent.iterdir()) == [], "nothing was left behind"


async def test_a_broken_profile_file_is_told_with_its_place(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("schema = 1\nid = \n")
    process = await start(str(path))
    _, talk = await process.communicate()
    assert process.returncode == 8
    assert f"{path}:2" in talk.decode()


async def test_a_taken_port_is_told(start: Start) -> None:
    facts = await _ready(await start("nlr-hf8", "--tcp", "--json"))
    process = await start("nlr-hf8", "--tcp", "--port", facts["url"].rsplit(":", 1)[1])
    _, talk = await process.communicate()
    assert process.returncode == 2
    assert "in use" in talk.decode()
    assert b"Traceback" not in talk
