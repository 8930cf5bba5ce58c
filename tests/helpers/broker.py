"""A real mosquitto on a free port, and clients to talk over it."""

from __future__ import annotations

import asyncio
import getpass
import json
import shutil
import socket
import ssl
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.helpers.processes import HANG_S

MOSQUITTO = shutil.which("mosquitto", path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin:/opt/homebrew/sbin")
OPEN = ("allow_anonymous true",)
RIGHTS_PLUGIN = "mosquitto_dynamic_security.so"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Broker:
    """One mosquitto, that can be killed and started again on the same port. Its log is read all the time."""

    folder: Path
    port: int
    lines: Sequence[str]
    process: subprocess.Popen[str] | None = None

    @property
    def log(self) -> str:
        return (self.folder / "mosquitto.log").read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert MOSQUITTO, "mosquitto is not installed"
        config = self.folder / "mosquitto.conf"
        fixed = (f"listener {self.port} 127.0.0.1", f"user {getpass.getuser()}", "log_type all")
        config.write_text("\n".join([*fixed, *self.lines]) + "\n", encoding="utf-8")
        with (self.folder / "mosquitto.log").open("a", encoding="utf-8") as log:
            self.process = subprocess.Popen([MOSQUITTO, "-c", str(config)], stdout=log, stderr=log, text=True)
        until = time.monotonic() + HANG_S
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            assert self.process.poll() is None, self.log
            assert time.monotonic() < until, self.log
            time.sleep(0.02)

    def kill(self) -> None:
        """Let it die without a word."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(HANG_S)


@contextmanager
def broker(folder: Path, *lines: str) -> Iterator[Broker]:
    """A broker for a block; ``lines`` are of its configuration, without any it lets everybody in."""
    folder.mkdir(parents=True, exist_ok=True)
    running = Broker(folder, free_port(), lines or OPEN)
    running.start()
    try:
        yield running
    finally:
        running.kill()


def forbidding(folder: Path, topic: str) -> tuple[str, ...]:
    """Lines for `broker`: everybody may do everything, but for subscribing to one topic."""
    plugin = next(
        found for lib in ("/usr/lib", "/usr/local/lib", "/opt/homebrew/lib") for found in Path(lib).rglob(RIGHTS_PLUGIN)
    )
    kinds = ("publishClientSend", "publishClientReceive", "subscribe", "unsubscribe")
    rights = {
        "defaultACLAccess": dict.fromkeys(kinds, True),
        "anonymousGroup": "everybody",
        "groups": [{"groupname": "everybody", "roles": [{"rolename": "all but one"}]}],
        "roles": [
            {"rolename": "all but one", "acls": [{"acltype": "subscribeLiteral", "topic": topic, "allow": False}]}
        ],
        "clients": [],
    }
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "rights.json"
    config.write_text(json.dumps(rights), encoding="utf-8")
    return (*OPEN, f"plugin {plugin}", f"plugin_opt_config_file {config}")


@dataclass
class Heard:
    """A message, as a client got it."""

    topic: str
    payload: bytes
    is_retained: bool

    @property
    def json(self) -> Any:
        return json.loads(self.payload)


@dataclass
class Client:
    """Somebody who hears everything, and talks to one installation."""

    mqtt: aiomqtt.Client
    base: str = "percuss"
    heard: list[Heard] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, is_wanted: Callable[[Heard], bool], *, after: int = 0) -> Heard:
        """The first message of a kind after the so many first ones, also one from before."""
        index = after
        async with asyncio.timeout(HANG_S):
            while True:
                while index < len(self.heard):
                    if is_wanted(self.heard[index]):
                        return self.heard[index]
                    index += 1
                self.news.clear()
                await self.news.wait()

    async def installation(self) -> str:
        """The id of the one that is online."""
        seen = await self.until(lambda each: each.topic.endswith("/availability") and each.payload == b"online")
        return seen.topic.removeprefix(f"{self.base}/").split("/")[0]

    async def state(self, is_wanted: Callable[[dict[str, Any]], bool] = lambda _: True, *, after: int = 0) -> Any:
        seen = await self.until(lambda each: each.topic.endswith("/state") and is_wanted(each.json), after=after)
        return seen.json

    async def event(self, event_type: str, *, after: int = 0) -> Any:
        def is_it(each: Heard) -> bool:
            return each.topic.endswith("/event") and each.json["event_type"] == event_type

        return (await self.until(is_it, after=after)).json

    async def send(self, payload: bytes | str, *, retain: bool = False, qos: int = 1) -> None:
        topic = f"{self.base}/{await self.installation()}/command"
        await self.mqtt.publish(topic, payload, qos=qos, retain=retain)

    async def ask(self, do: str, *, retain: bool = False, **values: Any) -> Any:
        """Say a command, stamped as it should be unless ``values`` say otherwise; its answer."""
        command = {**stamp(), "do": do, **values}
        after = len(self.heard)
        await self.send(json.dumps(command), retain=retain)
        seen = await self.until(
            lambda each: "/reply" in each.topic and not each.is_retained and each.json["id"] == command.get("id"),
            after=after,
        )
        return seen.json

    async def insist(self, do: str, **values: Any) -> Any:
        """The same, again and again while the service or the connection has just begun."""
        while True:
            answer = await self.ask(do, **values)
            if "has just begun" not in answer["said"]:
                return answer
            await asyncio.sleep(0.2)


def stamp(lives_s: float = 19.0) -> dict[str, Any]:
    """An id of its own, and an expiry as late as may be."""
    return {"id": uuid.uuid4().hex, "expires_at": (datetime.now(UTC) + timedelta(seconds=lives_s)).isoformat()}


@asynccontextmanager
async def client(
    port: int,
    *,
    username: str | None = None,
    password: str | None = None,
    tls: ssl.SSLContext | None = None,
    topics: Sequence[str] = ("percuss/#", "homeassistant/#"),
) -> AsyncIterator[Client]:
    """A client for a block."""
    connection = aiomqtt.Client(
        "127.0.0.1",
        port,
        username=username,
        password=password,
        tls_context=tls,
        protocol=aiomqtt.ProtocolVersion.V5,
    )
    try:
        async with connection as mqtt:
            for topic in topics:
                await mqtt.subscribe(topic, options=SubscribeOptions(qos=1))
            made = Client(mqtt)
            listening = asyncio.create_task(_listen(made))
            try:
                yield made
            finally:
                listening.cancel()
                await asyncio.wait({listening})
    finally:
        # Of a broker that died while nobody listened any more, aiomqtt leaves the error for nobody.
        if connection._disconnected.done() and not connection._disconnected.cancelled():
            connection._disconnected.exception()


async def _listen(made: Client) -> None:
    with suppress(aiomqtt.MqttError):
        async for message in made.mqtt.messages:
            made.heard.append(Heard(message.topic.value, bytes(message.payload), bool(message.retain)))
            made.news.set()
