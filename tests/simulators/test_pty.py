"""The pseudo-terminal, opened as a serial program does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from firmware_profiles.errors import PercussError
from simulators.adapters.pty import PtyAdapter
from tests.simulators.bench import until

pytestmark = pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo-terminals here")


class Ears:
    """Collects what a device hears."""

    def __init__(self) -> None:
        self.heard = b""
        self._changed = asyncio.Event()

    def __call__(self, data: bytes, /, *, with_response: bool | None = None) -> bool:
        self.heard += data
        self._changed.set()
        return True

    async def until(self, wanted: bytes) -> None:
        while self.heard != wanted:
            self._changed.clear()
            await self._changed.wait()


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
async def pty(ears: Ears, tmp_path: Path) -> AsyncIterator[PtyAdapter]:
    adapter = PtyAdapter(ears, link=tmp_path / "massager")
    await adapter.start()
    yield adapter
    await adapter.close()


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _open(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_NOCTTY)


async def test_every_byte_goes_both_ways_unchanged(pty: PtyAdapter, ears: Ears) -> None:
    every_byte = bytes(range(256))
    host = _open(pty.url)
    try:
        os.write(host, every_byte)
        await ears.until(every_byte)
        pty.send(every_byte)
        got = b""
        while len(got) < 256:
            got += await asyncio.to_thread(os.read, host, 256)
        assert got == every_byte
    finally:
        os.close(host)


async def test_the_path_stays_good_while_hosts_come_and_go(pty: PtyAdapter, ears: Ears) -> None:
    for number in range(5):
        host = _open(pty.url)
        os.write(host, b"%d" % number)
        os.close(host)
    await ears.until(b"01234")
    assert pty.connection_count == 1


async def test_a_broken_link_hangs_up_and_comes_back_behind_the_same_link(pty: PtyAdapter, ears: Ears) -> None:
    host = _open(pty.url)
    await pty.drop_link(3600)
    assert pty.connection_count == 0
    with pytest.raises(OSError, match="Input/output"):
        os.write(host, b"x")
    os.close(host)

    await pty.restore_link()
    host = _open(pty.url)
    os.write(host, b"back")
    await ears.until(b"back")
    os.close(host)


async def test_a_broken_link_comes_back_by_itself(pty: PtyAdapter, ears: Ears) -> None:
    await pty.drop_link(0.01)
    await until(lambda: pty.connection_count)
    host = _open(pty.url)
    os.write(host, b"back")
    await ears.until(b"back")
    os.close(host)


async def test_without_a_link_the_url_is_the_terminal_itself(ears: Ears) -> None:
    adapter = PtyAdapter(ears)
    await adapter.start()
    host = _open(adapter.url)
    assert os.isatty(host)
    os.close(host)
    await adapter.close()


async def test_what_nobody_reads_is_lost_and_stops_nothing(pty: PtyAdapter) -> None:
    for _ in range(200):
        pty.send(bytes(1000))


async def test_closing_takes_the_link_away_and_may_be_done_twice(pty: PtyAdapter, tmp_path: Path) -> None:
    await pty.close()
    await pty.close()
    assert _names(tmp_path) == []
    pty.send(b"to nobody")


async def test_a_stale_link_is_replaced_but_a_file_is_not(ears: Ears, tmp_path: Path) -> None:
    stale, file = tmp_path / "stale", tmp_path / "file"
    stale.symlink_to(tmp_path / "gone")
    file.write_text("mine")
    adapter = PtyAdapter(ears, link=stale)
    await adapter.start()
    assert stale.exists()
    await adapter.close()
    with pytest.raises(PercussError, match="no symbolic link"):
        await PtyAdapter(ears, link=file).start()
    assert file.read_text() == "mine"


async def test_a_link_taken_over_by_another_simulator_is_left_to_it(ears: Ears, tmp_path: Path) -> None:
    link = tmp_path / "link"
    first, second = PtyAdapter(ears, link=link), PtyAdapter(ears, link=link)
    await first.start()
    await second.start()
    await first.close()
    assert link.is_symlink()
    await second.close()


async def test_a_link_in_a_folder_that_is_not_there_leaves_nothing_open(ears: Ears, tmp_path: Path) -> None:
    adapter = PtyAdapter(ears, link=tmp_path / "missing" / "link")
    with pytest.raises(OSError, match="No such file"):
        await adapter.start()
    await adapter.close()
    assert adapter.connection_count == 0
