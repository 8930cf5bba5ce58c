"""A stand-in for bluetoothd: ``org.bluez`` on the bus that DBUS_SYSTEM_BUS_ADDRESS names, one simulated device behind.

``python -m tests.helpers.fake_bluez --profile theragun-gen4 --record FILE`` prints one JSON line when it is ready, then
answers each JSON line on its standard input with one that tells its state:

* ``{"set": {…}}`` changes attributes of `Radio`: what goes wrong, and how pairing goes
* ``{"do": "drop_link"}``, ``{"do": "cancel_pairing"}``, ``{"do": "connect"}`` (as another program would)
* ``{"do": "look"}`` changes nothing

It ends when its standard input does. It follows BlueZ's D-Bus documentation (doc/org.bluez.*.rst), as far as clients of
bleak can tell the difference.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbus_fast import DBusError, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from firmware_profiles.library import find_profile
from firmware_profiles.schema import Profile
from simulators.clock import RunningClock
from simulators.device import SimulatedDevice
from simulators.recorder import Recorder, RecordFile
from tests.helpers.bluez_objects import (
    ADAPTER,
    ADAPTER_PATH,
    ADDRESS,
    AGENTS,
    CHARACTERISTIC,
    DEVICE,
    DEVICE_PATH,
    OBJECT_MANAGER,
    PROPERTIES,
    ROOT_PATH,
    Objects,
    adapter_properties,
    device_properties,
    gatt_table,
)
from tests.helpers.bluez_pairing import NOTHING, Agents, Reply, failure

ADVERTISING_INTERVAL_S = 0.02
UNLIKELY_ERROR = "Operation failed with ATT error: 0x0e"


@dataclass
class Radio:
    """What the tests may set. Strings say how it goes."""

    powered: bool = True
    present: bool = True
    connecting: str = "ok"  # busy, fail, hang
    pairing: str = "just-works"  # passkey, refuse
    passkey: int = 123456
    writing: str = "ok"  # hang, refuse
    answering: bool = True
    mtu: int = 247  # of the next connection


class FakeBluez:
    """Answers the method calls of the bus. Each call runs as a task, so that a call that hangs blocks no other."""

    def __init__(self, bus: MessageBus, profile: Profile, device: SimulatedDevice, alternative: int) -> None:
        self.bus = bus
        self.profile = profile
        self.device = device
        self.radio = Radio()
        self.objects = Objects(bus)
        self.agents = Agents(bus)
        self.discovering: set[str] = set()  # names of connections
        self.notified: set[str] = set()  # paths of characteristics
        self.tasks: set[asyncio.Task[None]] = set()
        self.objects.add(ROOT_PATH, {AGENTS: {}}, is_told=False)
        self.objects.add(ADAPTER_PATH, {ADAPTER: adapter_properties()}, is_told=False)
        assert profile.ble is not None
        self.layout = layout = profile.ble.layouts[alternative]
        self.gatt = gatt_table(layout, device.serial, device.firmware)
        self.write_path = self._path_of(layout.write)
        self.notify_path = self._path_of(layout.notify or layout.write)
        self.calls: list[str] = []  # to characteristics
        device.send = self.notify
        self.methods: dict[tuple[str, str], Callable[[Message], Awaitable[Reply]]] = {
            (OBJECT_MANAGER, "GetManagedObjects"): self.managed_objects,
            (PROPERTIES, "Set"): self.set_property,
            (ADAPTER, "SetDiscoveryFilter"): self.nothing,
            (ADAPTER, "StartDiscovery"): self.start_discovery,
            (ADAPTER, "StopDiscovery"): self.stop_discovery,
            (ADAPTER, "RemoveDevice"): self.remove_device,
            (AGENTS, "RegisterAgent"): self.agents.register,
            (AGENTS, "UnregisterAgent"): self.agents.unregister,
            (AGENTS, "RequestDefaultAgent"): self.agents.request_default,
            (DEVICE, "Connect"): self.connect,
            (DEVICE, "Disconnect"): self.disconnect,
            (DEVICE, "Pair"): self.pair,
            (CHARACTERISTIC, "ReadValue"): self.read_value,
            (CHARACTERISTIC, "WriteValue"): self.write_value,
            (CHARACTERISTIC, "StartNotify"): self.start_notify,
            (CHARACTERISTIC, "StopNotify"): self.stop_notify,
        }

    # ---- the bus

    def on_message(self, message: Message) -> bool:
        if message.message_type is MessageType.SIGNAL and message.member == "NameOwnerChanged":
            self.forget_client(message.body[0])
            return False
        if message.message_type is not MessageType.METHOD_CALL:
            return False
        method = self.methods.get((message.interface or "", message.member or ""))
        if method is None or not self.objects.has(message.path or "", message.interface or ""):
            return False  # dbus-fast answers UnknownMethod
        task = asyncio.create_task(self.answer(message, method))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return True

    async def answer(self, call: Message, method: Callable[[Message], Awaitable[Reply]]) -> None:
        try:
            signature, body = await method(call)
        except DBusError as problem:
            await self.bus.send(Message.new_error(call, problem.type, problem.text))
        else:
            await self.bus.send(Message.new_method_return(call, signature, body))

    def forget_client(self, name: str) -> None:
        self.agents.forget(name)
        self.discovering.discard(name)

    async def nothing(self, _: Message) -> Reply:
        return NOTHING

    async def managed_objects(self, _: Message) -> Reply:
        return "a{oa{sa{sv}}}", [self.objects.tree]

    async def set_property(self, call: Message) -> Reply:
        interface, name, value = call.body
        self.objects.change(call.path or "", interface, {name: value})
        return NOTHING

    # ---- the adapter

    async def start_discovery(self, call: Message) -> Reply:
        self.require_power()
        self.discovering.add(call.sender or "")
        self.objects.change(ADAPTER_PATH, ADAPTER, {"Discovering": Variant("b", True)})
        return NOTHING

    async def stop_discovery(self, call: Message) -> Reply:
        self.require_power()
        if call.sender not in self.discovering:
            raise failure("Failed", "No discovery started")
        self.discovering.discard(call.sender)
        self.objects.change(ADAPTER_PATH, ADAPTER, {"Discovering": Variant("b", bool(self.discovering))})
        return NOTHING

    async def remove_device(self, _: Message) -> Reply:
        self.drop_link()
        self.objects.remove(DEVICE_PATH)
        return NOTHING

    def require_power(self) -> None:
        if not self.radio.powered:
            raise failure("NotReady", "Resource Not Ready")

    async def advertise(self) -> None:
        """Let the device be heard again and again while anybody listens, as it is on the air."""
        while True:
            if self.discovering and self.radio.present and not self.is_connected:
                self.hear_device()
            await asyncio.sleep(ADVERTISING_INTERVAL_S)

    def hear_device(self) -> None:
        if not self.objects.has(DEVICE_PATH, DEVICE):
            self.objects.add(DEVICE_PATH, {DEVICE: device_properties(self.profile, self.layout)})
        self.objects.change(DEVICE_PATH, DEVICE, {"RSSI": Variant("n", -58)})

    # ---- the link

    @property
    def is_connected(self) -> bool:
        return self.objects.has(DEVICE_PATH, DEVICE) and bool(self.objects.get(DEVICE_PATH, DEVICE, "Connected"))

    async def connect(self, _: Message) -> Reply:
        self.require_power()
        if not self.is_connected:
            await self.link_up()
        return NOTHING

    async def link_up(self) -> None:
        match self.radio.connecting:
            case "busy":
                raise failure("InProgress", "In Progress")
            case "fail":
                raise failure("Failed", "le-connection-abort-by-remote")
            case "hang":
                await asyncio.Event().wait()
        self.objects.change(DEVICE_PATH, DEVICE, {"Connected": Variant("b", True)})
        for path, interfaces in self.gatt.items():
            self.objects.add(path, interfaces)
            if CHARACTERISTIC in interfaces:
                self.objects.change(path, CHARACTERISTIC, {"MTU": Variant("q", self.radio.mtu)})
        self.device.record_link(is_connected=True, count=1)
        self.objects.change(DEVICE_PATH, DEVICE, {"ServicesResolved": Variant("b", True)})

    async def disconnect(self, _: Message) -> Reply:
        self.drop_link()
        return NOTHING

    def drop_link(self) -> None:
        if not self.is_connected:
            return
        self.notified.clear()
        self.device.record_link(is_connected=False, count=0)
        self.objects.change(DEVICE_PATH, DEVICE, {"ServicesResolved": Variant("b", False)})
        for path in reversed(self.gatt):
            self.objects.remove(path)
        self.objects.change(DEVICE_PATH, DEVICE, {"Connected": Variant("b", False)})

    # ---- pairing

    async def pair(self, call: Message) -> Reply:
        if self.objects.get(DEVICE_PATH, DEVICE, "Paired"):
            raise failure("AlreadyExists", "Already Exists")
        if not self.is_connected:
            await self.link_up()
        await self.agents.pair(call.sender or "", self.radio.pairing, self.radio.passkey)
        self.objects.change(DEVICE_PATH, DEVICE, {"Paired": Variant("b", True), "Bonded": Variant("b", True)})
        return NOTHING

    # ---- GATT

    async def read_value(self, call: Message) -> Reply:
        return "ay", [self.objects.get(call.path or "", CHARACTERISTIC, "Value")]

    async def write_value(self, call: Message) -> Reply:
        data, options = call.body
        self.calls.append("WriteValue")
        is_request = options["type"].value == "request"
        if call.path != self.write_path:
            raise failure("NotPermitted", "Write not permitted")
        if self.radio.writing == "hang":
            await asyncio.Event().wait()
        if not self.device.receive(bytes(data), with_response=is_request) and is_request:
            raise failure("Failed", UNLIKELY_ERROR)
        return NOTHING

    async def start_notify(self, call: Message) -> Reply:
        self.calls.append("StartNotify")
        self.notified.add(call.path or "")
        return NOTHING

    async def stop_notify(self, call: Message) -> Reply:
        self.notified.discard(call.path or "")
        return NOTHING

    def notify(self, data: bytes) -> None:
        if self.notify_path in self.notified and self.is_connected and self.radio.answering:
            self.objects.change(self.notify_path, CHARACTERISTIC, {"Value": Variant("ay", data)})

    def _path_of(self, uuid: str) -> str:
        return next(
            path
            for path, interfaces in self.gatt.items()
            if CHARACTERISTIC in interfaces and interfaces[CHARACTERISTIC]["UUID"].value == uuid
        )

    # ---- the tests

    async def obey(self, wish: dict[str, Any]) -> dict[str, Any]:
        for name, value in wish.get("set", {}).items():
            assert hasattr(self.radio, name), name
            setattr(self.radio, name, value)
        if wish.get("do") == "drop_link":
            self.drop_link()
        if wish.get("do") == "connect":
            self.hear_device()
            await self.link_up()
        if wish.get("do") == "cancel_pairing":
            await self.agents.cancel_pairing()
        self.device.faults.refuses = self.radio.writing == "refuse"
        if not self.radio.powered:
            self.drop_link()
            self.discovering.clear()
        if not self.radio.present and self.objects.has(DEVICE_PATH, DEVICE):
            self.drop_link()
            self.objects.remove(DEVICE_PATH)
        self.objects.change(ADAPTER_PATH, ADAPTER, {"Powered": Variant("b", self.radio.powered)})
        return self.state()

    def state(self) -> dict[str, Any]:
        is_known = self.objects.has(DEVICE_PATH, DEVICE)
        return {
            "connected": self.is_connected,
            "paired": is_known and bool(self.objects.get(DEVICE_PATH, DEVICE, "Paired")),
            "pairing": self.agents.asking is not None,
            "agents": len(self.agents.paths),
            "discovering": len(self.discovering),
            "notifying": len(self.notified),
            "calls": self.calls,
        }


async def serve(profile: Profile, record: Path, alternative: int) -> None:
    bus = await MessageBus(bus_address=os.environ["DBUS_SYSTEM_BUS_ADDRESS"]).connect()
    clock, file = RunningClock(), RecordFile(record)
    device = SimulatedDevice(profile, clock=clock, recorder=Recorder(file, clock), over="ble")
    device.start()
    fake = FakeBluez(bus, profile, device, alternative)
    bus.add_message_handler(fake.on_message)
    # dbus-fast asks for NameOwnerChanged only when its own services are used.
    await bus.call(
        Message(
            destination="org.freedesktop.DBus",
            path="/org/freedesktop/DBus",
            interface="org.freedesktop.DBus",
            member="AddMatch",
            signature="s",
            body=["type='signal',member='NameOwnerChanged',sender='org.freedesktop.DBus'"],
        )
    )
    await bus.request_name("org.bluez")
    print(json.dumps({"ready": True, "address": ADDRESS}), flush=True)
    advertising = asyncio.create_task(fake.advertise())
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await fake.obey(json.loads(line))), flush=True)
    advertising.cancel()
    device.end()
    file.close()
    bus.disconnect()
    with contextlib.suppress(Exception):
        await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]


def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for bluetoothd.")
    parser.add_argument("--profile", default="theragun-gen4")
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--alternative", type=int, default=0, help="Which of the profile's GATT layouts it has.")
    options = parser.parse_args()
    asyncio.run(serve(find_profile(options.profile), options.record, options.alternative))


if __name__ == "__main__":
    main()
