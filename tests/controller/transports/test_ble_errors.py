"""Every error of bleak, D-Bus and the system becomes the right class, with a place and something to do."""

from __future__ import annotations

import pytest
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)
from dbus_fast.errors import AuthError

from controller.errors import (
    AdapterError,
    DeviceBusyError,
    DeviceFaultError,
    DeviceNotFoundError,
    LinkLostError,
    PairingError,
)
from controller.transports.ble_errors import ConnectionFailedError, PairingFailedError, Phase, as_percuss_error
from firmware_profiles.errors import PercussError

URL = "ble://F0:F1:00:00:00:01"
Reason = BleakBluetoothNotAvailableReason


def _dbus(name: str, said: str = "") -> BleakDBusError:
    return BleakDBusError(name, [said] if said else [])


@pytest.mark.parametrize("phase", ["scan", "open", "use", "pair"])
@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (FileNotFoundError(2, "No such file or directory"), "D-Bus"),
        (ConnectionRefusedError(111, "Connection refused"), "D-Bus"),
        (PermissionError(13, "Permission denied"), "D-Bus"),
        (AuthError("no"), "D-Bus"),
        (_dbus("org.freedesktop.DBus.Error.ServiceUnknown"), "systemctl start bluetooth"),
        (_dbus("org.freedesktop.DBus.Error.AccessDenied"), "usermod"),
        (_dbus("org.bluez.Error.NotReady", "Resource Not Ready"), "power on"),
        (BleakBluetoothNotAvailableError("off", Reason.POWERED_OFF), "power on"),
        (BleakBluetoothNotAvailableError("none", Reason.NO_BLUETOOTH), "rfkill"),
        (BleakBluetoothNotAvailableError("no", Reason.DENIED_BY_USER), "privacy"),
        (BleakError("adapter 'hci7' not found"), "hci7"),
        (BleakError("Bleak requires BlueZ >= 5.55."), "too old"),
    ],
)
def test_what_is_wrong_with_this_computer_is_never_the_device(problem: Exception, words: str, phase: Phase) -> None:
    told = as_percuss_error(problem, URL, phase)
    assert type(told) is AdapterError
    assert str(told).startswith(f"{URL}: ")
    assert words in str(told)


@pytest.mark.parametrize(
    ("problem", "phase", "kind"),
    [
        (BleakDeviceNotFoundError("F0"), "open", DeviceNotFoundError),
        (TimeoutError(), "open", DeviceNotFoundError),
        (_dbus("org.bluez.Error.ConnectionAttemptFailed", "Page Timeout"), "open", DeviceNotFoundError),
        (_dbus("org.bluez.Error.Failed", "Host is down"), "open", DeviceNotFoundError),
        (_dbus("org.freedesktop.DBus.Error.UnknownObject", "gone"), "open", DeviceNotFoundError),
        (_dbus("org.bluez.Error.InProgress", "In Progress"), "open", DeviceBusyError),
        (_dbus("org.bluez.Error.InProgress", "In Progress"), "use", DeviceBusyError),
        (_dbus("org.bluez.Error.InProgress", "In Progress"), "scan", AdapterError),
        (ConnectionFailedError("full", 0x0D), "open", DeviceBusyError),
        (ConnectionFailedError("gone", 0x13), "open", LinkLostError),
        (ConnectionFailedError("the controller is gone", None), "open", LinkLostError),
        (BleakError("failed to discover services, device disconnected"), "open", LinkLostError),
        (_dbus("org.bluez.Error.NotConnected", "Not Connected"), "use", LinkLostError),
        (BleakGATTProtocolError(0x05), "use", PairingError),
        (BleakGATTProtocolError(0x08), "use", PairingError),
        (BleakGATTProtocolError(0x0F), "use", PairingError),
        (BleakGATTProtocolError(0x0E), "use", DeviceFaultError),
        (BleakGATTProtocolError(0x77), "use", DeviceFaultError),
        (TimeoutError(), "use", DeviceFaultError),
        (_dbus("org.bluez.Error.Failed", "odd"), "use", DeviceFaultError),
        (BleakError("odd"), "use", DeviceFaultError),
        (_dbus("org.bluez.Error.AuthenticationFailed", "Authentication Failed"), "pair", PairingError),
        (_dbus("org.bluez.Error.AuthenticationRejected", "Rejected"), "open", PairingError),
        (_dbus("org.bluez.Error.Failed", "odd"), "pair", PairingError),
        (BleakError("odd"), "pair", PairingError),
        (PairingFailedError("confirm value failed"), "pair", PairingError),
        (_dbus("org.bluez.Error.Failed", "odd"), "scan", AdapterError),
        (BleakError("odd"), "scan", AdapterError),
    ],
)
def test_an_error_becomes_its_class(problem: Exception, phase: Phase, kind: type[PercussError]) -> None:
    told = as_percuss_error(problem, URL, phase, is_connected=True)
    assert type(told) is kind
    assert told.where == URL


@pytest.mark.parametrize(
    "problem",
    [
        BleakError("Service Discovery has not been performed yet"),
        BleakGATTProtocolError(0x0E),
        TimeoutError(),
        _dbus("org.bluez.Error.Failed", "Not connected"),
    ],
)
def test_whatever_fails_on_a_lost_link_is_the_lost_link(problem: Exception) -> None:
    assert type(as_percuss_error(problem, URL, "use", is_connected=False)) is LinkLostError


def test_a_fault_of_our_own_is_not_dressed_up() -> None:
    assert as_percuss_error(ZeroDivisionError(), URL, "use") is None
