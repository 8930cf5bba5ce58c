"""The paired devices, kept in the user's configuration folder as ``devices.json`` (mode 0600, written atomically)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from controller.errors import DeviceNotFoundError, RegistryError
from controller.private_files import json_problem, write_private
from firmware_profiles.folders import config_folder
from firmware_profiles.tomlfile import did_you_mean

DeviceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=40)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PairedIdentity(_Table):
    """What the device said of itself when it was paired; None where it said nothing."""

    address: str
    serial: str | None = None
    firmware: str | None = None


class PairedDevice(_Table):
    """One paired device: how to reach it, what it is, how to know it again, and the parameters that are its own."""

    url: str
    profile: str
    identity: PairedIdentity
    parameters: dict[str, str] = {}


class _DevicesFile(_Table):
    schema_: Literal[1] = Field(alias="schema")
    devices: dict[DeviceName, PairedDevice] = {}


class Registry:
    """The file of paired devices. It is read at each call, so that two commands at once see the same."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or config_folder() / "devices.json"

    def devices(self) -> dict[str, PairedDevice]:
        """All paired devices by name. Raises RegistryError when the file cannot be used; it is never overwritten."""
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as problem:
            raise RegistryError(
                f"the paired devices cannot be read ({problem.strerror}).",
                path=self.path,
                fix="Mend its permissions: it must belong to you.",
            ) from problem
        advice = "Mend it, or move it away and pair your devices again; percuss leaves it as it is."
        try:
            return dict(_DevicesFile.model_validate_json(raw).devices)
        except ValidationError as problem:
            why, line, key = json_problem(raw, problem)
            what = f"the paired devices cannot be understood: {why}."
            raise RegistryError(what, path=self.path, line=line, key=key, fix=advice) from problem

    def find(self, name: str) -> PairedDevice:
        """The device with this name. Raises DeviceNotFoundError with the near name."""
        devices = self.devices()
        if name not in devices:
            advice = did_you_mean(name, devices) if devices else "Pair one first: `percuss scan`, then `percuss pair`."
            raise DeviceNotFoundError("is not paired.", where=name, fix=advice)
        return devices[name]

    def add(self, name: str, device: PairedDevice) -> None:
        """Keep a device, replacing one of the same name."""
        with self._alone():
            self._write({**self.devices(), name: device})

    def forget(self, name: str) -> None:
        """Drop a device. Raises DeviceNotFoundError when there is none of that name."""
        self.find(name)
        with self._alone():
            self._write({key: device for key, device in self.devices().items() if key != name})

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let no other process change the file between reading and writing it (where the system can lock a folder)."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise self._unwritable(problem) from problem
        if os.name == "nt":
            yield
            return
        import fcntl

        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _unwritable(self, problem: OSError) -> RegistryError:
        what = f"the paired devices cannot be written ({problem.strerror})."
        return RegistryError(what, path=self.path, fix="Nothing was changed.")

    def _write(self, devices: dict[str, PairedDevice]) -> None:
        """Replace the file in one step: a crash leaves the old one or the new one, never half of either."""
        try:
            content = _DevicesFile(schema=1, devices=devices).model_dump_json(by_alias=True, indent=2)
        except ValidationError as problem:
            first = problem.errors(include_url=False)[0]
            raise RegistryError(
                f"{first['input']!r} is no name for a device.",
                path=self.path,
                fix="Use up to 40 letters, digits, dots, dashes and underscores.",
            ) from problem
        try:
            write_private(self.path, content)
        except OSError as problem:
            raise self._unwritable(problem) from problem
