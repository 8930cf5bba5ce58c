"""The bridge over a real broker, with a real simulator behind the station."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.mqtt.admission import QUIET_S
from controller.mqtt.bridge import LONGEST_WAIT_S, waits
from controller.mqtt.identity import (
    Announced,
    announced,
    installation_id,
    last_start,
    remember,
    remember_start,
)
from controller.service.settings import MqttSettings
from controller.sessions import Request
from controller.station import Order, Station
from firmware_profiles.errors import PercussError
from tests.helpers.bridge import SCRIPT, bridged, is_idle, is_paused, run, settle, until_at_rest
from tests.helpers.broker import Broker, Client, Heard, broker, client, forbidding, stamp
from tests.helpers.motor import SPEED, has_turned, is_at_rest
from tests.helpers.processes import RunningSimulator


async def test_a_session_is_started_told_and_stopped(gun: RunningSimulator, phone: Client, station: Station) -> None:
    await run(phone)
    assert station.running is not None
    assert station.running.by == "a message over MQTT"
    state = await phone.state(lambda each: (each["reported_ppm"] or 0) > 0)
    assert (state["status"], state["region"], state["side"]) == ("running", "calves", "left")
    stopped = await phone.ask("stop")
    assert stopped["ok"], stopped
    assert is_idle(station)
    assert is_at_rest(gun)
    ended = await phone.event("session_ended")
    assert (ended["outcome"], ended["reason"]) == ("stopped", "stopped by a message over MQTT")
    await phone.state(lambda each: each["status"] == "idle", after=len(phone.heard) - 1)


async def test_a_session_of_another_door_is_told_and_can_be_paused_and_stopped(
    gun: RunningSimulator, phone: Client, station: Station
) -> None:
    from controller import api

    await station.start(Order(what=api.script(SCRIPT), by="the web page", massager="gun", speed=SPEED))
    state = await phone.state(lambda each: each["status"] == "running")
    assert state["by"] == "the web page"
    answer = await phone.insist("pause")
    assert answer["ok"], answer
    await phone.event("session_paused")
    await until_at_rest(gun)
    assert (await phone.ask("stop"))["ok"]
    assert is_idle(station)


async def test_two_pauses_are_one_and_never_a_pause_and_its_end(
    gun: RunningSimulator, phone: Client, station: Station
) -> None:
    """A broker may deliver a message twice."""
    await run(phone)
    pause = json.dumps({"do": "pause"})
    for _ in range(5):
        await phone.send(pause)
    assert (await phone.ask("pause"))["said"] == "it is at rest already"
    assert is_paused(station)
    await until_at_rest(gun)
    resumed = await phone.ask("resume")
    assert resumed["ok"], resumed
    assert not is_paused(station)
    assert "not paused" in (await phone.ask("resume"))["said"]


async def test_skip_extra_and_intensity_are_done_and_what_is_beyond_the_limits_is_refused(
    gun: RunningSimulator, phone: Client, station: Station
) -> None:
    await run(phone, "calves:left gentle 60s; calves:right gentle 60s", speed=1.0)
    assert (await phone.ask("softer"))["ok"]
    assert (await phone.ask("extra"))["ok"]
    refusals = [await phone.ask("stronger") for _ in range(12)]
    # Calves bear 2100 ppm: from gentle (1600) and one step (120) down, there are not twelve steps up.
    assert "no stronger than 2100" in refusals[-1]["said"]
    assert not refusals[-1]["ok"]
    assert (await phone.ask("skip"))["ok"]
    await phone.state(lambda each: each["side"] == "right")


async def test_a_retained_start_is_refused_live_and_when_it_is_delivered_again(
    gun: RunningSimulator, mosquitto: Broker
) -> None:
    settings = MqttSettings(host="127.0.0.1", port=mosquitto.port)
    async with client(mosquitto.port) as phone:
        async with bridged(settings) as station:
            await settle(phone)
            answer = await phone.ask("start", retain=True, script=SCRIPT, massager="gun", speed=SPEED)
            assert "retained" in answer["said"]
            assert is_idle(station)
        after = len(phone.heard)
        async with bridged(settings) as station:
            # Valid in every other way, and kept by the broker.
            again = await phone.until(
                lambda each: "/reply" in each.topic and "retained" in each.json["said"], after=after
            )
            assert not again.json["ok"]
            await settle(phone)
            assert is_idle(station)
    assert not has_turned(gun)


async def test_a_replayed_start_is_refused(gun: RunningSimulator, phone: Client, station: Station) -> None:
    await settle(phone)
    command = {**stamp(), "do": "start", "script": SCRIPT, "massager": "gun", "speed": SPEED}
    first = await phone.ask(**command)
    assert first["ok"], first
    await phone.ask("stop")
    after = len(phone.heard)
    await phone.send(json.dumps(command))
    again = await phone.until(lambda each: "/reply" in each.topic and each.json["id"] == command["id"], after=after)
    assert "taken already" in again.json["said"]
    assert is_idle(station)
    assert is_at_rest(gun)


async def test_a_service_that_begins_with_the_clock_set_back_starts_nothing_and_obeys_a_stop(
    gun: RunningSimulator, mosquitto: Broker
) -> None:
    remember_start(datetime.now(UTC) + timedelta(hours=1))  # by the clock of the service before
    async with bridged(MqttSettings(host="127.0.0.1", port=mosquitto.port)), client(mosquitto.port) as phone:
        refused = await phone.insist("start", script=SCRIPT, massager="gun", speed=SPEED)
        assert "the clock of this computer went back" in refused["said"]
        assert (await phone.ask("stop"))["said"] == "nothing ran"
    assert not has_turned(gun)


async def test_when_the_last_start_cannot_be_read_nothing_is_started_and_a_stop_is_obeyed(
    gun: RunningSimulator, mosquitto: Broker, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "mqtt-last-start").write_text("no date")
    async with bridged(MqttSettings(host="127.0.0.1", port=mosquitto.port)), client(mosquitto.port) as phone:
        refused = await phone.insist("start", script=SCRIPT, massager="gun", speed=SPEED)
        assert not refused["ok"]
        assert str(home / "mqtt-last-start") in refused["said"]
        assert (await phone.ask("stop"))["said"] == "nothing ran"
    assert len([record for record in caplog.records if "nothing is started: " in record.getMessage()]) == 1
    assert not has_turned(gun)


async def test_a_start_is_written_down_and_refused_when_it_cannot_be(
    gun: RunningSimulator, phone: Client, station: Station, home: Path
) -> None:
    await settle(phone)
    assert last_start() is None
    before_utc = datetime.now(UTC)
    assert (await phone.ask("start", script=SCRIPT, massager="gun", speed=SPEED))["ok"]
    written = last_start()
    assert written is not None
    assert before_utc <= written <= datetime.now(UTC)
    assert (await phone.ask("stop"))["ok"]
    (home / "mqtt-last-start").unlink()
    (home / "mqtt-last-start").mkdir()
    refused = await phone.ask("start", script=SCRIPT, massager="gun", speed=SPEED)
    assert "mqtt-last-start: cannot be written" in refused["said"]
    assert is_idle(station)


async def test_a_start_that_may_not_be_is_refused_with_its_reason(
    gun: RunningSimulator, phone: Client, station: Station
) -> None:
    await settle(phone)
    cases: list[tuple[dict[str, Any], str]] = [
        (stamp(-5.0), "expired"),
        (stamp(60.0), "more than 20 s from now"),
        ({"expires_at": None}, "no id or no expires_at"),
        ({"reply_to": "homeassistant/device/other/config"}, "reply_to is not allowed"),
        ({"massager": "nobody"}, "nobody"),
        ({"script": None, "routine": "no-such-routine"}, "no-such-routine"),
        ({"script": "neck 40% 20s"}, "neck"),
        ({"script": "calves 100% 20s"}, "2100"),
        ({"massager": None, "simulator": "no-such-profile"}, "no-such-profile"),
        ({"no_device": True}, "massager is named"),
        ({"routine": "short-break"}, "routine and a script"),
    ]
    for changes, why in cases:
        answer = await phone.ask("start", **{"script": SCRIPT, "massager": "gun", "speed": SPEED, **changes})
        assert not answer["ok"]
        assert why in answer["said"]
        assert is_idle(station)
    assert not has_turned(gun)


async def test_nothing_starts_in_the_first_seconds_of_a_connection(
    gun: RunningSimulator, phone: Client, station: Station
) -> None:
    """Then others deliver what they had saved up while the broker was away."""
    assert QUIET_S >= 1
    await phone.installation()
    answer = await phone.ask("start", script=SCRIPT, massager="gun", speed=SPEED)
    assert "just begun" in answer["said"]
    assert not has_turned(gun)


async def test_a_stop_is_obeyed_retained_expired_and_garbled(
    gun: RunningSimulator, phone: Client, station: Station
) -> None:
    for payload, retain in (
        (json.dumps({"do": "stop", **stamp(-1000.0)}), True),
        ("stop", False),
        ('{"do": "stop", "surprise": [1, 2], "id": {}}', False),
    ):
        after = len(phone.heard)
        await run(phone)
        await phone.send(payload, retain=retain)
        await phone.event("session_ended", after=after)
        assert is_at_rest(gun)
        while not is_idle(station):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await phone.send(b"", retain=True)  # the broker forgets it; that is no command


async def test_a_stop_overtakes_a_start_that_is_still_being_prepared(
    gun: RunningSimulator, phone: Client, station: Station
) -> None:
    await settle(phone)
    start = {"do": "start", "script": SCRIPT, "massager": "gun", "speed": SPEED}
    for number in range(3):
        await phone.send(json.dumps({**start, **stamp(), "id": f"start-{number}"}))
    stopped = await phone.ask("stop")
    assert stopped["ok"], stopped
    answers = [await phone.until(_answers(f"start-{number}")) for number in range(3)]
    assert [each.json["ok"] for each in answers] == [False, False, False]
    assert is_idle(station)
    assert not gun.recorded("motor") or is_at_rest(gun)


def _answers(command: str) -> Any:
    return lambda each: "/reply" in each.topic and each.json["id"] == command


async def test_the_emergency_stop_stays_in(gun: RunningSimulator, phone: Client, station: Station) -> None:
    await run(phone)
    answer = await phone.ask("emergency_stop")
    assert (answer["ok"], answer["said"]) == (True, "gun: confirmed")
    assert is_at_rest(gun)
    state = await phone.state(lambda each: each["emergency_stop"])
    assert "emergency stop is in" in state["problem"]
    refused = await phone.ask("start", script=SCRIPT, massager="gun", speed=SPEED)
    assert "emergency stop is in" in refused["said"]
    station.clear("a test")
    await phone.event("emergency_cleared")


async def test_the_fan_holds_at_the_chosen_place_within_its_limits(
    gun: RunningSimulator, phone: Client, station: Station
) -> None:
    await settle(phone)
    assert (await phone.ask("choose", region="calves"))["ok"]
    # Calves: 1600 ppm is gentle and 2100 the most; 2400 is full; an unverified profile is held to 87.5 %.
    state = await phone.state(lambda each: each["choice"]["region"] == "calves")
    assert state["limits"]["most_percent"] == 87
    assert state["choice"]["percent"] == 66
    refused = await phone.ask("intensity", percent=90)
    assert not refused["ok"]
    assert "90 % is outside of 1 to 87 %" in refused["said"]
    assert (await phone.ask("intensity", percent=40))["ok"]
    held = await phone.ask("hold", speed=SPEED)
    assert held["ok"], held
    assert station.running is not None
    span = station.running.live.plan.spans[0]
    assert (span.region, span.duration_s) == ("calves", 60.0)
    drive = span.drives[0]
    assert drive.targets == ((0.0, 960),)  # 40 % of 2400
    stronger = await phone.ask("hold", percent=52)
    # In steps of 5 %, and never above what was asked.
    assert stronger["said"] == "50 % of full scale, in steps of 5"
    assert (await phone.ask("intensity", percent=30))["said"] == "30 % of full scale, in steps of 5"
    assert not (await phone.ask("hold"))["ok"], "it runs already"


async def test_an_intensity_that_nothing_can_take_now_changes_nothing(gun: RunningSimulator, phone: Client) -> None:
    await settle(phone)
    assert (await phone.ask("choose", region="calves"))["ok"]
    assert (await phone.ask("start", script="breathing 60s; calves:left gentle 60s", speed=SPEED))["ok"]
    for command in ("intensity", "hold"):
        refused = await phone.ask(command, percent=20)
        assert not refused["ok"]
        assert "nothing is driven in this step" in refused["said"]
    after = len(phone.heard)
    assert (await phone.ask("stop"))["ok"]
    state = await phone.state(lambda each: each["status"] == "idle", after=after)
    assert state["choice"]["percent"] == 66  # gentle, as before


async def test_choosing_a_place_moves_the_ends_of_the_slider(gun: RunningSimulator, phone: Client) -> None:
    await settle(phone)
    assert (await phone.ask("choose", region="calves"))["ok"]
    await phone.until(_says_most(87))  # 2100 of 2400, rounded down
    assert (await phone.ask("intensity", percent=80))["ok"]
    after = len(phone.heard)
    assert (await phone.ask("choose", region="heel"))["ok"]
    await phone.until(_says_most(66), after=after)  # 1600 of 2400
    state = await phone.state(lambda each: each["choice"]["region"] == "heel", after=after)
    assert state["choice"]["percent"] <= 66, "what was right elsewhere is not kept"
    for name in ("neck", "no_such_place", "no-such-place"):
        assert not (await phone.ask("choose", region=name))["ok"]
    assert (await phone.ask("choose", region="none"))["ok"]
    await phone.state(lambda each: each["choice"]["region"] is None, after=after)


def _says_most(percent: int) -> Any:
    return lambda each: each.topic.endswith("/config") and each.json["cmps"]["intensity"]["max"] == percent


async def test_without_a_massager_a_hold_is_refused_and_a_guided_timer_runs(phone: Client, station: Station) -> None:
    await settle(phone)
    refused = await phone.ask("hold")
    assert "no massager is chosen" in refused["said"]
    assert (await phone.ask("choose", routine="short-break"))["ok"]
    assert "no massager" in (await phone.ask("start"))["said"]
    answer = await phone.ask("start", no_device=True, speed=200)
    assert answer["ok"], answer
    ended = await phone.event("session_ended")
    assert ended["outcome"] == "done"


async def test_discovery_is_retained_and_told_again_when_home_assistant_begins(
    phone: Client, station: Station, mosquitto: Broker
) -> None:
    name = await phone.installation()
    topic = f"homeassistant/device/percuss_{name}/config"
    async with client(mosquitto.port) as late:
        kept = await late.until(lambda each: each.topic == topic)
        assert kept.is_retained
        after = len(late.heard)
        await phone.mqtt.publish("homeassistant/status", "online", qos=1)
        again = await late.until(lambda each: each.topic == topic, after=after)
        assert again.json == kept.json
        await late.state(after=after)


async def test_what_is_gone_stays_removed_for_ever_and_an_old_prefix_is_emptied(mosquitto: Broker) -> None:
    name = installation_id()
    config = f"homeassistant/device/percuss_{name}/config"
    remember(Announced(topic=config, components={"run": "fan", "old": "sensor"}))
    settings = MqttSettings(host="127.0.0.1", port=mosquitto.port)
    for _ in range(2):  # also by a service that began after it
        async with client(mosquitto.port) as phone, bridged(settings):
            await phone.installation()
        async with client(mosquitto.port) as late:  # Home Assistant was away meanwhile
            kept = await late.until(lambda each: each.topic == config)
        assert kept.is_retained
        assert kept.json["cmps"]["old"] == {"p": "sensor"}
        assert kept.json["cmps"]["run"]["p"] == "fan"
        assert announced().components["old"] == "sensor"
    other = settings.model_copy(update={"discovery_prefix": "homeassistant/other"})
    async with client(mosquitto.port) as phone, bridged(other):
        emptied = await phone.until(lambda each: each.topic == config and not each.payload)
        moved = f"homeassistant/other/device/percuss_{name}/config"
        await phone.until(lambda each: each.topic == moved, after=phone.heard.index(emptied))
        await phone.until(_is(f"percuss/{name}/availability", b"online"), after=phone.heard.index(emptied))
    assert announced().topic == moved


async def test_who_may_not_hear_home_assistant_begin_is_stopped_all_the_same(
    gun: RunningSimulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rights = forbidding(tmp_path / "forbidding", "homeassistant/status")
    with broker(tmp_path / "forbidding", *rights) as running:
        async with bridged(MqttSettings(host="127.0.0.1", port=running.port)) as station:
            async with client(running.port) as phone:
                await run(phone)
                running.kill()
            running.start()  # once more, to see that it is told once
            async with client(running.port) as phone:
                await phone.until(lambda each: each.topic.startswith("homeassistant/device/"))
                assert (await phone.ask("stop"))["ok"]
            assert is_idle(station)
    await until_at_rest(gun)
    told = [record for record in caplog.records if "does not allow to subscribe" in record.getMessage()]
    assert [(each.levelname, "homeassistant/status" in each.getMessage()) for each in told] == [("WARNING", True)]


async def test_an_event_that_nobody_thought_of_keeps_no_later_one_and_no_stop_away(
    gun: RunningSimulator, phone: Client, station: Station, caplog: pytest.LogCaptureFixture
) -> None:
    await run(phone)
    station.happenings.add("emergency_cleared", 17)  # type: ignore[arg-type]
    station.happenings.add("emergency_cleared", {"by": object()})
    assert (await phone.ask("stop"))["ok"]
    await phone.event("session_ended")
    assert len([record for record in caplog.records if "an event went wrong" in record.getMessage()]) == 2


async def test_the_bridge_says_offline_when_it_ends(mosquitto: Broker) -> None:
    async with client(mosquitto.port) as phone:
        async with bridged(MqttSettings(host="127.0.0.1", port=mosquitto.port)):
            name = await phone.installation()
        await phone.until(_is(f"percuss/{name}/availability", b"offline"))
    async with client(mosquitto.port) as late:
        kept = await late.until(_is(f"percuss/{name}/availability", b"offline"))
        assert kept.is_retained


def _is(topic: str, payload: bytes) -> Any:
    def is_it(each: Heard) -> bool:
        return (each.topic, each.payload) == (topic, payload)

    return is_it


async def test_two_clients_get_their_own_answers_and_one_session(
    gun: RunningSimulator, phone: Client, station: Station, mosquitto: Broker
) -> None:
    await settle(phone)
    async with client(mosquitto.port) as tablet:
        name = await tablet.installation()
        mine, theirs = (f"percuss/{name}/reply/{who}" for who in ("phone", "tablet"))
        one, other = await asyncio.gather(
            phone.ask("start", script=SCRIPT, massager="gun", speed=SPEED, reply_to=mine),
            tablet.ask("start", script=SCRIPT, massager="gun", speed=SPEED, reply_to=theirs),
        )
        assert sorted([one["ok"], other["ok"]]) == [False, True]
        refused = one if other["ok"] else other
        assert "a session runs already" in refused["said"]
        assert {each.topic for each in phone.heard if "/reply/" in each.topic} == {mine, theirs}
        assert (await tablet.ask("stop"))["ok"]
        ended = await phone.event("session_ended")
        assert ended["outcome"] == "stopped"


async def test_a_broker_that_is_not_there_keeps_nobody_waiting(gun: RunningSimulator, tmp_path: Path) -> None:
    from controller import api
    from tests.helpers.broker import free_port

    async with bridged(MqttSettings(host="127.0.0.1", port=free_port())) as station:
        running = await station.start(
            Order(what=api.script("calves:left gentle 20s"), by="a test", massager="gun", speed=SPEED)
        )
        ended = await running.live.ended()
    assert ended.outcome == "done"


async def test_an_id_that_was_damaged_is_refused_and_not_replaced(home: Path) -> None:
    first = installation_id()
    assert installation_id() == first
    (home / "installation-id").write_text("../../x")
    with pytest.raises(PercussError, match="12 hexadecimal digits"):
        installation_id()
    assert (home / "installation-id").read_text() == "../../x"


def test_the_waits_double_up_to_a_minute_and_differ() -> None:
    for _ in range(20):
        first, *others = [wait for wait, _ in zip(waits(), range(12), strict=False)]
        assert 0.5 <= first <= 1.0
        assert all(LONGEST_WAIT_S / 2 <= wait <= LONGEST_WAIT_S for wait in others[6:])
    assert next(waits()) != next(waits())


def test_every_request_of_a_session_has_a_command() -> None:
    from typing import get_args

    from controller.mqtt.commands import Ask

    # A message that may come twice is no key that does one thing and then the other.
    wanted = set(Request) - {Request.TOGGLE}
    assert {each.name.lower() for each in wanted} == set(get_args(Ask.model_fields["do"].annotation))
