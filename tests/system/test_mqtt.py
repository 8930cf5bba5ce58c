"""MQTT with locks: passwords, rights, TLS, certificates; and the service that is told of them by its settings."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from controller.service.settings import MqttSettings
from tests.helpers.bridge import bridged, run, until_at_rest
from tests.helpers.broker import Broker, Client, broker, client, free_port
from tests.helpers.certificates import Authority
from tests.helpers.motor import is_at_rest, paired_gun
from tests.helpers.processes import HANG_S, RunningSimulator, percuss
from tests.helpers.service import service

PASSWORD = "a password that no log may show"


@pytest.fixture
def gun(tmp_path: Path) -> Iterator[RunningSimulator]:
    with paired_gun(tmp_path) as device:
        yield device


def locked(folder: Path) -> Broker:
    """A broker with passwords and rights: the service may not write where Home Assistant alone may."""
    folder.mkdir(parents=True)
    passwords, rights = folder / "passwords", folder / "rights"
    for number, name in enumerate(("service", "person", "stranger")):
        create = ["-c"] if number == 0 else []
        subprocess.run(["mosquitto_passwd", *create, "-b", passwords, name, PASSWORD], check=True, capture_output=True)
    rights.write_text(
        "user service\n"
        "topic readwrite percuss/#\n"
        "topic read homeassistant/status\n"
        "topic write homeassistant/device/#\n"
        "user person\n"
        "topic readwrite percuss/#\n"
        "topic readwrite homeassistant/#\n"
        "user stranger\n"
        "topic read percuss/#\n",
        encoding="utf-8",
    )
    for path in (passwords, rights):
        path.chmod(0o600)
    lines = ("allow_anonymous false", f"password_file {passwords}", f"acl_file {rights}")
    return Broker(folder, free_port(), lines)


@asynccontextmanager
async def person(port: int, name: str = "person") -> AsyncIterator[Client]:
    async with client(port, username=name, password=PASSWORD) as talking:
        yield talking


async def test_with_a_password_and_rights_a_stranger_can_look_and_not_touch(
    gun: RunningSimulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    running = locked(tmp_path / "locked")
    running.start()
    settings = MqttSettings(host="127.0.0.1", port=running.port, username="service", password_file=secret)
    try:
        with caplog.at_level(logging.DEBUG):
            async with person(running.port) as home, person(running.port, "stranger") as stranger, bridged(settings):
                await stranger.installation()
                await stranger.send('{"do": "stop"}')
                await run(home)
                await stranger.send("stop")
                await home.state(lambda each: each["status"] == "running", after=len(home.heard) - 1)
                assert (await home.ask("stop"))["ok"]
                await until_at_rest(gun)
                ended = await home.event("session_ended")
                assert ended["reason"] == "stopped by a message over MQTT"
        assert PASSWORD not in caplog.text
    finally:
        running.kill()


async def test_a_wrong_password_is_told_once_and_the_right_one_is_taken_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = tmp_path / "password"
    secret.write_text("not this one\n")
    running = locked(tmp_path / "locked")
    running.start()
    settings = MqttSettings(host="127.0.0.1", port=running.port, username="service", password_file=secret)
    try:
        async with person(running.port) as home, bridged(settings):
            while running.log.count("not authorised") < 2:  # noqa: ASYNC110 - it was tried twice
                await asyncio.sleep(0.05)
            secret.write_text(PASSWORD + "\n")
            await home.installation()
        told = [record for record in caplog.records if "no connection" in record.getMessage()]
        assert len(told) == 1
        assert "uthoriz" in told[0].getMessage()
        assert "not this one" not in caplog.text
    finally:
        running.kill()


def tls(broker_folder: Path, authority: Authority, *more: str) -> tuple[str, ...]:
    certificate, key = authority.issue("broker")
    return (f"cafile {authority.path}", f"certfile {certificate}", f"keyfile {key}", *more)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_over_tls_the_service_talks_to_its_broker_and_to_no_other(
    gun: RunningSimulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    context = ssl.create_default_context(cafile=ours.path)
    with broker(tmp_path / "tls", *tls(tmp_path, ours, "allow_anonymous true")) as running:
        settings = MqttSettings(host="127.0.0.1", port=running.port, tls_ca=ours.path)
        async with client(running.port, tls=context) as home:
            async with bridged(settings):
                await run(home)
                assert (await home.ask("stop"))["ok"]
            heard = len(home.heard)
            async with bridged(settings.model_copy(update={"tls_ca": theirs.path})):
                while "CERTIFICATE_VERIFY_FAILED" not in caplog.text:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert not [each for each in home.heard[heard:] if each.payload == b"online"]
    gc.collect()  # paho leaves the socket of a handshake that failed to the garbage collector


async def test_a_broker_that_asks_for_a_certificate_gets_one(gun: RunningSimulator, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    certificate, key = authority.issue("service")
    context = ssl.create_default_context(cafile=authority.path)
    context.load_cert_chain(*authority.issue("person"))
    lines = tls(tmp_path, authority, "require_certificate true", "use_identity_as_username true")
    with broker(tmp_path / "mtls", *lines) as running:
        without = MqttSettings(host="127.0.0.1", port=running.port, tls_ca=authority.path)
        with_one = MqttSettings(
            host="127.0.0.1", port=running.port, tls_ca=authority.path, tls_cert=certificate, tls_key=key
        )
        async with client(running.port, tls=context) as home:
            async with bridged(without):
                while "peer did not return a certificate" not in running.log:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert not [each for each in home.heard if each.payload == b"online"]
            async with bridged(with_one):
                await run(home)
                assert (await home.ask("stop"))["ok"]
        assert "u'service'" in running.log


async def test_the_service_offers_mqtt_by_its_settings_and_ends_with_the_motor_first(
    home: Path, gun: RunningSimulator, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    running = locked(tmp_path / "locked")
    running.start()
    (home / "service.toml").write_text(
        f'[mqtt]\nhost = "127.0.0.1"\nport = {running.port}\nusername = "service"\npassword_file = "{secret}"\n'
    )
    try:
        async with person(running.port) as phone:
            with service(home) as serving:
                await run(phone, speed=1.0)
                shown = serving.client.get("/api/v1/session").json()["session"]
                assert (shown["by"], shown["routine"]) == ("a message over MQTT", "script")
                after = len(phone.heard)
                serving.process.send_signal(signal.SIGTERM)
                await phone.until(
                    lambda each: each.topic.endswith("/availability") and each.payload == b"offline", after=after
                )
                assert is_at_rest(gun), "it is offline when the motor is at rest, not before"
                assert await asyncio.to_thread(serving.process.wait, HANG_S) == 0
            talk = "".join(serving.talk)
            assert "the service has ended" in talk
            assert "Traceback" not in talk
            assert PASSWORD not in talk
        async with person(running.port) as late:
            kept = await late.until(lambda each: each.topic.endswith("/availability"))
            assert (kept.payload, kept.is_retained) == (b"offline", True)
    finally:
        running.kill()
    last = json.loads(percuss("history", "list", "--json").stdout)["sessions"][0]
    assert (last["outcome"], last["reason"]) == ("stopped", "the service ended")
