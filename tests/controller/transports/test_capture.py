from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.errors import LinkLostError, TransportError
from controller.transports import capture, open_url
from controller.transports.capture import CaptureFile, CaptureTap, TappedTransport, prepare_capture
from firmware_profiles.captures import CaptureError, Passed, read_capture
from firmware_profiles.library import BUNDLED
from firmware_profiles.loader import load_profile
from firmware_profiles.schema import Profile
from tests.firmware_profiles.test_redaction import with_pin
from tests.helpers.manual_clock import ManualClock
from tests.helpers.processes import percuss, simulator
from tests.helpers.replay import replayed
from tests.helpers.scripted_transport import ScriptedTransport

PAD = load_profile(BUNDLED / "nlr-hf8.toml")
STOP = b"M00\r"


@pytest.fixture
def file(tmp_path: Path) -> Iterator[CaptureFile]:
    made = CaptureFile(tmp_path / "capture.jsonl")
    yield made
    made.drain()


def lines(file: CaptureFile) -> list[dict[str, Any]]:
    """Everything that was written, once it is."""
    file.drain()
    return [json.loads(line) for line in file._path.read_text().splitlines()]


def tapped(file: CaptureFile, profile: Profile = PAD) -> tuple[TappedTransport, ScriptedTransport]:
    inner = ScriptedTransport(ManualClock(), lambda _: [b"ok\r"])
    return TappedTransport(inner, CaptureTap(inner.url, profile, file)), inner


async def opened(file: CaptureFile, profile: Profile = PAD) -> tuple[TappedTransport, ScriptedTransport, list[bytes]]:
    link, inner = tapped(file, profile)
    heard: list[bytes] = []
    await link.open(heard.append, lambda _: None)
    return link, inner, heard


async def test_what_passes_is_written_and_passes(file: CaptureFile) -> None:
    link, inner, heard = await opened(file)
    await link.write(STOP, with_response=True)
    await link.close()
    assert (inner.frames, heard, inner.is_open) == ([STOP], [b"ok\r"], False)
    header, tx, rx = lines(file)
    assert (header["schema"], header["profile"], header["over"]) == (1, "nlr-hf8", "serial")
    assert (tx["dir"], tx["hex"], tx["with_response"]) == ("tx", "4D 30 30 0D", True)
    assert (rx["dir"], rx["hex"]) == ("rx", "6F 6B 0D")
    assert "with_response" not in rx
    assert header["link"] == tx["link"] == rx["link"]
    assert 0 <= tx["t_s"] <= rx["t_s"]


async def test_what_is_written_can_be_read_again(file: CaptureFile) -> None:
    link, _, _ = await opened(file)
    await link.write(STOP, with_response=False)
    file.drain()
    assert [(one.direction, one.data) for one in read_capture(file._path) if isinstance(one, Passed)] == [
        ("tx", STOP),
        ("rx", b"ok\r"),
    ]


async def test_a_secret_an_address_and_a_serial_number_are_left_out(file: CaptureFile) -> None:
    profile = with_pin("4711")
    link, inner = tapped(file, profile)
    inner.identity = type(inner.identity)("F0:F1:C2:00:00:01", serial="SIM-0001")
    await link.open(lambda _: None, lambda _: None)
    await link.read_identity()
    for private in (b"PIN4711\x00", b"I am SIM-0001", bytes.fromhex("AA F0F1C2000001"), b"f0:f1:c2:00:00:01"):
        inner.say(private)
        await link.write(private, with_response=False)
    text = "\n".join(json.dumps(line) for line in lines(file))
    for private in (b"4711", b"SIM-0001", bytes.fromhex("F0F1C2000001"), b"f0:f1:c2"):
        assert private.hex(" ").upper() not in text
        assert private.decode("latin-1") not in text
    assert "scripted://" not in text
    assert [line["left_out_bytes"] for line in lines(file) if line.get("dir") == "tx"] == [8, 13, 7, 17]


async def test_errors_of_the_link_pass_untouched(file: CaptureFile) -> None:
    link, inner, _ = await opened(file)
    inner.refusal = LinkLostError("gone", where="here")
    with pytest.raises(LinkLostError) as told:
        await link.write(STOP, with_response=False)
    assert told.value is inner.refusal


async def test_a_lost_link_is_told_to_who_opened_it(file: CaptureFile) -> None:
    link, inner = tapped(file)
    losses: list[TransportError] = []
    await link.open(lambda _: None, losses.append)
    inner.drop()
    assert len(losses) == 1
    assert not link.is_open


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
async def test_a_full_disk_does_not_touch_the_link() -> None:
    full = CaptureFile(Path("/dev/full"))
    link, inner, heard = await opened(full)
    for _ in range(3):
        await link.write(STOP, with_response=False)
    full.drain()
    assert (inner.frames, heard) == ([STOP] * 3, [b"ok\r"] * 3)


async def test_a_folder_that_is_gone_does_not_touch_the_link(tmp_path: Path) -> None:
    lost = CaptureFile(tmp_path / "none" / "capture.jsonl")
    link, inner, _ = await opened(lost)
    await link.write(STOP, with_response=False)
    lost.drain()
    assert inner.frames == [STOP]


async def test_a_disk_that_hangs_does_not_hold_the_link_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A pipe that nobody reads: opening it for writing waits for ever.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setattr(capture, "MAX_WAITING", 4)
    hanging = CaptureFile(pipe)
    link, inner, _ = await opened(hanging)
    for _ in range(20):
        await link.write(STOP, with_response=False)
    assert len(inner.frames) == 20
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    hanging.drain()
    written = [json.loads(line) for line in os.read(reader, 65536).splitlines()]
    os.close(reader)
    # Some were dropped, and it is said how many: 41 lines in all.
    assert len(written) + sum(line.get("dropped_lines", 0) for line in written) <= 41
    assert len(written) < 41


