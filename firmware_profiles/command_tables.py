"""What a profile lets percuss say to a device: ``[commands]``, ``[extra]``, ``[keepalive]`` and ``[[init]]``."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from firmware_profiles.links import Identifier, Table


class InitStep(Table):
    """One write before the first command, and what to wait for after it."""

    frame: str
    response: bool = False
    wait_s: float = Field(default=0.0, ge=0, le=5)
    expect: Identifier | None = None
    timeout_s: float = Field(default=2.0, gt=0, le=5)


class CommandTable(Table):
    """The frames of one command, in order, and whether the link waits for the device's acknowledgement."""

    frames: tuple[str, ...] = Field(min_length=1)
    response: bool = False
    gap_s: float = Field(default=0.0, ge=0, le=2)


class StopTable(CommandTable):
    """The frames that bring everything to rest. ``presses`` repeats each; ``when`` reads the state first."""

    presses: int = Field(default=1, ge=1, le=100)
    when: Literal["always", "running"] = "always"


class KeepaliveTable(CommandTable):
    """Frames that keep the link or the device awake, and carry no level."""

    period_s: float = Field(ge=0.05, le=600)
    while_running: bool = False


class Commands(Table):
    """Everything that percuss may say to a device."""

    set_level: CommandTable | None = None
    off: CommandTable | None = None
    start: CommandTable | None = None
    step_up: CommandTable | None = None
    step_down: CommandTable | None = None
    toggle: CommandTable | None = None
    stop: StopTable | None = None
    query_status: CommandTable | None = None
    query_version: CommandTable | None = None
    set_timer: CommandTable | None = None
    step_timer: CommandTable | None = None
    load_schedule: CommandTable | None = None
    start_timer: CommandTable | None = None
    pause_timer: CommandTable | None = None
    reset_timer: CommandTable | None = None

    def given(self) -> dict[CommandName, CommandTable]:
        """The commands that the device has, by name, in the order of the format."""
        named: dict[CommandName, CommandTable] = {}
        for name in COMMAND_NAMES:
            table = getattr(self, name)
            if table is not None:
                named[name] = table
        return named


CommandName = Literal[
    "set_level", "off", "start", "step_up", "step_down", "toggle", "stop", "query_status", "query_version",
    "set_timer", "step_timer", "load_schedule", "start_timer", "pause_timer", "reset_timer",
]  # fmt: skip
COMMAND_NAMES: tuple[CommandName, ...] = get_args(CommandName)
TIMER_COMMANDS: tuple[CommandName, ...] = ("load_schedule", "start_timer", "pause_timer", "reset_timer")
