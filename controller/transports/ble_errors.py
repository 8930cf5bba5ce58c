"""What bleak, D-Bus and our own backend raise, as errors that a person can act on.

Imports bleak: the modules that must stay light import this one inside functions.
"""

from __future__ import annotations

from typing import Literal

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
    BleakGATTProtocolErrorCode,
)

from controller.errors import (
    AdapterError,
    DeviceBusyError,
    DeviceFaultError,
    DeviceNotFoundError,
    LinkLostError,
    PairingError,
)
from firmware_profiles.errors import PercussError

Phase = Literal["scan", "open", "use", "pair"]

HELD_ELSEWHERE = "Is it connected to another program or phone? Close that, then try again."
PAIRING_ADVICE = "Put it into pairing mode and type the number it shows, if it shows one."
OUT_OF_REACH = "Is it switched on, near, and not connected to another program or phone?"

_REFUSALS = {0x09, 0x0B, 0x0D, 0x3E}
"""HCI reasons (Core Specification 5.4, volume 1, part F): too many connections, connected already, no resources, never
established."""

_ASKS_FOR_PAIRING = {
    BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHENTICATION,
    BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHORIZATION,
    BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION,
    BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION_KEY_SIZE,
}


class ConnectionFailedError(BleakError):
    """A connection did not come about or ended too soon. ``reason`` is the HCI code, None when the controller died."""

    def __init__(self, what: str, reason: int | None) -> None:
        super().__init__(what)
        self.reason = reason


class PairingFailedError(BleakError):
    """The device, or the person who was asked for its number, did not agree on pairing."""


def as_percuss_error(problem: Exception, url: str, phase: Phase, *, is_connected: bool = False) -> PercussError | None:
    """What to raise instead; None for what is nobody's error but a fault of ours."""
    # bleak closes its bus connection when a link goes, so in use a lost link may look like a lost bus.
    is_link_lost = phase == "use" and not is_connected
    if not (is_link_lost and isinstance(problem, EOFError)) and (adapter := _adapter_error(problem, url)) is not None:
        return adapter
    if is_link_lost and isinstance(problem, BleakError | TimeoutError | EOFError):
        return LinkLostError("The link to the device was lost.", where=url)
    match problem:
        case BleakDeviceNotFoundError():
            return DeviceNotFoundError("No device answers at this address.", where=url, fix=OUT_OF_REACH)
        case BleakGATTProtocolError():
            return _gatt_error(problem, url)
        case PairingFailedError():
            return PairingError(f"The device did not agree to pair: {problem}.", where=url, fix=PAIRING_ADVICE)
        case ConnectionFailedError() if problem.reason in _REFUSALS:
            return DeviceBusyError(f"The device took no connection: {problem}.", where=url, fix=HELD_ELSEWHERE)
        case BleakDBusError():
            return _bluez_error(problem, url, phase)
        case BleakError():
            return _other_error(f"{problem}", url, phase)
        case TimeoutError() if phase == "open":
            return DeviceNotFoundError("The device did not answer in time.", where=url, fix=OUT_OF_REACH)
        case TimeoutError():
            return DeviceFaultError("The device does not answer.", where=url, fix="Switch it off and on again.")
        case _:
            return None


def _other_error(said: str, url: str, phase: Phase) -> PercussError:
    match phase:
        case "scan":
            return AdapterError(f"This computer cannot scan: {said}.", where=url)
        case "open":
            return LinkLostError(f"The connection failed while it was set up: {said}.", where=url)
        case "pair":
            return PairingError(f"Pairing failed: {said}.", where=url, fix=PAIRING_ADVICE)
        case "use":
            return DeviceFaultError(f"The Bluetooth stack refused: {said}.", where=url)


