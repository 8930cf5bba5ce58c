"""Keep the station and a broker in touch, for ever: a broker that is away is tried again, and nothing waits for it."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import aiomqtt
from paho.mqtt.subscribeoptions import SubscribeOptions

from controller.happenings import Happening, Missed
from controller.mqtt.admission import Admission
from controller.mqtt.choices import Choices
from controller.mqtt.connection import connected
from controller.mqtt.discovery import discovery_payload, with_removed
from controller.mqtt.identity import Announced, announced, installation_id, last_start, remember
from controller.mqtt.inbox import Inbox
from controller.mqtt.obeying import Obeying
from controller.mqtt.state import event_json, look_up_dose_today_s, state_json
from controller.mqtt.topics import ONLINE, Topics
from controller.service.settings import MqttSettings
from controller.snapshot import Snapshots
from controller.station import Station
from firmware_profiles.errors import PercussError

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0

STATE_S = 1.0
"""How often the state is looked at; it is told when it has changed."""

LOOK_S = 30.0
"""How often files are looked at for what can be chosen, and the journal for the day's dose."""

OUTGOING_MAX = 1000
"""How many events and answers may wait for the broker; the newest are left out then."""

_log = logging.getLogger(__name__)


async def run_bridge(station: Station, settings: MqttSettings) -> None:
    """Serve MQTT until cancelled; then it says offline and disconnects, which takes some seconds at most.

    Whatever the broker does, and whatever is wrong with the settings' files, is logged and tried again.
    """
    topics = Topics(settings.base_topic, await _installation(), settings.discovery_prefix)
    bridge = _Bridge(station, settings, topics, await _admission())
    async with asyncio.TaskGroup() as group:
        group.create_task(bridge.inbox.work(), name="percuss mqtt commands")
        group.create_task(bridge.follow(), name="percuss mqtt events")
        group.create_task(bridge.keep_connected(), name="percuss mqtt connection")


def waits() -> Iterator[float]:
    """Seconds to wait before each new try: twice as long each time, and never in step with other programs."""
    for number in itertools.count():
        yield min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(number, 10)) * random.uniform(0.5, 1.0)


async def _installation() -> str:
    for wait_s in waits():
        try:
            return await asyncio.to_thread(installation_id)
        except PercussError as problem:
            _log.error("no MQTT: %s", problem)
        await asyncio.sleep(wait_s)
    raise AssertionError("the waits never end")


async def _admission() -> Admission:
    """What is let in, by what the service before this one has let in."""
    now_utc = datetime.now(UTC)
    try:
        last_utc = await asyncio.to_thread(last_start)
    except PercussError as problem:
        _log.error("over MQTT nothing is started: %s", problem)
        return Admission(problem=str(problem))
    return Admission(max(now_utc, last_utc or now_utc))


