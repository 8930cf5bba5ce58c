"""The profile format, ``schema = 1``: what one TOML file says about one kind of device.

``docs/reference/profile-format.md`` explains every key; `json_schema` exports it for editors.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from firmware_profiles.capabilities import Capabilities, Channel, Levels, Role
from firmware_profiles.units import Level, Percent, Ppm

UNVERIFIED_CAP_PERCENT = Percent(87.5)
"""2100 of 2400 ppm, the middle step of the rising plan in Sams 2025 (PMID 39663100): what a device may do at most
until somebody has seen its profile work on the real thing."""

DEAD_MAN = r"^(device: auto-off after \d+ s|host only)(: \S.*)?$"
"""What stops the device when the computer is gone: itself, or nothing; then what is known of that."""

_UUID16 = re.compile(r"^[0-9A-Fa-f]{4}$")
_UUID128 = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")


def full_uuid(uuid: str) -> str:
    """A Bluetooth UUID in its 128-bit lower-case form; ``FFE0`` stands for ``0000ffe0-0000-1000-8000-00805f9b34fb``."""
    if _UUID16.match(uuid):
        return f"0000{uuid.lower()}-0000-1000-8000-00805f9b34fb"
    if _UUID128.match(uuid):
        return uuid.lower()
    raise ValueError(f"{uuid!r} is not a Bluetooth UUID (four hex digits, or the long form with dashes).")


Uuid = Annotated[str, BeforeValidator(full_uuid)]
Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
Confidence = Literal["A", "B", "C"]


class Table(BaseModel):
    """A table of the file: unknown keys are errors, nothing is coerced, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Source(Table):
    """Where a fact comes from."""

    url: str
    says: str = ""


class Ble(Table):
    """The GATT service and characteristics that carry the frames, and how to write to them."""

    service: Uuid
    write: Uuid
    notify: Uuid | None = None
    bond: bool = False
    write_gap_s: float = Field(default=0.0, ge=0, le=5)


class Serial(Table):
    """The serial line that carries the frames."""

    baud: int = Field(ge=50, le=4_000_000)
    write_gap_s: float = Field(default=0.0, ge=0, le=5)


class Match(Table):
    """One way to recognise the device; every key that is given must hold."""

    name: tuple[str, ...] = ()
    name_prefix: tuple[str, ...] = ()
    name_contains: tuple[str, ...] = ()
    service: Uuid | None = None
    service_is_unique: bool = False
    manufacturer_id: int | None = Field(default=None, ge=0, le=0xFFFF)
    manufacturer_prefix: str = ""
    usb: tuple[Annotated[str, Field(pattern=r"^[0-9A-F]{4}:[0-9A-F]{4}$")], ...] = ()
    usb_product_contains: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set - {"service_is_unique"}:
            raise ValueError("says nothing to match by.")
        return self


class LevelModel(Table):
    """The levels of a channel, in its own unit. 0 is always off."""

    unit: Literal["ppm", "level", "switch"]
    lowest: int = Field(default=1, ge=1)
    full: int = Field(default=1, ge=1)
    steps: tuple[int, ...] | None = None
    protocol_max: int | None = None
    full_ppm: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        steps = self.steps
        if steps is not None and (not steps or steps[0] < 1 or list(steps) != sorted(set(steps))):
            raise ValueError("steps must rise from at least 1.")
        if self.lowest > self.full:
            raise ValueError(f"lowest ({self.lowest}) is above full ({self.full}).")
        if self.protocol_max is not None and self.full > self.protocol_max:
            raise ValueError(f"full ({self.full}) is above protocol_max ({self.protocol_max}).")
        return self

    def levels(self) -> Levels:
        """The levels as driving needs them."""
        if self.unit == "switch":
            return Levels(lowest=Level(1), full=Level(1), steps=(Level(1),))
        steps = tuple(Level(step) for step in self.steps) if self.steps else None
        full_ppm = Ppm(self.full) if self.unit == "ppm" else (Ppm(self.full_ppm) if self.full_ppm else None)
        return Levels(
            lowest=steps[0] if steps else Level(self.lowest),
            full=steps[-1] if steps else Level(self.full),
            steps=steps,
            full_ppm=full_ppm,
        )


