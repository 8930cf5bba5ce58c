"""The agents of the fake BlueZ, and what it asks them."""

from __future__ import annotations

import asyncio
from typing import Any

from dbus_fast import DBusError, Message, MessageType
from dbus_fast.aio import MessageBus

from tests.helpers.bluez_objects import DEVICE_PATH

AGENT = "org.bluez.Agent1"

Reply = tuple[str, list[Any]]
NOTHING: Reply = ("", [])


def failure(name: str, text: str) -> DBusError:
    return DBusError(f"org.bluez.Error.{name}", text)


class Agents:
    """AgentManager1: who registered an agent, and which one is the default."""

    def __init__(self, bus: MessageBus) -> None:
        self.bus = bus
        self.paths: dict[str, str] = {}  # by the name of the connection
        self.default: str | None = None
        self.asking: asyncio.Task[None] | None = None

    async def register(self, call: Message) -> Reply:
        if call.sender in self.paths:
            raise failure("AlreadyExists", "Already Exists")
        self.paths[call.sender or ""] = call.body[0]
        return NOTHING

    async def unregister(self, call: Message) -> Reply:
        self._require(call)
        self.forget(call.sender or "")
        return NOTHING

    async def request_default(self, call: Message) -> Reply:
        self._require(call)
        self.default = call.sender
        return NOTHING

    def forget(self, name: str) -> None:
        self.paths.pop(name, None)
        if self.default == name:
            self.default = None

    def _require(self, call: Message) -> None:
        if self.paths.get(call.sender or "") != call.body[0]:
            raise failure("DoesNotExist", "Does Not Exist")

    async def pair(self, caller: str, how: str, passkey: int) -> None:
        """Ask the caller's own agent, else the default one, as BlueZ does."""
        owner = caller if caller in self.paths else self.default
        if owner is None:
            raise failure("AuthenticationFailed", "Authentication Failed")  # even where there is nothing to ask
        self.asking = asyncio.create_task(self._ask_for_pairing(owner, how, passkey))
        try:
            await self.asking
        except asyncio.CancelledError:
            raise failure("AuthenticationCanceled", "Authentication Canceled") from None
        finally:
            self.asking = None

    async def cancel_pairing(self) -> None:
        """The device gives up while a person still thinks."""
        assert self.asking is not None, "nobody is pairing"
        assert self.default is not None
        self.asking.cancel()
        await self.bus.call(
            Message(destination=self.default, path=self.paths[self.default], interface=AGENT, member="Cancel")
        )

    async def _ask_for_pairing(self, owner: str, how: str, passkey: int) -> None:
        match how:
            case "just-works":
                await self._ask(owner, "RequestAuthorization")
            case "passkey":
                if await self._ask(owner, "RequestPasskey") != [passkey]:
                    raise failure("AuthenticationFailed", "Authentication Failed")
            case _:
                raise failure("AuthenticationRejected", "Authentication Rejected")

    async def _ask(self, owner: str, member: str) -> list[Any]:
        call = Message(
            destination=owner,
            path=self.paths[owner],
            interface=AGENT,
            member=member,
            signature="o",
            body=[DEVICE_PATH],
        )
        reply = await self.bus.call(call)
        if reply.message_type is MessageType.ERROR:
            raise failure("AuthenticationRejected", "Authentication Rejected")
        return list(reply.body)