class _Bridge:
    def __init__(self, station: Station, settings: MqttSettings, topics: Topics, admission: Admission) -> None:
        self._station = station
        self._settings = settings
        self._topics = topics
        self._choices = Choices()
        self._dose_today_s: float | None = None
        self._snapshots = Snapshots(station)
        self._outgoing: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(OUTGOING_MAX)
        self._is_connected = False
        self._is_home_new = False
        self._is_home_heard = True
        self._news = asyncio.Event()
        self._looked_s = float("-inf")
        self.inbox = Inbox(Obeying(station, self._choices), topics, self._send, admission)

    async def follow(self) -> None:
        """Take up what happens, connected or not."""
        async for happening in self._station.happenings.read(after_id=0):
            try:
                self._take_up(happening)
            except Exception:  # noqa: BLE001 - what happens next is to be told all the same
                _log.exception("an event went wrong in a way nobody thought of")

    def _take_up(self, happening: Happening | Missed) -> None:
        if not isinstance(happening, Happening):
            return
        if happening.kind == "session_ended":
            self._looked_s = float("-inf")
        if (said := event_json(happening)) is not None:
            self._send(self._topics.event, said)

    async def keep_connected(self) -> None:
        """Connect, serve, and begin again."""
        where, said = f"{self._settings.host}:{self._settings.port}", ""
        wait = waits()
        while True:
            since_s = time.monotonic()
            try:
                # A task of its own: in Python 3.11 a group that failed leaves its task marked as cancelled.
                await asyncio.create_task(self._serve_once(where), name="percuss mqtt serving")
            except (aiomqtt.MqttError, OSError, PercussError) as problem:
                if (why := str(problem)) != said:  # once, and not at each try
                    _log.warning("no connection to %s: %s; it is tried again for ever", where, why)
                said = why
            except Exception:  # noqa: BLE001 - one bad hour of one library is no reason to stay away
                _log.exception("MQTT went wrong in a way nobody thought of; it is tried again for ever")
            if time.monotonic() - since_s > LONGEST_WAIT_S:
                wait = waits()
            await asyncio.sleep(next(wait))

    async def _serve_once(self, where: str) -> None:
        async with connected(self._settings, self._topics) as client:
            _log.info("connected to %s as %s", where, self._topics.object_id)
            await self._serve(client)

    async def _serve(self, client: aiomqtt.Client) -> None:
        # Retain as published: a retained message is known for one also while it is passed on.
        options = SubscribeOptions(qos=1, retainAsPublished=True)
        for topic in (self._topics.command, self._topics.home_status):
            codes = await client.subscribe(topic, options=options)
            _heed_cancelling()
            if not any(code.is_failure for code in codes if not isinstance(code, int)):
                continue
            why = f"the broker does not allow to subscribe to {topic}"
            if topic == self._topics.command:
                raise aiomqtt.MqttError(why)
            if self._is_home_heard:  # once, and not at each connection
                _log.warning("%s; Home Assistant finds what is retained", why)
            self._is_home_heard = False
        self._empty_outgoing()
        self._is_connected = True
        try:
            async with asyncio.TaskGroup() as group:
                # First of all: a stop must not wait for files.
                group.create_task(self._listen(client), name="percuss mqtt listening")
                group.create_task(self._tell(client), name="percuss mqtt telling")
                await self._look()
                await self._announce(client)
                await self._tell_state(client, None)
                await _publish(client, self._topics.availability, ONLINE)
                group.create_task(self._keep_state(client), name="percuss mqtt state")
        except BaseExceptionGroup as problems:
            raise problems.exceptions[0] from None
        finally:
            self._is_connected = False

    async def _listen(self, client: aiomqtt.Client) -> None:
        since_s = time.monotonic()
        async for message in client.messages:
            if message.topic.value == self._topics.home_status:
                self._is_home_new = message.payload == ONLINE.encode()
                self._news.set()
                continue
            connected_s = time.monotonic() - since_s
            self.inbox.take(bytes(message.payload), is_retained=bool(message.retain), connected_s=connected_s)

    async def _tell(self, client: aiomqtt.Client) -> None:
        while True:
            topic, said = await self._outgoing.get()
            await _publish(client, topic, said, is_retained=False)

    async def _keep_state(self, client: aiomqtt.Client) -> None:
        last: str | None = None
        config = json.dumps(self._config())
        while True:
            if time.monotonic() - self._looked_s > LOOK_S:
                await self._look()
            now = json.dumps(self._config())
            if now != config or self._is_home_new:  # other limits, other options; or Home Assistant has begun
                last, config, self._is_home_new = None, now, False
                await self._announce(client)
            last = await self._tell_state(client, last)
            with suppress(TimeoutError):
                async with asyncio.timeout(STATE_S):
                    await self._news.wait()
            self._news.clear()

    async def _look(self) -> None:
        self._looked_s = time.monotonic()
        await self._choices.look()
        self._dose_today_s = await asyncio.to_thread(look_up_dose_today_s)

    async def _tell_state(self, client: aiomqtt.Client, last: str | None) -> str:
        snapshot = await self._snapshots.take(is_fresh=True)
        state = json.dumps(state_json(snapshot, self._choices, self._dose_today_s), ensure_ascii=False)
        if state != last:
            await _publish(client, self._topics.state, state)
        return state

    def _config(self) -> dict[str, Any]:
        return discovery_payload(self._topics, self._choices, version("percuss"))

    async def _announce(self, client: aiomqtt.Client) -> None:
        before = await asyncio.to_thread(announced)
        if before.topic not in {"", self._topics.config}:
            await _publish(client, before.topic, "")
        payload = with_removed(self._config(), before.components)
        await _publish(client, self._topics.config, json.dumps(payload))
        platforms = {key: str(component["p"]) for key, component in payload["cmps"].items()}
        try:
            await asyncio.to_thread(remember, Announced(topic=self._topics.config, components=platforms))
        except OSError as problem:
            _log.warning("what was announced cannot be written down: %s", problem)

    def _send(self, topic: str, said: dict[str, Any]) -> None:
        """Let an event or an answer go out; nobody waits for it, and without a broker it is gone."""
        payload = json.dumps(said, ensure_ascii=False).encode()  # here: what is no JSON must not break the connection
        if self._is_connected:
            with suppress(asyncio.QueueFull):
                self._outgoing.put_nowait((topic, payload))
        self._news.set()

    def _empty_outgoing(self) -> None:
        while not self._outgoing.empty():
            self._outgoing.get_nowait()


async def _publish(client: aiomqtt.Client, topic: str, payload: str | bytes, *, is_retained: bool = True) -> None:
    await client.publish(topic, payload, qos=1, retain=is_retained)
    _heed_cancelling()


def _heed_cancelling() -> None:
    """Be cancelled after all: aiomqtt waits by `asyncio.wait_for`, which forgets it in Python 3.11 now and then."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
