"""One running simulator in process: its control socket and its link, mostly on a manual clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from simulators.adapters.tcp import TcpAdapter
from simulators.clock import ManualClock, RunningClock
from simulators.control import MAX_CLIENTS, MAX_LINE_BYTES
from simulators.device import SimulatedDevice
from simulators.recorder import Recorder
from simulators.run import Simulation
from tests.simulators.bench import Bench, is_sent_away, until


class Running:
    """A running simulator with a client of its control socket."""

    def __init__(self, clock: ManualClock | RunningClock, profile_id: str) -> None:
        self.entries: list[dict[str, Any]] = []
        self.device = SimulatedDevice(Bench(profile_id).profile, clock=clock, recorder=Recorder(self.entries, clock))
        self.changes = 0
        self.simulation = Simulation(self.device, clock, on_change=self._count)
        self.adapter = TcpAdapter(self.simulation.receive)

    def _count(self) -> None:
        self.changes += 1

    async def __aenter__(self) -> Running:
        await self.simulation.start(self.adapter)
        self.task = asyncio.create_task(self.simulation.run())
        self.reader, self.writer = await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.simulation.stop()
        await self.task
        self.writer.close()
        await self.simulation.close()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self.simulation.control.address.split(":")
        return await asyncio.open_connection(host, int(port))

    async def ask(self, **request: Any) -> Any:
        return await self.say(json.dumps({"token": self.simulation.control.token, **request}).encode())

    async def say(self, line: bytes) -> Any:
        self.writer.write(line + b"\n")
        return json.loads(await self.reader.readline())

    async def host(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", int(self.adapter.url.rsplit(":", 1)[1]))

    async def until(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        await until(lambda: len(self.kinds(kind)) >= count)
        return self.kinds(kind)

    def kinds(self, kind: str) -> list[dict[str, Any]]:
        return [entry for entry in self.entries if entry["kind"] == kind]


@pytest.fixture
async def pad() -> AsyncIterator[Running]:
    async with Running(ManualClock(), "nlr-hf8") as running:
        yield running


async def test_the_state_tells_what_the_device_does(pad: Running) -> None:
    _, writer = await pad.host()
    writer.write(b"M4128\r")
    await pad.until("rx")
    await pad.ask(do="advance", by_s=10)
    state = await pad.ask(do="state")
    assert state["ok"]
    assert state["channels"]["right_back"] == {
        "level_asked": 128,
        "ppm": 1205.0,
        "temperature_c": state["channels"]["right_back"]["temperature_c"],
        "stalled": False,
        "cut_out": False,
    }
    assert state["t_s"] == 10
    assert state["url"] == pad.adapter.url
    assert state["connections"] == 1
    writer.close()


async def test_hosts_are_recorded_as_they_come_and_go(pad: Running) -> None:
    _, writer = await pad.host()
    writer.write(b"M4128\r")
    await pad.until("rx")
    writer.close()
    links = await pad.until("link", 2)
    assert [(entry["state"], entry["count"]) for entry in links] == [("connected", 1), ("disconnected", 0)]
    kinds = [entry["kind"] for entry in pad.entries]
    assert kinds.index("link") < kinds.index("rx")
    assert pad.device.is_running, "a lost link stops nothing"


async def test_a_dropped_link_is_dropped_and_cleared(pad: Running) -> None:
    reader, writer = await pad.host()
    await pad.until("link")
    assert (await pad.ask(do="inject", fault="drop_link", for_s=3600))["connections"] == 0
    assert await is_sent_away(reader)
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await pad.host()
    await pad.ask(do="inject", fault="clear")
    _, writer = await pad.host()
    writer.close()


async def test_a_fault_can_be_injected_for_one_channel(pad: Running) -> None:
    state = await pad.ask(do="inject", fault="stall", channel="left_back")
    assert state["faults"]["stalled"] == ["left_back"]


async def test_quit_ends_the_simulator(pad: Running) -> None:
    assert (await pad.ask(do="quit"))["ok"]
    await pad.task


async def test_the_speed_of_time_can_be_changed_while_it_runs() -> None:
    async with Running(RunningClock(1), "nlr-hf8") as running:
        assert running.changes == 1
        assert (await running.ask(do="speed", factor=100))["speed"] == 100
        assert running.changes == 2
        assert [entry["speed"] for entry in running.entries if entry["kind"] in ("start", "speed")] == [1, 100]
        error = (await running.ask(do="advance", by_s=1))["error"]
        assert "runs by itself" in error
        assert "above 0" in (await running.ask(do="speed", factor=0))["error"]
        assert (await running.ask(do="state"))["speed"] == 100


async def test_in_accelerated_time_the_record_advances_that_much_faster_than_the_machine() -> None:
    async with Running(RunningClock(60), "nlr-hf8") as running:
        _, writer = await running.host()
        writer.write(b"M4128\r")
        motor = await running.until("motor", 40)
        writer.close()
    first, last = motor[8], motor[-1]  # the first eight tell the start
    ratio = (last["t_s"] - first["t_s"]) / (last["mono_s"] - first["mono_s"])
    assert ratio == pytest.approx(60, rel=0.05)


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({}, "'do'"),
        ({"do": "stat"}, "Did you mean 'state'"),
        ({"do": ["state"]}, "'do'"),
        ({"do": "state", "more": 1}, "nothing else"),
        ({"do": "advance"}, "by_s"),
        ({"do": "advance", "by_s": -1}, "from 0"),
        ({"do": "advance", "by_s": 1e12}, "from 0"),
        ({"do": "advance", "by_s": "1"}, "number"),
        ({"do": "advance", "by_s": 10**400}, "number"),
        ({"do": "speed", "factor": 60}, "manual clock"),
        ({"do": "inject"}, "no fault"),
        ({"do": "inject", "fault": "low_battery"}, "no battery"),
        ({"do": "inject", "fault": "stall", "channel": "foot"}, "no channel"),
    ],
)
async def test_a_bad_request_is_answered_with_a_sentence_and_changes_nothing(
    pad: Running, request_: dict[str, Any], told: str
) -> None:
    before = await pad.ask(do="state")
    assert told in (await pad.ask(**request_))["error"]
    assert await pad.ask(do="state") == before


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"null", b'"state"', b"\xff\xfe", b"[" * 3000, b'{"do":' * 500])
async def test_what_is_no_json_object_is_answered_with_a_sentence(pad: Running, line: bytes) -> None:
    assert "one JSON object" in (await pad.say(line))["error"]
    assert (await pad.ask(do="state"))["ok"]


@pytest.mark.parametrize("token", [None, "", "wrong", 7, "\ud800", ["x"]])
async def test_without_the_token_nothing_is_done(pad: Running, token: Any) -> None:
    answer = await pad.say(json.dumps({"do": "quit", "token": token}).encode())
    assert "token" in answer["error"]
    assert pad.simulation.control.token not in answer["error"]
    assert (await pad.ask(do="state"))["ok"]


async def test_an_endless_line_is_cut_off(pad: Running) -> None:
    reader, writer = await pad.connect()
    writer.write(b"x" * (MAX_LINE_BYTES * 2))
    assert "at most" in json.loads(await reader.readline())["error"]
    assert await is_sent_away(reader)
    writer.close()
    assert (await pad.ask(do="state"))["ok"]


async def test_a_flood_that_reads_no_answers_does_not_stop_the_others(pad: Running) -> None:
    _, flooder = await pad.connect()
    flooder.write(b"{}\n" * 100_000)
    for _ in range(20):
        assert (await pad.ask(do="state"))["ok"]
    flooder.transport.abort()


async def test_too_many_connections_are_told_so(pad: Running) -> None:
    crowd = [await pad.connect() for _ in range(MAX_CLIENTS - 1)]
    reader, writer = await pad.connect()
    assert "Too many" in json.loads(await reader.readline())["error"]
    assert await is_sent_away(reader)
    for _, member in [*crowd, (reader, writer)]:
        member.close()
