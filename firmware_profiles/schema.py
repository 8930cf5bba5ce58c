"""The profile format, ``schema = 1``: what one TOML file says about one kind of device.

``docs/reference/profile-format.md`` explains every key; `json_schema` exports it for editors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from firmware_profiles.capabilities import Capabilities, Channel, Kind, Levels
from firmware_profiles.capability_tables import ChannelTable, LevelModel, TimerTable
from firmware_profiles.command_tables import (
    TIMER_COMMANDS,
    CommandName,
    Commands,
    CommandTable,
    InitStep,
    KeepaliveTable,
)
from firmware_profiles.links import Ble, HexBytes, Identifier, Match, Serial, Table
from firmware_profiles.units import Percent

UNVERIFIED_CAP_PERCENT = Percent(87.5)
"""2100 of 2400 ppm, the middle step of the rising plan in Sams 2025 (PMID 39663100): what a device may do at most
until somebody has seen its profile work on the real thing."""

PATTERN_S = 0.2
"""How long a parameter may be looked at."""

TOGGLE_PERIOD_S = 1.0
"""How often a device that only toggles is asked what it does, unless its profile says."""

DEAD_MAN = r"^(device: auto-off after \d+ s|host only)(: \S.*)?$"
"""What stops the device when the computer is gone: itself, or nothing; then what is known of that."""

Confidence = Literal["A", "B", "C"]


class Source(Table):
    """Where a fact comes from."""

    url: str
    says: str = ""


class Parameter(Table):
    """Something that differs from device to device, such as a PIN."""

    says: str
    default: str
    pattern: str = r".+"
    secret: bool = False

    @model_validator(mode="after")
    def _default_fits(self) -> Self:
        if not self.fits(self.default):
            raise ValueError(f"the default {self.default!r} does not fit the pattern {self.pattern!r}.")
        return self

    def fits(self, value: str) -> bool:
        """Whether a value fits the pattern. Raises ValueError for a pattern that is none, or takes for ever."""
        import regex  # it knows a time limit

        try:
            return regex.fullmatch(self.pattern, value, timeout=PATTERN_S) is not None
        except regex.error as problem:
            raise ValueError(f"pattern {self.pattern!r} is no regular expression ({problem}).") from None
        except TimeoutError:
            raise ValueError(f"pattern {self.pattern!r} takes for ever; write it more simply.") from None


class ReportTable(Table):
    """The frames of one report: the first that fits counts. ``also`` lists values that percuss does not use."""

    frames: tuple[str, ...] = Field(min_length=1)
    checksum: Literal["required", "advisory"] = "required"
    also: tuple[str, ...] = ()


class Vector(Table):
    """A frame pinned by its source, so that the codec is not its own witness."""

    source: str
    command: str | None = None
    values: dict[str, int | str | list[dict[str, int | str | bool]]] = Field(default_factory=dict)
    writes: tuple[str, ...] = ()
    report: str | None = None
    frame: str | None = None
    decoded: dict[str, Any] = Field(default_factory=dict)

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
    manufacturer_data: HexBytes = ""
    firmware: str = "1.0.0"
    spin_up_s: float = Field(default=1.0, gt=0, le=30)
    battery_life_s: float | None = Field(default=None, gt=0)
    auto_off_s: float | None = Field(default=None, gt=0)
    needs_init: bool = False
    heartbeat_s: float | None = Field(default=None, gt=0)
    lease_s: float | None = Field(default=None, gt=0)
    pushes_status_s: float | None = Field(default=None, gt=0)
    rotates_status: bool = False
    max_connections: int = Field(default=8, ge=1, le=8)
    remembers: dict[Identifier, str] = Field(default_factory=dict)


TIMER_VALUES = ("timer_s", "timer_min", "timer_h")
_OF_MODEL: dict[str, tuple[CommandName, ...]] = {
    "absolute": ("set_level",),
    "relative": ("step_up", "step_down"),
    "toggle": ("toggle",),
}


class Profile(Table):
    """One kind of device."""

    schema_: Literal[1] = Field(alias="schema")
    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
    name: str = Field(min_length=1)
    roles: tuple[Kind, ...] = Field(min_length=1)
    confidence: Confidence
    verified_on_hardware: bool
    dead_man: str = Field(pattern=DEAD_MAN)
    notes: tuple[str, ...] = ()
    sources: tuple[Source, ...] = Field(min_length=1)
    match: tuple[Match, ...] = ()
    ble: Ble | None = None
    serial: Serial | None = None
    parameters: dict[Identifier, Parameter] = Field(default_factory=dict)
    init: tuple[InitStep, ...] = Field(default=(), max_length=8)
    level: LevelModel | None = None
    timer: TimerTable | None = None
    channels: dict[Identifier, ChannelTable] = Field(default_factory=dict)
    status_period_s: float | None = Field(default=None, gt=0, le=60)
    lookups: dict[Identifier, dict[str, str]] = Field(default_factory=dict)
    commands: Commands
    extra: dict[Identifier, CommandTable] = Field(default_factory=dict)
    keepalive: KeepaliveTable | None = None
    reports: dict[Identifier, ReportTable] = Field(default_factory=dict)
    vectors: tuple[Vector, ...] = ()
    simulator: SimulatorTable = SimulatorTable()

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.ble is None and self.serial is None:
            raise ValueError("a profile speaks over [ble], [serial] or both.")
        self._has_its_commands()
        self._can_be_asked()
        for name, channel in self.channels.items():
            if channel.side is not None and channel.region is None:
                raise ValueError(f"[channels.{name}] has a side and no region.")
        reserved = {"level", "channel", "on", "count", "intervals", *TIMER_VALUES}
        for name in self.parameters:
            if name in reserved or name.startswith("level."):
                raise ValueError(f"[parameters.{name}] has the name of a value that commands carry.")
        stop = self.commands.stop
        if stop is not None and stop.when == "running" and (stop.presses > 1 or len(stop.frames) > 1):
            raise ValueError('[commands.stop] when = "running" is one press of one frame.')
        for step in self.init:
            if step.expect is not None and step.expect not in self.reports:
                raise ValueError(f"[[init]] expects {step.expect!r}, which is none of [reports.NAME].")
        return self

    def _has_its_commands(self) -> None:
        given = self.commands.given()
        if self.level is not None:
            if not self.channels:
                raise ValueError("[level] needs at least one [channels.NAME].")
            for command in (*_OF_MODEL[self.level.model], "stop"):
                if command not in given:
                    raise ValueError(f"[commands.{command}] is missing: every device must be set and stopped.")
        elif self.channels or "massager" in self.roles:
            raise ValueError("[level] is missing: what the channels can be set to.")
        elif not set(given) & set(TIMER_COMMANDS):
            raise ValueError(f"a timer needs one of {', '.join(TIMER_COMMANDS)}, or [level] and [channels.NAME].")
        if self.timer is not None and (key := "step_timer" if self.timer.cycles else "set_timer") not in given:
            raise ValueError(f"[timer] needs [commands.{key}].")

    def _can_be_asked(self) -> None:
        """What depends on the device's answers needs a question and a report."""
        has_question = self.commands.query_status is not None
        if self.status_period_s is not None and not has_question:
            raise ValueError("status_period_s needs [commands.query_status].")
        if has_question and "status" in self.reports:
            return
        if self.level is not None and self.level.model == "toggle":
            raise ValueError("a device that only toggles needs [commands.query_status] and [reports.status].")
        if self.commands.stop is not None and self.commands.stop.when == "running":
            raise ValueError('[commands.stop] when = "running" needs [commands.query_status] and [reports.status].')

    def with_parameters(self, values: Mapping[str, str]) -> Profile:
        """The profile with these values in the place of the defaults. Raises ValueError for one that does not fit."""
        parameters = dict(self.parameters)
        for name, value in values.items():
            if name not in parameters:
                known = ", ".join(parameters) or "none"
                raise ValueError(f"{self.id} has no parameter {name!r}; it has: {known}.")
            if not parameters[name].fits(value):
                raise ValueError(f"{name} must fit {parameters[name].pattern}: {parameters[name].says.rstrip('.')}.")
            parameters[name] = parameters[name].model_copy(update={"default": value})
        return self.model_copy(update={"parameters": parameters}) if values else self

    def write_gap_s(self, *, is_stream: bool) -> float:
        """The shortest time between two writes that the device bears, over the serial line or over Bluetooth."""
        link = self.serial if is_stream and self.serial is not None else self.ble or self.serial
        return link.write_gap_s if link else 0.0

    @property
    def levels(self) -> Levels:
        """The levels of its channels. Raises ValueError for a device that has none, as a timer may."""
        if self.level is None:
            raise ValueError(f"{self.id} has no [level].")
        return self.level.levels()

    @property
    def poll_period_s(self) -> float | None:
        """How often its status is asked for; None: never. One that only toggles is always looked at."""
        is_toggle = self.level is not None and self.level.model == "toggle"
        return TOGGLE_PERIOD_S if is_toggle and self.status_period_s is None else self.status_period_s

    @property
    def reports_status(self) -> bool:
        """Whether the device says what it is doing, so that a stop can be confirmed."""
        return "status" in self.reports

    def capabilities(self) -> Capabilities:
        """What planning and driving need to know."""
        levels = self.level.levels() if self.level is not None else None
        if self.verified_on_hardware:
            cap, reason = Percent(100.0), "the device's full scale"
        else:
            cap, reason = UNVERIFIED_CAP_PERCENT, "nobody has seen this profile work on the real device yet"
        if levels is not None and levels.is_switch:
            cap, reason = Percent(100.0), "a switch has no strength"
        return Capabilities(
            profile=self.id,
            roles=self.roles,
            channels={
                name: Channel(name=name, levels=levels, region=channel.region, side=channel.side)
                for name, channel in self.channels.items()
                if levels is not None
            },
            cap_percent=cap,
            cap_reason=reason,
        )


def json_schema() -> dict[str, Any]:
    """The format as JSON Schema, for editors."""
    return Profile.model_json_schema(by_alias=True)
