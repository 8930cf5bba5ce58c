"""Where the computer believes a device's levels to be, and which commands take them elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from firmware_profiles.command_tables import CommandName
from firmware_profiles.commands import Status
from firmware_profiles.errors import ValueRefusedError
from firmware_profiles.schema import Profile
from firmware_profiles.units import Level


class LevelCounter:
    """Counts along. A level is None where nobody knows it: after connecting, and after a command that half arrived."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._model = profile.level.model if profile.level is not None else "absolute"
        self._full = profile.level.levels().full if profile.level is not None else Level(0)
        self._has_off = profile.commands.off is not None
        stop = profile.commands.stop
        self._counts_from_stop = self._model != "relative" or (stop is not None and stop.presses >= self._full)
        self._levels: dict[str, Level | None] = dict.fromkeys(profile.channels)
        self._contradicted = dict.fromkeys(profile.channels, 0)

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is known to run."""
        return not any(self._levels.values())

    def set(self, channel: str, level: Level) -> None:
        """A command took a channel there."""
        is_sure = bool(level) or self._model != "relative" or not self._has_off
        self._levels[channel] = level if is_sure else None
        self._contradicted[channel] = 0

    def clear(self) -> None:
        """Everything was stopped.

        A device that only steps counts from zero only where Stop went down step by step: after an "off" it may go on
        from the level that it had.
        """
        self._levels = dict.fromkeys(self._levels, Level(0) if self._counts_from_stop else None)

    def forget(self) -> None:
        """Nobody knows any more."""
        self._levels = dict.fromkeys(self._levels)

    def hear(self, status: Status) -> None:
        """Take up what the device says.

        Steps are counted from the higher of what it says and what was sent: its word may be older than the last press,
        and one press too few is the better mistake.
        """
        if self._model == "toggle":
            for channel in self._levels:
                runs = bool(status.levels.get(channel, status.running))
                if channel in status.levels or status.running is not None:
                    self._hear_toggle(channel, runs)
        elif self._model == "relative":
            for channel, level in status.levels.items():
                known = self._levels.get(channel)
                if known is not None:
                    self._levels[channel] = max(known, level)

    def _hear_toggle(self, channel: str, runs: bool) -> None:
        """Believe what a toggle says, but for the first time that it contradicts what was just pressed."""
        known = self._levels[channel]
        if known is not None and bool(known) != runs and not self._contradicted[channel]:
            self._contradicted[channel] = 1
            return
        self._contradicted[channel] = 0
        self._levels[channel] = self._full if runs else Level(0)

    def values(self, channel: str, level: Level) -> dict[str, int | str]:
        """What a frame may need: the level of the channel, and of each by name, the others as they are."""
        return level_values({**self._levels, channel: level}, level)

    def commands(self, channel: str, level: Level) -> list[tuple[CommandName, int]]:
        """The commands that take a channel to a level, and how often each. Raises ValueRefusedError."""
        if not level and self._has_off:
            return [("off", 1)]
        if self._model == "absolute":
            return [("set_level", 1)]
        now = self._levels[channel]
        if self._model == "toggle":
            if now is None:
                raise ValueRefusedError("has not said yet whether it runs.", where=self._profile.id)
            return [("toggle", 1)] if bool(now) != bool(level) else []
        # Off is pressed as often as it can take: a press that was lost must not leave it running.
        down, up = (self._full, int(level)) if now is None or not level else (max(now - level, 0), max(level - now, 0))
        steps: Iterable[tuple[CommandName, int]] = (("step_down", down), ("step_up", up))
        return [(name, times) for name, times in steps if times]


def level_values(levels: Mapping[str, Level | None], level: int) -> dict[str, int | str]:
    """The values of a frame: the level that is set, that of each channel, and which channels are ``on``."""
    running = "+".join(name for name, known in levels.items() if known)
    return {**{f"level.{name}": known or 0 for name, known in levels.items()}, "level": level, "on": running or "off"}


def levels_on(running: str, channels: Iterable[str], full: Level) -> dict[str, Level]:
    """The levels that ``on`` says."""
    names = running.split("+")
    return {name: full if name in names else Level(0) for name in channels}
