"""What blocks does so in a thread, to its end; and a session that is prepared keeps the loop turning."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from controller import api
from controller.journal import open_journal
from controller.service.threads import in_thread
from firmware_profiles.errors import PercussError


async def test_the_loop_turns_while_something_blocks_and_gets_what_it_gave() -> None:
    is_free = threading.Event()

    def work() -> str:
        assert is_free.wait(60)
        return "done"

    waiting = asyncio.create_task(in_thread(work))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    is_free.set()
    assert await waiting == "done"


async def test_what_it_raises_is_raised() -> None:
    def work() -> None:
        raise PercussError("it broke")

    with pytest.raises(PercussError, match="it broke"):
        await in_thread(work)


async def test_who_is_cancelled_meanwhile_gets_the_result_first_and_can_undo_it() -> None:
    is_free = threading.Event()
    undone = []

    async def do() -> None:
        made = await in_thread(lambda: is_free.wait(60) and "a record")
        try:
            await asyncio.sleep(60)
        finally:
            undone.append(made)

    doing = asyncio.create_task(do())
    await asyncio.sleep(0.01)
    for _ in range(2):
        doing.cancel()
        await asyncio.sleep(0.01)
    assert not doing.done()
    is_free.set()
    with pytest.raises(asyncio.CancelledError):
        await doing
    assert undone == ["a record"]


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "journal.sqlite"
    monkeypatch.setenv("PERCUSS_JOURNAL", f"sqlite:///{path}")
    open_journal().close()
    return path


async def test_a_journal_that_somebody_holds_does_not_hold_the_loop(journal: Path) -> None:
    holder = sqlite3.connect(journal, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")

    async def run() -> str:
        async with api.session(api.script("stretch calves:left 1s")) as session:
            return (await session.ended()).outcome

    running = asyncio.create_task(run())
    # A loop that the journal held up would not come to give it free, before it had given up.
    for _ in range(20):
        await asyncio.sleep(0.01)
        assert not running.done()
    holder.execute("ROLLBACK")
    holder.close()
    assert await running == "done"


async def test_who_gives_up_while_the_journal_is_held_leaves_no_session_that_seems_to_run(journal: Path) -> None:
    holder = sqlite3.connect(journal, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")  # it can be read, not written

    async def run() -> None:
        async with api.session(api.script("stretch calves:left 10s")):
            raise AssertionError("it began")

    running = asyncio.create_task(run())
    await asyncio.sleep(0.2)
    running.cancel()
    await asyncio.sleep(0.05)
    holder.execute("ROLLBACK")
    holder.close()
    with pytest.raises(asyncio.CancelledError):
        await running
    again = open_journal()
    assert again.unfinished() == []
    again.close()
