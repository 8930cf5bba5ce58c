"""The D-Bus objects of the fake BlueZ: a tree of paths, interfaces and properties that tells its changes."""

from __future__ import annotations

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from firmware_profiles.links import GattLayout, full_uuid
from firmware_profiles.schema import Profile

OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
PROPERTIES = "org.freedesktop.DBus.Properties"
AGENTS = "org.bluez.AgentManager1"
ADAPTER = "org.bluez.Adapter1"
DEVICE = "org.bluez.Device1"
SERVICE = "org.bluez.GattService1"
CHARACTERISTIC = "org.bluez.GattCharacteristic1"

ROOT_PATH = "/org/bluez"
ADAPTER_PATH = "/org/bluez/hci0"
ADDRESS = "CA:FE:00:00:00:01"
DEVICE_PATH = f"{ADAPTER_PATH}/dev_{ADDRESS.replace(':', '_')}"

INFORMATION = full_uuid("180A")
TEST_COMPANY = 0xFFFF
"""The company id that the Bluetooth SIG keeps free for tests."""

Properties = dict[str, Variant]
Interfaces = dict[str, Properties]


class Objects:
    """The tree. Every object also has Properties; the root of the bus has ObjectManager."""

    def __init__(self, bus: MessageBus) -> None:
        self.bus = bus
        self.tree: dict[str, Interfaces] = {}

    def has(self, path: str, interface: str) -> bool:
        if interface == OBJECT_MANAGER:
            return path == "/"
        return path in self.tree and (interface == PROPERTIES or interface in self.tree[path])

    def get(self, path: str, interface: str, name: str) -> object:
        return self.tree[path][interface][name].value

    def add(self, path: str, interfaces: Interfaces, *, is_told: bool = True) -> None:
        self.tree[path] = {interface: dict(properties) for interface, properties in interfaces.items()}
        if is_told:
            self._signal("/", OBJECT_MANAGER, "InterfacesAdded", "oa{sa{sv}}", path, self.tree[path])

    def remove(self, path: str) -> None:
        interfaces = self.tree.pop(path, {})
        self._signal("/", OBJECT_MANAGER, "InterfacesRemoved", "oas", path, list(interfaces))

    def change(self, path: str, interface: str, changed: Properties) -> None:
        self.tree[path][interface].update(changed)
        self._signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", interface, changed, [])

    def _signal(self, path: str, interface: str, member: str, signature: str, *body: object) -> None:
        self.bus.send(
            Message(
                message_type=MessageType.SIGNAL,
                path=path,
                interface=interface,
                member=member,
                signature=signature,
                body=list(body),
            )
        )


def adapter_properties() -> Properties:
    return {
        "Address": Variant("s", "00:00:00:00:00:01"),
        "AddressType": Variant("s", "public"),
        "Name": Variant("s", "fake"),
        "Alias": Variant("s", "fake"),
        "Powered": Variant("b", True),
        "Discoverable": Variant("b", False),
        "Pairable": Variant("b", False),
        "Discovering": Variant("b", False),
        "Roles": Variant("as", ["central", "peripheral"]),
        "UUIDs": Variant("as", []),
    }


def device_properties(profile: Profile, layout: GattLayout) -> Properties:
    name = profile.simulator.advertised_name or profile.name
    return {
        "Address": Variant("s", ADDRESS),
        "AddressType": Variant("s", "random"),
        "Name": Variant("s", name),
        "Alias": Variant("s", name),
        "Adapter": Variant("o", ADAPTER_PATH),
        "UUIDs": Variant("as", sorted({layout.service, layout.notify_service or layout.service})),
        "ManufacturerData": Variant("a{qv}", {TEST_COMPANY: Variant("ay", b"SIM")}),
        "Paired": Variant("b", False),
        "Bonded": Variant("b", False),
        "Trusted": Variant("b", False),
        "Blocked": Variant("b", False),
        "LegacyPairing": Variant("b", False),
        "Connected": Variant("b", False),
        "ServicesResolved": Variant("b", False),
    }


def gatt_table(layout: GattLayout, serial: str, firmware: str) -> dict[str, Interfaces]:
    """The device's services and characteristics, parents before children."""
    table: dict[str, Interfaces] = {}
    own = _service(table, 0x000A, layout.service)
    _characteristic(table, own, 0x000B, layout.write, "write", "write-without-response")
    if layout.notify is not None and layout.notify != layout.write:
        is_elsewhere = layout.notify_service not in (None, layout.service)
        heard = _service(table, 0x0010, layout.notify_service or "") if is_elsewhere else own
        _characteristic(table, heard, 0x0011 if is_elsewhere else 0x000D, layout.notify, "notify")
    information = _service(table, 0x0020, INFORMATION)
    _characteristic(table, information, 0x0021, full_uuid("2A25"), "read", value=serial.encode())
    _characteristic(table, information, 0x0023, full_uuid("2A26"), "read", value=firmware.encode())
    return table


def _service(table: dict[str, Interfaces], handle: int, uuid: str) -> str:
    path = f"{DEVICE_PATH}/service{handle:04x}"
    table[path] = {
        SERVICE: {"UUID": Variant("s", uuid), "Device": Variant("o", DEVICE_PATH), "Primary": Variant("b", True)}
    }
    return path


def _characteristic(
    table: dict[str, Interfaces], service: str, handle: int, uuid: str, *flags: str, value: bytes = b""
) -> None:
    table[f"{service}/char{handle:04x}"] = {
        CHARACTERISTIC: {
            "UUID": Variant("s", uuid),
            "Service": Variant("o", service),
            "Flags": Variant("as", list(flags)),
            "Value": Variant("ay", value),
            "Notifying": Variant("b", False),
            "MTU": Variant("q", 247),
        }
    }
