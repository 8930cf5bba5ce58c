"""Errors of the controller.

::

    PercussError
    ├── RefusedError                  asked for something outside the limits
    ├── FileError
    │   ├── RegistryError             the file of paired devices
    │   ├── ScreeningError            the file of the screening's answers
    │   └── SettingsError             the settings of the service
    ├── JournalError                  the journal cannot be opened, read or written
    ├── TransportError                the link to a device
    │   ├── AdapterError              no radio, no D-Bus, no permission: trying again changes nothing
    │   ├── PairingError              the device and this computer did not agree
    │   └── RetryableError            trying again may help
    │       ├── DeviceNotFoundError   nothing answers there
    │       ├── DeviceBusyError       somebody else holds it
    │       └── LinkLostError         it was there and is gone
    ├── GuardianError                 the process that stops the devices when this one dies
    ├── IdentityError                 the address answers, but it is not the device that was paired
    ├── DeviceFaultError              silent, garbled, or not doing what it was told
    └── StopUnconfirmedError          Stop was sent and the device did not confirm it: use its button
"""

from __future__ import annotations

from collections.abc import Sequence

from firmware_profiles.errors import FileError, PercussError
from firmware_profiles.plain_text import plain


class RefusedError(PercussError):
    """Something outside the limits was asked for; nothing was changed."""


class RegistryError(FileError):
    """The file of paired devices cannot be read or written."""


class ScreeningError(FileError):
    """The answers to the screening cannot be read or written."""


class SettingsError(PercussError):
    """The settings of the service cannot be used. ``problems`` are the single ones where there are several."""

    def __init__(self, what: str, *, where: str, problems: Sequence[str] = (), fix: str = "") -> None:
        super().__init__(what, where=where, fix=fix)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        """A line for each of them, below the first."""
        return "\n".join([super().__str__(), *(f"  {plain(problem)}" for problem in self.problems)])


class JournalError(PercussError):
    """The journal cannot be opened, read or written: nothing may run that is not written down."""


class TransportError(PercussError):
    """The link to a device failed."""


class AdapterError(TransportError):
    """The radio or port of this computer cannot be used; trying again changes nothing."""


class PairingError(TransportError):
    """The device and this computer did not agree on pairing."""


class RetryableError(TransportError):
    """A failure of the link that may pass."""


class DeviceNotFoundError(RetryableError):
    """Nothing answers at that address."""


class DeviceBusyError(RetryableError):
    """Somebody else holds the device."""


class LinkLostError(RetryableError):
    """The device was there and is gone."""


class GuardianError(PercussError):
    """The guardian cannot be had, so nothing may run."""


class IdentityError(PercussError):
    """The address answers, but it is not the device that was paired."""


class DeviceFaultError(PercussError):
    """The device is silent, garbled, or not doing what it was told."""


class StopUnconfirmedError(PercussError):
    """Stop was sent and the device, which can report, did not confirm it."""
