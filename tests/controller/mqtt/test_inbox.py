"""Stops that come while another stop is under way: what was started in between is stopped too."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from controller import api
from controller.events import PainTold
from controller.mqtt.admission import LONGEST, Admission
from controller.mqtt.choices import Choices
from controller.mqtt.commands import Halt, Pain
from controller.mqtt.inbox import Inbox, Publish
from controller.mqtt.obeying import Obeying
from controller.mqtt.topics import Topics
from controller.service import emergency
from controller.station import Order, Station, open_station
from tests.helpers.bridge import is_idle, until_at_rest
from tests.helpers.broker import stamp
from tests.helpers.motor import SPEED, has_turned, paired_gun
from tests.helpers.processes import RunningSimulator, percuss, simulator

SCRIPT = "calves:left gentle 120s"


class SlowToAnswer(Obeying):
    """The real one; but what the first stop came to is told only when the test lets it."""

    def __init__(self, station: Station) -> None:
        super().__init__(station, Choices())
        self.may_answer = asyncio.Event()
        self.has_stopped = asyncio.Event()

    async def halt(self, command: Halt | Pain) -> str:
        said = await super().halt(command)
        if not self.has_stopped.is_set():
            self.has_stopped.set()
            await self.may_answer.wait()
        return said


@pytest.fixture
def gun(tmp_path: Path) -> Iterator[RunningSimulator]:
    with paired_gun(tmp_path) as device:
        yield device


def inbox_of(obeying: Obeying, publish: Publish) -> Inbox:
    """An inbox of a service that has been there for a while."""
    long_ago = Admission(datetime.now(UTC) - LONGEST - timedelta(seconds=1))
    return Inbox(obeying, Topics("percuss", "0" * 12, "homeassistant"), publish, long_ago)


def send(inbox: Inbox, **values: Any) -> None:
    inbox.take(json.dumps(values).encode(), is_retained=False, connected_s=60.0)


def is_preparing(station: Station) -> bool:
    return station.starting_by is not None


async def until_driving(gun: RunningSimulator) -> None:
    while not has_turned(gun):  # noqa: ASYNC110 - it is another process
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("again", ["stop", "nerve_sign", "emergency_stop"])
async def test_a_stop_stops_what_was_started_since_the_one_before_which_is_not_done_yet(
    gun: RunningSimulator, again: str
) -> None:
    answers: list[dict[str, Any]] = []
    async with open_station() as station:
        obeying = SlowToAnswer(station)
        inbox = inbox_of(obeying, lambda _, said: answers.append(said))
        working = asyncio.create_task(inbox.work())
        send(inbox, do=again, id="first")
        await obeying.has_stopped.wait()
        station.clear("a test")
        send(inbox, do="start", script=SCRIPT, massager="gun", speed=SPEED, **stamp())
        await until_driving(gun)
        assert not is_idle(station)
        send(inbox, do=again, id="second")
        await until_at_rest(gun)
        obeying.may_answer.set()
        await inbox.halted()
        assert is_idle(station)
        assert {"first", "second"} <= {each["id"] for each in answers}
        assert all(each["ok"] for each in answers), answers
        working.cancel()


async def test_a_stop_stops_what_is_being_prepared_while_another_is_under_way(gun: RunningSimulator) -> None:
    async with open_station() as station:
        obeying = SlowToAnswer(station)
        inbox = inbox_of(obeying, lambda _topic, _said: None)
        working = asyncio.create_task(inbox.work())
        send(inbox, do="stop")
        await obeying.has_stopped.wait()
        send(inbox, do="start", script=SCRIPT, massager="gun", speed=SPEED, **stamp())
        while not is_preparing(station):  # noqa: ASYNC110
            await asyncio.sleep(0)
        send(inbox, do="stop")
        while is_preparing(station):  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert is_idle(station)
        obeying.may_answer.set()
        await inbox.halted()
        working.cancel()
    assert not has_turned(gun)


async def test_a_start_that_another_door_has_stopped_while_it_waited_does_not_begin(gun: RunningSimulator) -> None:
    answers: list[dict[str, Any]] = []
    async with open_station() as station:
        inbox = inbox_of(Obeying(station, Choices()), lambda _, said: answers.append(said))
        send(inbox, do="start", script=SCRIPT, massager="gun", speed=SPEED, **stamp())
        await station.stop("stopped by another door")
        working = asyncio.create_task(inbox.work())
        while not answers:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert not answers[0]["ok"]
        assert is_idle(station)
        working.cancel()
    assert not has_turned(gun)


async def test_emergency_stops_in_a_row_do_not_get_into_each_others_way(tmp_path: Path, gun: RunningSimulator) -> None:
    """The second device is frozen, so that the first of them takes its time."""
    answers: list[dict[str, Any]] = []
    other = tmp_path / "other"
    other.mkdir()
    with simulator(other, "theragun-gen4", "--speed", str(SPEED)) as frozen:
        assert percuss("pair", frozen.url, "--profile", "theragun-gen4", "--as", "frozen").returncode == 0
        async with open_station() as station:
            obeying = Obeying(station, Choices())
            inbox = inbox_of(obeying, lambda _, said: answers.append(said))
            frozen.process.send_signal(signal.SIGSTOP)
            try:
                send(inbox, do="emergency_stop", id="first")
                while not emergency.is_engaged():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                for number in range(100):
                    send(inbox, do="emergency_stop", id=f"more-{number}")
                while len(answers) < 100:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                assert {each["said"] for each in answers} == {"everything is being stopped already"}
                # Cleared, a session begins; the emergency stop is a whole one again.
                station.clear("a test")
                await station.start(Order(what=api.script(SCRIPT), by="a test", massager="gun", speed=SPEED))
                await until_driving(gun)
                send(inbox, do="emergency_stop", id="again")
                await until_at_rest(gun)
            finally:
                frozen.process.send_signal(signal.SIGCONT)
            await inbox.halted()
            assert is_idle(station)
            assert emergency.is_engaged()


async def test_what_nobody_thought_of_keeps_no_later_command_and_no_stop_away(
    gun: RunningSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    """The way out fails as nobody expects: for what cannot be read, for an answer, and while a stop is obeyed."""
    answers: list[dict[str, Any]] = []

    def publish(_topic: str, said: dict[str, Any]) -> None:
        answers.append(said)
        raise ZeroDivisionError(f"answer {len(answers)}")

    async with open_station() as station:
        inbox = inbox_of(Obeying(station, Choices()), publish)
        working = asyncio.create_task(inbox.work())
        inbox.take(b"nonsense", is_retained=False, connected_s=60.0)
        send(inbox, do="skip", **stamp())
        while len(answers) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        send(inbox, do="start", script=SCRIPT, massager="gun", speed=SPEED, **stamp())
        await until_driving(gun)
        for _ in range(3):  # the worker takes the first; the others are there to be answered
            send(inbox, do="softer", **stamp())
        send(inbox, do="stop")
        await until_at_rest(gun)
        await inbox.halted()
        assert is_idle(station)
        assert not working.done()
        working.cancel()
    assert {"answer 1", "answer 2"} <= {str(record.exc_info[1]) for record in caplog.records if record.exc_info}


async def test_pain_that_stops_stops_late_unstamped_and_past_what_waits(gun: RunningSimulator) -> None:
    answers: list[dict[str, Any]] = []
    async with open_station() as station:
        inbox = inbox_of(Obeying(station, Choices()), lambda _, said: answers.append(said))
        working = asyncio.create_task(inbox.work())
        send(inbox, do="start", script=SCRIPT, massager="gun", speed=SPEED, **stamp())
        await until_driving(gun)
        assert station.running is not None
        live = station.running.live
        send(inbox, do="pain", score=6)
        assert "no id or no expires_at" in answers[-1]["said"]
        inbox.take(json.dumps({"do": "pain", "score": 8, **stamp(-3600.0)}).encode(), is_retained=True, connected_s=0.0)
        ended = await live.ended()
        assert (ended.outcome, ended.reason.partition(":")[0]) == ("stopped", "Pain of 8 of 10 ends the session")
        await until_at_rest(gun)
        await inbox.halted()
        assert is_idle(station)
        assert answers[-1]["ok"], answers
        told = [event for event in live.happened if isinstance(event, PainTold)]
        assert [(each.score, each.region) for each in told] == [(8, "calves")]
        send(inbox, do="pain", score=10)  # nothing runs: nothing happens
        await inbox.halted()
        assert answers[-1]["said"] == "nothing ran"
        working.cancel()
