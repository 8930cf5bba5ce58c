"""The pairing agent on a bus of its own, asked by a stand-in for bluetoothd."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("dbus_fast", reason="D-Bus is spoken on Linux only")

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from controller.errors import AdapterError
from controller.transports.bluez_agent import PairingAgent
from tests.helpers.private_bus import needs_dbus_daemon, private_bus

pytestmark = needs_dbus_daemon

DEVICE = "/org/bluez/hci0/dev_CA_FE_00_00_00_01"
REJECTED = "org.bluez.Error.Rejected"


class Bluetoothd:
    """Owns ``org.bluez``, keeps what agents register, and asks them."""

    def __init__(self, bus: MessageBus) -> None:
        self.bus = bus
        self.calls: list[tuple[str, list[Any]]] = []
        self.refuses: str | None = None
        self.agent = ""
        bus.add_message_handler(self._on_message)

    def _on_message(self, call: Message) -> Message | None:
        if call.message_type is not MessageType.METHOD_CALL or call.interface != "org.bluez.AgentManager1":
            return None
        self.calls.append((call.member or "", call.body))
        self.agent = call.sender or ""
        if self.refuses == call.member:
            return Message.new_error(call, "org.bluez.Error.AlreadyExists", "Already Exists")
        return Message.new_method_return(call)

    async def ask(self, member: str, signature: str, *body: object) -> tuple[str | None, list[Any]]:
        """What the agent answers: the name of an error, or None, and the values."""
        reply = await self.bus.call(
            Message(
                destination=self.agent,
                path="/org/percuss/agent",
                interface="org.bluez.Agent1",
                member=member,
                signature=signature,
                body=list(body),
            )
        )
        is_error = reply.message_type is MessageType.ERROR
        return (reply.error_name, []) if is_error else (None, list(reply.body))


@pytest.fixture
def bus_address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with private_bus() as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield address


@pytest.fixture
async def bluetoothd(bus_address: str) -> AsyncIterator[Bluetoothd]:
    bus = await MessageBus(bus_address=bus_address).connect()
    await bus.request_name("org.bluez")
    yield Bluetoothd(bus)
    bus.disconnect()
    with contextlib.suppress(EOFError):
        await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]


async def test_it_is_the_default_agent_for_its_time_only(bluetoothd: Bluetoothd) -> None:
    path = "/org/percuss/agent"
    async with PairingAgent():
        assert bluetoothd.calls == [("RegisterAgent", [path, "KeyboardDisplay"]), ("RequestDefaultAgent", [path])]
    assert bluetoothd.calls[2:] == [("UnregisterAgent", [path])]


@pytest.mark.parametrize(
    ("member", "signature", "more"),
    [
        ("RequestAuthorization", "o", []),
        ("RequestConfirmation", "ou", [123456]),
        ("DisplayPasskey", "ouq", [7, 0]),
        ("DisplayPinCode", "os", ["0000"]),
        ("Release", "", None),
        ("Cancel", "", None),
    ],
)
async def test_what_needs_nobody_is_granted(
    bluetoothd: Bluetoothd, member: str, signature: str, more: list[object] | None
) -> None:
    async with PairingAgent():
        body = [] if more is None else [DEVICE, *more]
        assert await bluetoothd.ask(member, signature, *body) == (None, [])


async def test_the_digits_that_are_typed_are_given(bluetoothd: Bluetoothd) -> None:
    async with PairingAgent(lambda: " 004 711\n"):
        assert await bluetoothd.ask("RequestPasskey", "o", DEVICE) == (None, [4711])
    async with PairingAgent(lambda: "0000 "):
        assert await bluetoothd.ask("RequestPinCode", "o", DEVICE) == (None, ["0000"])


def _leave() -> str:
    raise SystemExit(1)


@pytest.mark.parametrize("passkey", [None, lambda: "", lambda: "1234567", lambda: "-1", lambda: "abc", _leave])
async def test_what_is_no_passkey_is_refused(bluetoothd: Bluetoothd, passkey: Callable[[], str] | None) -> None:
    async with PairingAgent(passkey):
        assert await bluetoothd.ask("RequestPasskey", "o", DEVICE) == (REJECTED, [])


async def test_nobody_to_ask_refuses_a_pin_and_headset_services(bluetoothd: Bluetoothd) -> None:
    async with PairingAgent():
        assert await bluetoothd.ask("RequestPinCode", "o", DEVICE) == (REJECTED, [])
        assert await bluetoothd.ask("AuthorizeService", "os", DEVICE, "0000110b") == (REJECTED, [])


async def test_a_number_is_shown_to_the_person_who_decides(bluetoothd: Bluetoothd) -> None:
    async with PairingAgent(confirm=lambda number: number == 123456):
        assert await bluetoothd.ask("RequestConfirmation", "ou", DEVICE, 123456) == (None, [])
        assert await bluetoothd.ask("RequestConfirmation", "ou", DEVICE, 654321) == (REJECTED, [])


async def test_the_loop_runs_while_a_person_thinks(bluetoothd: Bluetoothd) -> None:
    typed = threading.Event()

    def passkey() -> str:
        typed.wait()
        return "123456"

    async with PairingAgent(passkey):
        asking = asyncio.create_task(bluetoothd.ask("RequestPasskey", "o", DEVICE))
        assert await bluetoothd.ask("RequestAuthorization", "o", DEVICE) == (None, [])
        assert not asking.done()
        typed.set()
        assert await asking == (None, [123456])


async def test_a_question_that_is_cancelled_is_not_answered_and_the_next_one_is(bluetoothd: Bluetoothd) -> None:
    asked, typed = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def passkey() -> str:
        loop.call_soon_threadsafe(asked.set)
        typed.wait()
        return "123456"

    async with PairingAgent(passkey):
        forgotten = asyncio.create_task(bluetoothd.ask("RequestPasskey", "o", DEVICE))
        await asked.wait()
        assert await bluetoothd.ask("Cancel", "") == (None, [])
        typed.set()
        assert await bluetoothd.ask("RequestPasskey", "o", DEVICE) == (None, [123456])
        assert not forgotten.done()
        forgotten.cancel()


async def test_leaving_does_not_wait_for_a_person(bluetoothd: Bluetoothd) -> None:
    asked, typed = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def passkey() -> str:
        loop.call_soon_threadsafe(asked.set)
        typed.wait()
        return "123456"

    async with PairingAgent(passkey):
        asking = asyncio.create_task(bluetoothd.ask("RequestPasskey", "o", DEVICE))
        await asked.wait()
    asking.cancel()
    typed.set()


async def test_calls_that_are_not_an_agents_are_left_alone(bluetoothd: Bluetoothd) -> None:
    async with PairingAgent():
        error, _ = await bluetoothd.ask("MakeCoffee", "")
        assert error == REJECTED
        bluetoothd.agent, own = bluetoothd.bus.unique_name or "", bluetoothd.agent
        error, _ = await bluetoothd.ask("RequestAuthorization", "o", DEVICE)
        assert error == "org.freedesktop.DBus.Error.UnknownMethod"
        bluetoothd.agent = own


@pytest.mark.parametrize("member", ["RegisterAgent", "RequestDefaultAgent"])
async def test_a_bluez_that_takes_no_agent_is_told(bluetoothd: Bluetoothd, member: str) -> None:
    bluetoothd.refuses = member
    with pytest.raises(AdapterError) as caught:
        await PairingAgent().__aenter__()
    assert "BlueZ takes no pairing agent: Already Exists" in str(caught.value)
    assert "systemctl restart bluetooth" in caught.value.fix


async def test_a_bus_without_bluetoothd_names_the_service_to_start(bus_address: str) -> None:
    with pytest.raises(AdapterError) as caught:
        await PairingAgent().__aenter__()
    assert "bluetoothd) is not running" in str(caught.value)
    assert "sudo systemctl start bluetooth" in caught.value.fix


@pytest.mark.parametrize("address", ["unix:path={folder}/nothing", "tcp", "unix:path={folder}"])
async def test_a_computer_without_a_bus_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address.format(folder=tmp_path))
    with pytest.raises(AdapterError) as caught:
        await PairingAgent().__aenter__()
    assert "message bus (D-Bus), which leads to Bluetooth, cannot be reached" in str(caught.value)
    assert "Start D-Bus" in caught.value.fix


async def test_a_bus_that_does_not_let_the_user_in_says_so(bus_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLEAK_DBUS_AUTH_UID", "4242")
    with pytest.raises(AdapterError, match="does not let this user in"):
        await PairingAgent().__aenter__()


async def test_a_bus_that_dies_while_pairing_breaks_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    with private_bus() as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        bus = await MessageBus(bus_address=address).connect()
        await bus.request_name("org.bluez")
        Bluetoothd(bus)
        agent = PairingAgent()
        await agent.__aenter__()
    with contextlib.suppress(EOFError, OSError):
        await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
    await agent.__aexit__()
