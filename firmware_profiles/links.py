"""How a device is reached and recognised: the tables `[ble]`, `[serial]` and `[[match]]` of a profile."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Link = Literal["ble", "serial"]
"""What a device is reached over."""

_UUID16 = re.compile(r"^[0-9A-Fa-f]{4}$")
_UUID128 = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")


def full_uuid(uuid: str) -> str:
    """A Bluetooth UUID in its 128-bit lower-case form; ``FFE0`` stands for ``0000ffe0-0000-1000-8000-00805f9b34fb``."""
    if _UUID16.match(uuid):
        return f"0000{uuid.lower()}-0000-1000-8000-00805f9b34fb"
    if _UUID128.match(uuid):
        return uuid.lower()
    raise ValueError(f"{uuid!r} is not a Bluetooth UUID (four hex digits, or the long form with dashes).")


def hex_bytes(text: str) -> str:
    """Bytes written in hex, as ``5A 0B``: the same text, if it is that."""
    try:
        bytes.fromhex(text)
    except ValueError:
        raise ValueError(f"{text!r} is not bytes in hex, such as 5A 0B.") from None
    return text


Uuid = Annotated[str, AfterValidator(full_uuid)]
HexBytes = Annotated[str, AfterValidator(hex_bytes)]
Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]


class Table(BaseModel):
    """A table of the file: unknown keys are errors, nothing is coerced, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class GattLayout(Table):
    """Where in the device's GATT table frames go in and out. ``notify_service`` is ``service`` unless it is given."""

    service: Uuid
    write: Uuid
    notify: Uuid | None = None
    notify_service: Uuid | None = None


class Ble(GattLayout):
    """The GATT services and characteristics that carry the frames, and how the link is set up and written to.

    ``wake`` is written with acknowledgement before anything else; ``settle_s`` passes before it.
    """

    alternatives: tuple[GattLayout, ...] = ()
    bond: bool = False
    wake: HexBytes | None = None
    settle_s: float = Field(default=0.0, ge=0, le=10)
    mtu: int | None = Field(default=None, ge=23, le=517)
    chunk_bytes: int | None = Field(default=None, ge=1, le=512)
    framing: Literal["message", "stream"] = "message"
    write_gap_s: float = Field(default=0.0, ge=0, le=5)

    @property
    def layouts(self) -> tuple[GattLayout, ...]:
        """All layouts, the one to try first at the front."""
        return (self, *self.alternatives)


class Serial(Table):
    """The serial line that carries the frames: 8 data bits."""

    baud: int = Field(ge=50, le=4_000_000)
    parity: Literal["none", "even", "odd"] = "none"
    stop_bits: Literal[1, 2] = 1
    settle_s: float = Field(default=0.0, ge=0, le=10)
    write_gap_s: float = Field(default=0.0, ge=0, le=5)


class Match(Table):
    """One way to recognise the device; every key that is given must hold."""

    name: tuple[str, ...] = ()
    name_prefix: tuple[str, ...] = ()
    name_contains: tuple[str, ...] = ()
    name_excludes: tuple[str, ...] = ()
    service: Uuid | None = None
    service_is_unique: bool = False
    manufacturer_id: int | None = Field(default=None, ge=0, le=0xFFFF)
    manufacturer_prefix: HexBytes = ""
    usb: tuple[Annotated[str, Field(pattern=r"^[0-9A-F]{4}:[0-9A-F]{4}$")], ...] = ()
    usb_product_contains: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set - {"service_is_unique", "name_excludes"}:
            raise ValueError("says nothing to match by.")
        return self
