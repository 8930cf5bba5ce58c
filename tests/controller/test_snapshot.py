"""Snapshots of the service: what every door shows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from controller import api, screening
from controller.events import DeviceReported, LevelAsked, PainAsked, PainTold, SpanStarted
from controller.happenings import Happening
from controller.registry import Registry
from controller.safety import latch
from controller.sessions import Request
from controller.snapshot import Snapshots, screening_report
from controller.station import Order, Station, open_station
from routines.screening import Answer, all_no, answered, questions

SPEED = 20.0
LONG = api.script("calves:left gentle 60s; heel:left gentle 30s")


@pytest.fixture
async def station() -> AsyncIterator[Station]:
    async with open_station() as opened:
        yield opened


async def until(station: Station, kind: str, **data: object) -> None:
    async for one in station.happenings.read(after_id=0):
        if getattr(one, "kind", "") == kind and data.items() <= one.data.items():  # type: ignore[union-attr]
            return
    raise AssertionError(kind)


async def test_at_rest_it_says_so(station: Station) -> None:
    now = await Snapshots(station).take()
    assert (now.session, now.starting_by, now.devices, now.last_id) == (None, None, (), 0)
    assert not now.emergency_stop.is_engaged
    assert now.screening.state == "missing"
    assert json.loads(now.model_dump_json())["session"] is None


async def test_a_session_is_shown_with_where_it_is_and_how_strong(station: Station) -> None:
    snapshots = Snapshots(station)
    await station.start(Order(LONG, "a test", simulator="theragun-gen4", speed=SPEED))
    await until(station, "level_asked")
    async for one in station.happenings.read(after_id=0):
        if isinstance(one, Happening) and one.kind == "device_reported" and one.data["ppm"]:
            break
    now = await snapshots.take(is_fresh=True)
    session = now.session
    assert session is not None
    assert (session.number, session.by, session.routine, session.duration_s) == (1, "a test", "script", 106.0)
    assert session.span is not None
    assert (session.span.kind, session.span.region, session.span.side) == ("work", "calves", "left")
    assert session.span.is_driven
    assert 0 < session.span.left_s <= 60
    assert session.span.left_s < session.total_left_s < 106
    assert session.next is not None
    assert (session.next.kind, session.next.region) == ("move", "heel")
    assert session.devices[0].asked_ppm > 0
    assert session.devices[0].reported_ppm
    station.ask(Request.PAUSE)
    await until(station, "session_paused")
    await until(station, "level_asked", level=0)
    paused = (await snapshots.take(is_fresh=True)).session
    assert paused is not None
    assert (paused.is_paused, paused.devices[0].asked_ppm, paused.devices[0].asked_percent) == (True, 0, 0.0)


async def test_an_open_question_about_pain_is_shown_until_it_is_answered(station: Station) -> None:
    snapshots = Snapshots(station)
    await station.start(Order(LONG, "a test", simulator="theragun-gen4", speed=SPEED, asks_pain=True))
    await until(station, "pain_asked", moment="before")
    asked = (await snapshots.take(is_fresh=True)).session
    station.tell_pain(1)
    await until(station, "pain_told")
    told = (await snapshots.take(is_fresh=True)).session
    assert asked is not None
    assert told is not None
    assert (asked.pain_question, told.pain_question) == ("before", None)


async def test_the_events_of_each_channel_make_one_figure_for_a_device(station: Station) -> None:
    snapshots = Snapshots(station)
    for event in (
        LevelAsked("pad", "thighs", 3, 30.0, 900),
        LevelAsked("pad", "calves", 5, 50.0, 1500),
        DeviceReported("pad", True, 1480, 80.0, None),
        DeviceReported("pad", True, None, None, 31.5),
    ):
        snapshots._hear(event)
    pad = snapshots._driven["pad"]
    assert (pad.asked_percent, pad.asked_ppm, pad.reported_ppm) == (50.0, 1500, 1480)
    assert (pad.battery_pct, pad.temperature_c) == (80.0, 31.5)  # what it does not say again still holds
    snapshots._hear(LevelAsked("pad", "calves", 0, 0.0, 0))
    assert snapshots._driven["pad"].asked_ppm == 900


@pytest.mark.parametrize(
    ("moment", "answer", "left"),
    [
        ("before", PainTold("before", 2), None),
        ("between", PainTold("between", 2), None),
        ("between", PainTold("between", None), "between"),  # a nerve sign is no answer
        ("before", SpanStarted(0, "move", 8, "calves", "left", "", False, "", 0.0), None),  # "go on" is one
        ("between", SpanStarted(2, "work", 60, "calves", "left", "", True, "", 0.0), "between"),
    ],
)
async def test_what_closes_a_question(
    station: Station, moment: str, answer: PainTold | SpanStarted, left: str | None
) -> None:
    snapshots = Snapshots(station)
    snapshots._hear(PainAsked(moment))  # type: ignore[arg-type]
    snapshots._hear(answer)
    assert snapshots._pain == left


async def test_many_who_ask_at_once_look_at_the_files_once(station: Station) -> None:
    snapshots = Snapshots(station)
    taken = await asyncio.gather(*(snapshots.take() for _ in range(50)))
    assert len({id(each) for each in taken}) == 1
    await station.stop_everything("a test")  # what happens here is seen at once
    assert (await snapshots.take(is_fresh=True)).emergency_stop.is_engaged
    latch.clear()  # what somebody else does to a file, when the next look is due
    while (await snapshots.take()).emergency_stop.is_engaged:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


async def test_a_file_that_is_broken_is_told_and_hides_nothing_else(station: Station) -> None:
    Registry().path.write_text("{")
    latch.engage()
    now = await Snapshots(station).take()
    assert "paired devices cannot be understood" in now.problem
    assert now.emergency_stop.is_engaged


def test_what_the_screening_says() -> None:
    now_utc = datetime.now(UTC)
    screening.save(all_no(now_utc=now_utc))
    assert screening_report().state == "good"
    some = next(each for each in questions().values() if each.tier == "emergency")
    screening.save(answered({**all_no(now_utc=now_utc).answers, some.id: Answer(yes=True)}, now_utc=now_utc))
    assert (screening_report().state, some.phrase in screening_report().reason) == ("refused", True)
    asked = next(each for each in questions().values() if each.tier == "ask" and each.about == "everything")
    screening.save(answered({**all_no(now_utc=now_utc).answers, asked.id: Answer(yes=True)}, now_utc=now_utc))
    assert screening_report().state == "unacknowledged"
    screening.save(all_no(now_utc=datetime(2020, 1, 1, tzinfo=UTC)))
    assert screening_report().state == "expired"
    screening.screening_path().write_text("{")
    assert screening_report().state == "broken"
