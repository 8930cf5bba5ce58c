"""The station over real simulators: processes of their own, reached by bytes, with time running faster."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from controller import api
from controller.errors import DeviceBusyError, RefusedError, RegistryError, StopUnconfirmedError
from controller.happenings import Happening
from controller.sessions import Request
from controller.station import LEFT_ALONE, Order, Station, open_station
from controller.stopping import StopResult
from firmware_profiles.errors import PercussError
from tests.helpers.motor import SPEED, paired_gun
from tests.helpers.processes import RunningSimulator, percuss, simulator, started

LONG = api.script("calves:each gentle 60s; hamstrings:each gentle 60s; quadriceps:each gentle 60s")


@pytest.fixture
async def station() -> AsyncIterator[Station]:
    async with open_station() as opened:
        yield opened


@pytest.fixture
def gun(tmp_path: Path) -> Iterator[RunningSimulator]:
    with paired_gun(tmp_path) as device:
        yield device


def order(**changes: object) -> Order:
    wanted: dict[str, object] = {"what": LONG, "by": "a test", "massager": "gun", "speed": SPEED}
    return Order(**{**wanted, **changes})  # type: ignore[arg-type]


async def until(station: Station, kind: str) -> Happening:
    """The first happening of a kind, also one that was before."""
    async for one in station.happenings.read(after_id=0):
        if isinstance(one, Happening) and one.kind == kind and one.data.get("level") != 0:
            return one
    raise AssertionError(f"there was no {kind}")


async def until_idle(station: Station) -> None:
    while station.running is not None:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def is_at_rest(device: RunningSimulator) -> bool:
    return float(device.recorded("motor")[-1]["ppm"]) == 0


async def test_a_session_is_told_from_its_plan_to_its_end(station: Station, gun: RunningSimulator) -> None:
    running = await station.start(order(what=api.script("calves:left gentle 20s")))
    assert (running.number, running.by, running.routine) == (1, "a test", "script")
    ended = await until(station, "session_ended")
    assert (ended.session, ended.data["outcome"]) == (1, "done")
    kinds = [one.kind async for one in _all(station)]
    assert kinds.index("planned") < kinds.index("session_started") < kinds.index("span_started")
    await until_idle(station)
    assert is_at_rest(gun)


async def _all(station: Station) -> AsyncIterator[Happening]:
    station.happenings.close()
    async for one in station.happenings.read(after_id=0):
        if isinstance(one, Happening):
            yield one


async def test_a_second_session_is_refused_and_says_who_has_the_first(station: Station, gun: RunningSimulator) -> None:
    await station.start(order(by="the web page at 192.168.1.7"))
    with pytest.raises(RefusedError, match=r"started by the web page at 192\.168\.1\.7"):
        await station.start(order(by="the command line"))
    ended = await station.stop("a test said so")
    assert ended is not None
    assert (ended.outcome, ended.reason) == ("stopped", "a test said so")
    await until_idle(station)
    assert is_at_rest(gun)


async def test_also_while_the_first_is_still_connecting(station: Station, gun: RunningSimulator) -> None:
    first = asyncio.ensure_future(station.start(order(by="one")))
    await asyncio.sleep(0)
    with pytest.raises(RefusedError, match="started by one"):
        await station.start(order(by="two"))
    await first


async def test_stop_while_it_connects_gives_up(station: Station, gun: RunningSimulator) -> None:
    first = asyncio.ensure_future(station.start(order()))
    await asyncio.sleep(0.05)
    await station.stop("too early")
    with pytest.raises((asyncio.CancelledError, RefusedError)):
        await first
    assert station.running is None
    await station.start(order())


async def test_a_stop_that_gives_up_a_beginning_tells_what_is_not_confirmed_to_have_stopped(
    station: Station, gun: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_connecting = asyncio.Event()

    @asynccontextmanager
    async def never_begins(*_: object, **__: object) -> AsyncIterator[None]:
        try:
            is_connecting.set()
            await asyncio.Event().wait()
            yield
        except asyncio.CancelledError:
            raise StopUnconfirmedError("it did not say that it stopped.", where="gun") from None

    monkeypatch.setattr("controller.api.session", never_begins)
    first = asyncio.ensure_future(station.start(order()))
    await is_connecting.wait()
    with pytest.raises(StopUnconfirmedError):
        await station.stop("too early")
    with pytest.raises(StopUnconfirmedError):
        await first
    told = await until(station, "session_over")
    assert told.data["type"] == "stop_unconfirmed"
    assert "did not say that it stopped" in station.last_problem.sentence


async def test_what_cannot_start_says_why_and_leaves_the_station_free(station: Station) -> None:
    with pytest.raises(PercussError, match="nobody"):
        await station.start(order(massager="nobody"))
    assert station.running is None
    with pytest.raises(RefusedError, match="no session runs"):
        station.ask(Request.PAUSE)
    assert await station.stop("nothing") is None


async def test_asking_reaches_the_session(station: Station, gun: RunningSimulator) -> None:
    await station.start(order())
    await until(station, "level_asked")
    station.ask(Request.PAUSE)
    await until(station, "session_paused")
    assert station.running is not None
    assert station.running.progress.is_paused
    station.tell_pain(2)
    with pytest.raises(RefusedError):
        station.tell_pain(11)
    station.tell_nerve_sign()
    ended = await until(station, "session_ended")
    assert ended.data["outcome"] == "stopped"


async def test_the_emergency_stop_stops_and_stays_in_until_it_is_cleared(
    station: Station, gun: RunningSimulator
) -> None:
    await station.start(order())
    await until(station, "level_asked")
    results = await station.stop_everything("a test")
    assert {name: getattr(result, "proof", result) for name, result in results.items()} == {"gun": "confirmed"}
    assert is_at_rest(gun)
    with pytest.raises(RefusedError, match="emergency stop is in"):
        await station.start(order())
    assert station.clear("a test") is not None
    await station.start(order())


async def test_closing_stops_what_runs_and_lets_the_readers_go(gun: RunningSimulator) -> None:
    async with open_station() as station:
        await station.start(order())
        await until(station, "level_asked")
        reader = asyncio.ensure_future(_count(station))
    assert await reader > 0
    assert is_at_rest(gun)
    with pytest.raises(RefusedError, match="the service is ending"):
        await station.start(order())


async def _count(station: Station) -> int:
    return len([one async for one in station.happenings.read(after_id=0)])


async def test_a_simulator_is_started_for_who_has_no_device(station: Station) -> None:
    await station.start(order(massager=None, simulator="theragun-gen4", what=api.script("calves:left gentle 20s")))
    ended = await until(station, "session_ended")
    assert ended.data["outcome"] == "done"


async def test_one_device_is_stopped_with_the_session_that_drives_it(station: Station, gun: RunningSimulator) -> None:
    await station.start(order())
    await until(station, "level_asked")
    result = await station.stop_device("gun", "a test")
    assert isinstance(result, StopResult)
    assert (result.proof, is_at_rest(gun), station.running) == ("confirmed", True, None)
    ended = await until(station, "session_ended")
    assert ended.data["reason"] == "gun was stopped by a test"
    with pytest.raises(PercussError, match="is not paired"):
        await station.stop_device("nobody", "a test")


async def test_another_device_is_stopped_beside_a_session_that_goes_on(
    station: Station, gun: RunningSimulator, tmp_path: Path
) -> None:
    with simulator(tmp_path, "nlr-hf8") as pad:
        assert percuss("pair", pad.url, "--profile", "nlr-hf8", "--as", "pad").returncode == 0
        await station.start(order(speed=2.0))
        await until(station, "level_asked")
        result = await station.stop_device("pad", "a test")
        assert isinstance(result, StopResult)
        assert station.running is not None


async def test_nobody_looks_around_or_pairs_while_a_session_runs(station: Station, gun: RunningSimulator) -> None:
    starting = asyncio.ensure_future(station.start(order(by="one")))
    await asyncio.sleep(0)
    assert [station.starting_by] == ["one"]
    for disturbing in (station.scan(0.1), station.pair("x")):
        with pytest.raises(RefusedError, match="would disturb the session that one started"):
            await disturbing
    await starting
    assert station.starting_by is None
    with pytest.raises(RefusedError, match="would disturb"):
        await station.scan(0.1)
    with pytest.raises(DeviceBusyError):
        await station.forget("gun")


async def test_pairing_and_forgetting_are_told(station: Station, tmp_path: Path) -> None:
    with simulator(tmp_path, "nlr-hf8") as pad:
        paired = await station.pair(pad.url, name="pad", profile="nlr-hf8")
        assert paired.name == "pad"
        await station.forget("pad")
        told = [(one.kind, one.data["device"]) async for one in _all(station)]
        assert told == [("paired", "pad"), ("forgotten", "pad")]


async def test_what_an_earlier_program_left_behind_is_stopped_and_told(station: Station, gun: RunningSimulator) -> None:
    assert await station.settle() == []  # nothing was ever written down
    with started("run", "--script", "calves:left gentle 60s", "--on", "gun", "--speed", str(SPEED), "--json") as run:
        assert run.stdout is not None
        while '"level_asked"' not in run.stdout.readline():
            pass
        run.kill()
        run.wait()
        (left,) = await station.settle()
    assert is_at_rest(gun)
    assert left.session.routine == "script"
    assert set(left.stops) == {"gun"}
    told = await until(station, "left_over")
    assert (told.session, told.data["stops"]) == (None, left.stops)
    assert await station.settle() == []  # once


async def test_a_session_with_a_lease_stops_when_nobody_renews_it(station: Station, gun: RunningSimulator) -> None:
    starting = asyncio.create_task(station.start(order(lease_s=2.0)))
    number = (await until(station, "starting")).session
    assert number is not None
    while not starting.done():  # somebody is there until it runs
        station.renew(number)
        await asyncio.sleep(0.05)
    running = await starting
    ended = await until(station, "session_ended")
    assert (ended.data["outcome"], ended.data["reason"]) == ("stopped", LEFT_ALONE)
    await until_idle(station)
    assert is_at_rest(gun)
    with pytest.raises(RefusedError):
        station.renew(running.number)


async def test_a_lease_that_is_renewed_lasts(station: Station, gun: RunningSimulator) -> None:
    starting = asyncio.create_task(station.start(order(lease_s=2.0)))
    await until(station, "starting")
    with suppress(RefusedError):  # until it is over
        while True:
            station.renew(1)
            await asyncio.sleep(0.05)
    await starting
    ended = await until(station, "session_ended")
    assert ended.data["outcome"] == "done"
    assert is_at_rest(gun)


async def test_another_number_neither_stops_nor_renews(station: Station, gun: RunningSimulator) -> None:
    running = await station.start(order())
    assert await station.stop("not meant", number=running.number + 1) is None
    with pytest.raises(RefusedError, match="is over"):
        station.renew(running.number + 1)
    ended = await station.stop("meant", number=running.number)
    assert ended is not None
    assert ended.reason == "meant"
    assert is_at_rest(gun)


@pytest.mark.usefixtures("gun")
async def test_the_last_word_of_a_session_comes_when_everything_of_it_is_closed(station: Station) -> None:
    running = await station.start(order())
    await station.stop("enough")
    over = await until(station, "session_over")
    assert (over.session, over.data, station.running) == (running.number, {}, None)
    again = await station.start(order())  # so the device is free
    assert again.number == running.number + 1


async def test_a_stop_does_not_wait_for_the_simulator_to_go_away(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go = asyncio.Event()
    plain = api.simulator

    @asynccontextmanager
    async def slow(profile: str, *, speed: float = 1.0) -> AsyncIterator[api.Simulator]:
        async with plain(profile, speed=speed) as one:
            yield one
            await may_go.wait()

    monkeypatch.setattr(api, "simulator", slow)
    await station.start(order(massager=None, simulator="theragun-gen4"))
    ended = await station.stop("a test")
    assert ended is not None
    assert ended.outcome == "stopped"
    again = await station.start(order(massager=None, simulator="theragun-gen4"))  # and another may begin
    assert again.number == 2
    closing = asyncio.create_task(station.close("a test"))
    await until_idle(station)
    assert not closing.done(), "what is left behind would be a process"
    may_go.set()
    await closing


async def test_whoever_is_gone_before_it_begins_gets_no_session(station: Station, gun: RunningSimulator) -> None:
    with pytest.raises(RefusedError, match="stopped before it began"):
        await station.start(order(simulator="theragun-gen4", massager=None, lease_s=0.1))
    assert station.starting_by is None
    assert not any(each["ppm"] for each in gun.recorded("motor"))


async def test_a_stop_in_the_same_moment_as_a_start_leaves_nothing_behind(
    station: Station, gun: RunningSimulator
) -> None:
    starting = asyncio.create_task(station.start(order()))
    stopping = asyncio.create_task(station.stop("a second thought"))
    assert await stopping is None
    with pytest.raises(RefusedError, match="stopped before it began"):
        await starting
    assert station.starting_by is None
    await station.start(order())  # and the next one is no worse for it
    await station.stop("enough")
    assert is_at_rest(gun)


@pytest.mark.usefixtures("gun")
async def test_a_stop_since_it_was_asked_for_is_meant_for_it_too(station: Station) -> None:
    asked = station.stops
    assert await station.stop("wait") is None
    with pytest.raises(RefusedError, match="stopped before it began"):
        await station.start(order(), as_of=asked)


@pytest.mark.usefixtures("gun")
async def test_a_nerve_sign_stops_what_is_being_prepared(station: Station) -> None:
    starting = asyncio.create_task(station.start(order()))
    await until(station, "starting")
    station.tell_nerve_sign()
    with pytest.raises(RefusedError, match="stopped before it began"):
        await starting


async def test_a_device_is_stopped_by_its_other_name_too(station: Station, tmp_path: Path) -> None:
    with simulator(tmp_path, "tcode-v03", "--speed", str(SPEED)) as device:
        for name in ("one", "two"):
            assert percuss("pair", device.url, "--profile", "tcode-v03", "--as", name).returncode == 0
        await station.start(order(massager="one"))
        await until(station, "level_asked")
        result = await station.stop_device("two", "a test")
        assert isinstance(result, StopResult)
        assert station.running is None
        assert is_at_rest(device)


async def test_an_entry_that_is_broken_keeps_no_device_from_being_stopped(
    station: Station, gun: RunningSimulator, home: Path
) -> None:
    registry = home / "devices.json"
    paired = json.loads(registry.read_text())
    paired["devices"]["other"] = {**paired["devices"]["gun"], "profile": "unheard-of"}
    registry.write_text(json.dumps(paired))
    await station.start(order())
    await until(station, "level_asked")
    results = await station.stop_everything("a test")
    assert isinstance(results["gun"], StopResult)
    assert isinstance(results["other"], PercussError)
    assert is_at_rest(gun)


@pytest.mark.parametrize("stop", ["the device", "everything"])
async def test_a_registry_that_cannot_be_read_keeps_nothing_running(
    station: Station, gun: RunningSimulator, home: Path, stop: str
) -> None:
    await station.start(order())
    await until(station, "level_asked")
    (home / "devices.json").write_text("{")
    with pytest.raises(RegistryError):
        await (station.stop_device("gun", "a test") if stop == "the device" else station.stop_everything("a test"))
    assert station.running is None
    assert is_at_rest(gun)


@pytest.mark.usefixtures("gun")
async def test_nothing_starts_while_somebody_looks_around(station: Station) -> None:
    looking = asyncio.create_task(station.scan(0.5))
    await asyncio.sleep(0)
    with pytest.raises(RefusedError, match="looking around just now"):
        await station.start(order())
    with pytest.raises(RefusedError, match="looking around just now"):
        await station.pair("gun")
    await looking
    await station.start(order())


async def test_forgetting_what_is_driven_keeps_the_loop_turning(station: Station, gun: RunningSimulator) -> None:
    await station.start(order())
    tries = [asyncio.create_task(station.forget("gun")) for _ in range(50)]  # 0.1 s each, were they one after the other
    await until(station, "level_asked")
    assert {type(each) for each in await asyncio.gather(*tries, return_exceptions=True)} == {DeviceBusyError}
    assert station.running is not None  # nobody took the service for hung
    await station.stop("enough")
    assert is_at_rest(gun)