async def test_a_tap_that_fails_does_not_touch_the_link() -> None:
    class Broken:
        def opening(self) -> None:
            raise RuntimeError

        def passed(self, *_: object, **__: object) -> None:
            raise RuntimeError

        def identified(self, _: object) -> None:
            raise RuntimeError

    inner = ScriptedTransport(ManualClock(), lambda _: [b"ok\r"])
    link, heard = TappedTransport(inner, Broken()), list[bytes]()
    await link.open(heard.append, lambda _: None)
    await link.write(STOP, with_response=False)
    assert (await link.read_identity()).serial == "S1"
    assert (inner.frames, heard) == ([STOP], [b"ok\r"])


@pytest.mark.skipif(os.name != "posix", reason="permissions of files")
async def test_the_file_is_private_also_when_it_was_there(tmp_path: Path) -> None:
    for name, made_before in (("new", False), ("old", True)):
        path = tmp_path / name
        if made_before:
            path.touch(0o644)
        prepare_capture_quietly(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def prepare_capture_quietly(path: Path) -> None:
    before = os.environ.get(capture.VARIABLE)
    try:
        prepare_capture(path)
    finally:
        if before is None:
            os.environ.pop(capture.VARIABLE, None)


def test_a_capture_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="cannot be written"):
        prepare_capture(tmp_path / "none" / "capture.jsonl")
    assert capture.VARIABLE not in os.environ


@pytest.mark.parametrize("kind", ["pty", "tcp"])
async def test_every_link_that_is_opened_is_captured_and_the_capture_replays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    script = [Passed("tx", b"M1128\r"), Passed("rx", b"one\r"), Passed("tx", STOP), Passed("rx", b"two\r")]
    path = tmp_path / "capture.jsonl"
    monkeypatch.setenv(capture.VARIABLE, str(path))

    async def talk(url: str) -> bytes:
        heard, changed = bytearray(), asyncio.Event()

        def hear(data: bytes) -> None:
            heard.extend(data)
            changed.set()

        link = open_url(url, PAD)
        await link.open(hear, lambda _: None)
        for frame, answered in ((b"M1128\r", 4), (STOP, 8)):
            await link.write(frame, with_response=False)
            while len(heard) < answered:
                changed.clear()
                await changed.wait()
        await link.close()
        return bytes(heard)

    with replayed(script, kind) as device:
        assert await talk(device.url) == b"one\rtwo\r"
        assert device.is_whole
    capture._files[path].drain()
    monkeypatch.delenv(capture.VARIABLE)
    # What was captured is a device as good as the first one.
    with replayed(read_capture(path), kind) as device:
        assert await talk(device.url) == b"one\rtwo\r"
        assert device.is_whole
        assert device.mismatch == ""


def test_without_the_variable_nothing_is_captured() -> None:
    assert not isinstance(open_url("/dev/null", PAD), TappedTransport)


def test_the_lines_before_a_kill_are_there(tmp_path: Path) -> None:
    path = tmp_path / "capture.jsonl"
    program = f"""
        import os, time
        from pathlib import Path
        from controller.transports.capture import CaptureFile
        file = CaptureFile(Path({str(path)!r}))
        file.write({{"dir": "tx", "hex": "00"}})
        while not Path({str(path)!r}).exists() or not Path({str(path)!r}).read_text().endswith("\\n"):
            time.sleep(0.01)
        os.kill(os.getpid(), 9)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False, timeout=100)
    assert list(read_capture(path)) == [Passed("tx", b"\0")]


def test_the_lines_before_an_orderly_end_are_there(tmp_path: Path) -> None:
    path = tmp_path / "capture.jsonl"
    program = f"""
        from pathlib import Path
        from controller.transports.capture import CaptureFile
        file = CaptureFile(Path({str(path)!r}))
        for number in range(100):
            file.write({{"dir": "tx", "hex": f"{{number:02X}}"}})
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=100)
    assert len(list(read_capture(path))) == 100


async def test_a_replay_notices_another_write() -> None:
    with replayed([Passed("tx", STOP), Passed("rx", b"ok\r")], "tcp") as device:
        link = open_url(device.url, PAD)
        await link.open(lambda _: None, lambda _: None)
        await link.write(b"M1128\r", with_response=False)
        assert await asyncio.to_thread(device.done.wait, 100)
        await link.close()
    assert device.mismatch.startswith("wanted 4d 30 30 0d")
    assert not device.is_whole


def test_a_captured_pairing_is_a_device_that_can_be_paired(tmp_path: Path) -> None:
    path = tmp_path / "pairing.jsonl"
    with simulator(tmp_path, "nlr-hf8", "--tcp") as pad:
        first = percuss("pair", pad.url, "--profile", "nlr-hf8", "--as", "pad", PERCUSS_CAPTURE=str(path))
        assert first.returncode == 0, first.stderr
        arrived = [bytes.fromhex(line["hex"]) for line in pad.recorded("rx")]
    captured = list(read_capture(path))
    # The simulator's own recorder saw the same bytes.
    assert b"".join(one.data for one in captured if isinstance(one, Passed)) == b"".join(arrived)
    with replayed(captured, "pty") as device:
        second = percuss("pair", device.url, "--profile", "nlr-hf8", "--as", "again")
        assert second.returncode == 0, second.stderr
        assert device.is_whole
        assert device.mismatch == ""