def _adapter_error(problem: Exception, url: str) -> AdapterError | None:
    """What is wrong with this computer's Bluetooth, when that is what is wrong."""
    match problem:
        case BleakBluetoothNotAvailableError():
            return _not_available(problem, url)
        case BleakDBusError() if problem.dbus_error == "org.bluez.Error.NotReady":
            return _switched_off(url)
        case BleakDBusError() if problem.dbus_error in (
            "org.freedesktop.DBus.Error.ServiceUnknown",
            "org.freedesktop.DBus.Error.NameHasNoOwner",
            "org.freedesktop.DBus.Error.Disconnected",
        ):
            what = "The Bluetooth service of this computer (bluetoothd) is not running."
            return AdapterError(what, where=url, fix="Install BlueZ and start it: sudo systemctl start bluetooth")
        case BleakDBusError() if problem.dbus_error == "org.freedesktop.DBus.Error.AccessDenied":
            what = "This user may not use Bluetooth."
            return AdapterError(
                what, where=url, fix="Join the group: sudo usermod -aG bluetooth $USER, then log in again."
            )
        case BleakError() if str(problem).startswith("adapter '"):
            return AdapterError(
                f"There is no {problem}.".replace(" not found", ""), where=url, fix="See: bluetoothctl list"
            )
        case BleakError() if str(problem).startswith("Bleak requires BlueZ"):
            return AdapterError(f"BlueZ is too old. {problem}", where=url)
        case TimeoutError():
            return None
        case EOFError():  # how dbus-fast ends a call when its connection goes
            return _no_dbus("the connection ended", url)
        case OSError():
            return _no_dbus(problem.strerror or str(problem), url)
        case _ if type(problem).__module__.startswith("dbus_fast."):
            return _no_dbus(str(problem), url)
        case _:
            return None


def _not_available(problem: BleakBluetoothNotAvailableError, url: str) -> AdapterError:
    reasons = BleakBluetoothNotAvailableReason
    match problem.reason:
        case reasons.POWERED_OFF:
            return _switched_off(url)
        case reasons.DENIED_BY_USER | reasons.DENIED_BY_SYSTEM | reasons.DENIED_BY_UNKNOWN:
            fix = "Allow it in the privacy settings of the system."
            return AdapterError("This program may not use Bluetooth.", where=url, fix=fix)
        case _ if "hci=" in url:
            fix = "Is the simulator running, or the dongle plugged in? Check the moniker after hci=."
            return AdapterError(f"No Bluetooth controller: {problem.args[0]}.", where=url, fix=fix)
        case _:
            fix = "Plug one in, or see whether it is blocked: rfkill list"
            return AdapterError("This computer has no usable Bluetooth LE adapter.", where=url, fix=fix)


def _switched_off(url: str) -> AdapterError:
    return AdapterError("Bluetooth is switched off.", where=url, fix="Switch it on: bluetoothctl power on")


def _no_dbus(said: str, url: str) -> AdapterError:
    what = f"The system's message bus (D-Bus), which leads to Bluetooth, cannot be reached: {said}."
    fix = "Start D-Bus and bluetoothd; in a container, pass in /run/dbus/system_bus_socket."
    return AdapterError(what, where=url, fix=fix)


def _gatt_error(problem: BleakGATTProtocolError, url: str) -> PercussError:
    if problem.args[0] in _ASKS_FOR_PAIRING:
        what = f"The device wants to be paired with first ({problem.args[1]})."
        return PairingError(what, where=url, fix="Pair it: percuss pair")
    return DeviceFaultError(f"The device refused ({problem.args[1]}).", where=url, fix="Is it the right profile?")


def _bluez_error(problem: BleakDBusError, url: str, phase: Phase) -> PercussError:
    said = problem.dbus_error_details or problem.dbus_error
    match problem.dbus_error.removeprefix("org.bluez.Error."):
        case "AuthenticationFailed" | "AuthenticationRejected" | "AuthenticationCanceled" | "AuthenticationTimeout":
            return PairingError(f"The device did not agree to pair: {said}.", where=url, fix=PAIRING_ADVICE)
        case "InProgress" | "Busy" if phase == "scan":
            return AdapterError("Another program is scanning.", where=url, fix="Wait for it, or stop it.")
        case "InProgress" | "Busy":
            return DeviceBusyError(f"The device is busy: {said}.", where=url, fix=HELD_ELSEWHERE)
        case "ConnectionAttemptFailed" | "org.freedesktop.DBus.Error.UnknownObject":
            return DeviceNotFoundError(f"The device does not answer: {said}.", where=url, fix=OUT_OF_REACH)
        case _ if problem.dbus_error.endswith("NotConnected") or said.casefold() == "not connected":
            return LinkLostError("The link to the device was lost.", where=url)
        case _ if phase == "open":
            return DeviceNotFoundError(f"The connection failed: {said}.", where=url, fix=OUT_OF_REACH)
        case _:
            return _other_error(said, url, phase)
