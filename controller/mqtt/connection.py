"""A connection to the broker: who we are, how it is kept private, and what is said when we die."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from controller.errors import RefusedError
from controller.mqtt.commands import PAYLOAD_MAX_BYTES
from controller.mqtt.topics import OFFLINE, Topics
from controller.service.settings import MqttSettings

KEEPALIVE_S = 15
"""A broker says offline for us after one and a half times so long without a word."""

ANSWER_S = 5.0
"""How long the broker has to answer anything."""

GOODBYE_S = 2.0
"""How long is spent on saying goodbye at most."""


@asynccontextmanager
async def connected(settings: MqttSettings, topics: Topics) -> AsyncIterator[aiomqtt.Client]:
    """Connect for a block. Leaving it says ``offline`` and disconnects, within `GOODBYE_S` each.

    Raises aiomqtt.MqttError, OSError (certificates too: ssl.SSLError) and RefusedError for a password file without
    a password.
    """
    tls = await asyncio.to_thread(_certificates, settings)
    password = await asyncio.to_thread(_password, settings.password_file)
    client = _client(settings, topics, tls=tls, password=password)
    try:
        await _enter(client)
        try:
            yield client
        finally:
            client.timeout = GOODBYE_S
            with suppress(aiomqtt.MqttError):
                await client.publish(topics.availability, OFFLINE, qos=1, retain=True)
            with suppress(aiomqtt.MqttError):
                await client.__aexit__(None, None, None)
    finally:
        _let_go(client)


async def _enter(client: aiomqtt.Client) -> None:
    """Connect. A thread does it, which nobody can cancel: it is waited for, so that it leaves no open end behind."""
    entering = asyncio.ensure_future(client.__aenter__())
    try:
        await asyncio.shield(entering)
    except asyncio.CancelledError:
        await asyncio.wait({entering}, timeout=2 * ANSWER_S)
        if entering.done() and not entering.cancelled() and entering.exception() is None:
            with suppress(aiomqtt.MqttError):
                await client.__aexit__(None, None, None)
        raise


def _let_go(client: aiomqtt.Client) -> None:
    """Close what aiomqtt leaves open when a connection fails half-way, and take up the error that it left for nobody.

    Both are out of reach otherwise; pyproject.toml pins the version.
    """
    client._client._sock_close()
    if client._disconnected.done() and not client._disconnected.cancelled():
        client._disconnected.exception()


def _client(
    settings: MqttSettings, topics: Topics, *, tls: ssl.SSLContext | None, password: str | None
) -> aiomqtt.Client:
    # Nothing is kept for us while we are away, and nothing larger than a command is sent to us.
    wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    wishes.SessionExpiryInterval = 0
    wishes.MaximumPacketSize = 2 * PAYLOAD_MAX_BYTES
    return aiomqtt.Client(
        settings.host,
        settings.port,
        identifier=topics.object_id,
        username=settings.username,
        password=password,
        protocol=aiomqtt.ProtocolVersion.V5,
        clean_start=True,
        properties=wishes,
        will=aiomqtt.Will(topics.availability, OFFLINE, qos=1, retain=True),
        keepalive=KEEPALIVE_S,
        tls_context=tls,
        timeout=ANSWER_S,
    )


def _certificates(settings: MqttSettings) -> ssl.SSLContext | None:
    if settings.tls_ca is None:
        return None
    context = ssl.create_default_context(cafile=settings.tls_ca)
    if settings.tls_cert is not None:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    return context


def _password(path: Path | None) -> str | None:
    if path is None:
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or not lines[0]:
        raise RefusedError("has no password in its first line.", where=str(path), fix="Write it there.")
    return lines[0]
