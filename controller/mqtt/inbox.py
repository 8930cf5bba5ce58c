"""What comes from the broker: a stop is obeyed at once, everything else in order, and each is answered."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from controller.errors import RefusedError
from controller.mqtt.admission import Admission
from controller.mqtt.commands import Command, Devices, Halt, Pain, UnreadableError, is_stop, read_command
from controller.mqtt.identity import remember_start
from controller.mqtt.obeying import Obeying
from controller.mqtt.topics import Topics
from firmware_profiles.errors import PercussError
from routines.exchange.strangers import plain

WAITING_MAX = 50
"""How many commands may wait for their turn."""

AGAIN_S = 60.0
"""What is wrong in the same way is logged again after so many seconds, with how often it was."""

SAID_MAX_CHARS = 500
"""How much of a sentence is logged: it may quote what a stranger sent."""

Publish = Callable[[str, dict[str, Any]], None]

_log = logging.getLogger(__name__)


class Inbox:
    """``publish`` takes a topic and an answer, and never waits.

    What goes wrong in a way nobody thought of is logged, and the next message is another's: it may be a stop.
    """

    def __init__(self, obeying: Obeying, topics: Topics, publish: Publish, admission: Admission) -> None:
        self._obeying = obeying
        self._topics = topics
        self._publish = publish
        self._admission = admission
        self._waiting: asyncio.Queue[tuple[Command, int]] = asyncio.Queue(WAITING_MAX)
        self._obeyed: asyncio.Task[str] | None = None
        self._halting: set[asyncio.Task[None]] = set()
        self._complaints = _Complaints()

    def take(self, payload: bytes, *, is_retained: bool, connected_s: float) -> None:
        """Take a message; never waits and never raises. An empty one is a broker's retained message being removed."""
        try:
            self._take(payload, is_retained=is_retained, connected_s=connected_s)
        except Exception:  # noqa: BLE001
            _log.exception("a message went wrong in a way nobody thought of")

    def _take(self, payload: bytes, *, is_retained: bool, connected_s: float) -> None:
        if not payload:
            return
        try:
            command = read_command(payload)
        except UnreadableError as problem:
            self._complaints.add("unreadable", f"a message on {self._topics.command} is no command: {problem}")
            self._answer(problem, is_ok=False, said=f"The message is no command: {problem}.")
            return
        if is_stop(command):
            if is_retained:
                _log.warning("a retained message stops (%s); remove it from the broker", command.do)
            self._halt(command)
            return
        try:
            self._admission.check(command, is_retained=is_retained, connected_s=connected_s)
            self._check_reply(command)
            self._waiting.put_nowait((command, self._obeying.stops))
        except RefusedError as problem:
            self._refuse(command, str(problem))
        except asyncio.QueueFull:
            self._refuse(command, "too many commands wait already.")

    async def work(self) -> None:
        """Obey what waits, one after the other, until cancelled; what was begun is not broken off by that."""
        while True:
            command, as_of = await self._waiting.get()
            try:
                await self._see_obeyed(command, as_of)
            except Exception:  # noqa: BLE001
                _log.exception("%s went wrong in a way nobody thought of", command.do)

    async def _see_obeyed(self, command: Command, as_of: int) -> None:
        self._obeyed = asyncio.create_task(self._obey(command, as_of), name=f"percuss mqtt {command.do}")
        await asyncio.wait({self._obeyed})
        obeyed, self._obeyed = self._obeyed, None
        if obeyed.cancelled():
            self._answer(command, is_ok=False, said="A stop came first.")
        else:
            self._tell_outcome(command, obeyed)

    async def _obey(self, command: Command, as_of: int) -> str:
        if isinstance(command, Devices):
            # First: the service after this one has to know, however this one ends.
            await asyncio.to_thread(remember_start, self._admission.latest_utc)
        return await self._obeying.obey(command, as_of=as_of)

    async def halted(self) -> None:
        """Wait until every stop that was asked for is done and answered."""
        if self._halting:
            await asyncio.wait(self._halting)

    def _halt(self, command: Halt | Pain) -> None:
        if self._obeyed is not None:
            self._obeyed.cancel()
        # Each anew, also while another is under way: since that one began, something may have been started.
        self._halting.add(task := asyncio.create_task(self._see_halted(command), name=f"percuss mqtt {command.do}"))
        task.add_done_callback(self._halting.discard)
        while not self._waiting.empty():
            self._answer(self._waiting.get_nowait()[0], is_ok=False, said="A stop came first.")

    async def _see_halted(self, command: Halt | Pain) -> None:
        halting = asyncio.ensure_future(self._obeying.halt(command))
        await asyncio.wait({halting})
        self._tell_outcome(command, halting)

    def _tell_outcome(self, command: Command, done: asyncio.Future[str]) -> None:
        problem = done.exception()
        if problem is None:
            _log.info("%s: %s", command.do, plain(done.result(), SAID_MAX_CHARS))
            self._answer(command, is_ok=True, said=done.result())
        elif isinstance(problem, PercussError):
            self._refuse(command, str(problem))
        else:
            _log.error("%s went wrong in a way nobody thought of: %r", command.do, problem)
            self._answer(command, is_ok=False, said="percuss itself failed; its log says more.")

    def _check_reply(self, command: Command) -> None:
        if command.reply_to is not None and not self._topics.may_answer_at(command.reply_to):
            raise RefusedError("reply_to is not allowed.", fix=f"Use a topic below {self._topics.reply}/.")

    def _refuse(self, command: Command, why: str) -> None:
        self._complaints.add(f"refused {command.do}", f"{command.do} was refused: {why}")
        self._answer(command, is_ok=False, said=why)

    def _answer(self, command: Command | UnreadableError, *, is_ok: bool, said: str) -> None:
        answer = {"ok": is_ok, "said": said, "at_utc": datetime.now(UTC).isoformat(timespec="milliseconds")}
        wanted, do = (None, None) if isinstance(command, UnreadableError) else (command.reply_to, command.do)
        topic = wanted if wanted is not None and self._topics.may_answer_at(wanted) else self._topics.reply
        self._publish(topic, {"id": command.id, "do": do, **answer})


class _Complaints:
    """Logs each kind of what is wrong once, and then at most every `AGAIN_S` seconds: a flood fills no disk."""

    def __init__(self) -> None:
        self._logged_s: dict[str, float] = {}
        self._held_back: Counter[str] = Counter()

    def add(self, kind: str, text: str) -> None:
        now_s = time.monotonic()
        if kind in self._logged_s and now_s - self._logged_s[kind] < AGAIN_S:
            self._held_back[kind] += 1
            return
        self._logged_s[kind] = now_s
        more = f" ({self._held_back.pop(kind)} more of the kind since)" if self._held_back[kind] else ""
        _log.warning("%s%s", plain(text, SAID_MAX_CHARS), more)