class ChannelTable(Table):
    """One motor: its number on the wire and the place it reaches."""

    number: int = Field(default=0, ge=0, le=255)
    region: str | None = None
    side: Literal["left", "right"] | None = None


class CommandTable(Table):
    """The frames of one command, in order, and whether the link waits for the device's acknowledgement."""

    frames: tuple[str, ...] = Field(min_length=1)
    response: bool = False


class ReportTable(Table):
    """The frame of one report."""

    frame: str


class Vector(Table):
    """A frame pinned by its source, so that the codec is not its own witness."""

    source: str
    command: str | None = None
    values: dict[str, int | str] = {}
    writes: tuple[str, ...] = ()
    report: str | None = None
    frame: str | None = None
    decoded: dict[str, Any] = {}

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if (self.command is None) == (self.report is None):
            raise ValueError("pins either a command (with writes) or a report (with frame).")
        if self.command is not None and not self.writes:
            raise ValueError("pins a command but lists no writes.")
        if self.report is not None and self.frame is None:
            raise ValueError("pins a report but gives no frame.")
        return self


class SimulatorTable(Table):
    """How a simulator of this device behaves where the protocol leaves it open. Assumptions, not facts."""

    advertised_name: str | None = None
    firmware: str = "1.0.0"
    spin_up_s: float = Field(default=1.0, gt=0, le=30)
    battery_life_s: float | None = Field(default=None, gt=0)
    auto_off_s: float | None = Field(default=None, gt=0)


CommandName = Literal["set_level", "stop", "query_status", "query_version"]
ReportName = Literal["status", "version"]


class Profile(Table):
    """One kind of device."""

    schema_: Literal[1] = Field(alias="schema")
    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
    name: str = Field(min_length=1)
    roles: tuple[Role, ...] = Field(min_length=1)
    confidence: Confidence
    verified_on_hardware: bool
    dead_man: str = Field(pattern=DEAD_MAN)
    notes: tuple[str, ...] = ()
    sources: tuple[Source, ...] = Field(min_length=1)
    match: tuple[Match, ...] = ()
    ble: Ble | None = None
    serial: Serial | None = None
    level: LevelModel
    channels: dict[Identifier, ChannelTable] = Field(min_length=1)
    status_period_s: float | None = Field(default=None, gt=0, le=60)
    commands: dict[CommandName, CommandTable]
    reports: dict[ReportName, ReportTable] = {}
    vectors: tuple[Vector, ...] = ()
    simulator: SimulatorTable = SimulatorTable()

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.ble is None) == (self.serial is None):
            raise ValueError("a profile speaks over either [ble] or [serial].")
        for command in ("set_level", "stop"):
            if command not in self.commands:
                raise ValueError(f"[commands.{command}] is missing: every device must be set and stopped.")
        if self.status_period_s is not None and "query_status" not in self.commands:
            raise ValueError("status_period_s needs [commands.query_status].")
        for name, channel in self.channels.items():
            if (channel.region is None) != (channel.side is None):
                raise ValueError(f"[channels.{name}] needs region and side together.")
        return self

    @property
    def write_gap_s(self) -> float:
        """The shortest time between two writes that the device bears."""
        link = self.ble or self.serial
        return link.write_gap_s if link else 0.0

    @property
    def reports_status(self) -> bool:
        """Whether the device says what it is doing, so that a stop can be confirmed."""
        return "status" in self.reports

    def capabilities(self) -> Capabilities:
        """What planning and driving need to know."""
        levels = self.level.levels()
        if self.verified_on_hardware:
            cap, reason = Percent(100.0), "the device's full scale"
        else:
            cap, reason = UNVERIFIED_CAP_PERCENT, "nobody has seen this profile work on the real device yet"
        return Capabilities(
            profile=self.id,
            roles=self.roles,
            channels={
                name: Channel(name=name, levels=levels, region=channel.region, side=channel.side)
                for name, channel in self.channels.items()
            },
            cap_percent=Percent(100.0) if levels.is_switch else cap,
            cap_reason="a switch has no strength" if levels.is_switch else reason,
        )


def json_schema() -> dict[str, Any]:
    """The format as JSON Schema, for editors."""
    return Profile.model_json_schema(by_alias=True)
