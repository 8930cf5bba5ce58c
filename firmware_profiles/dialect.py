"""The compiled frames of one profile, for both sides of the link."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from firmware_profiles.command_tables import CommandTable, StopTable
from firmware_profiles.frames import Frame, Lookups, Place, is_for_each_channel, parse_literal
from firmware_profiles.schema import Profile


class Dialect:
    """Compiles the frames of a profile when they are first needed. Its methods raise ValueError with a sentence."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._frames: dict[tuple[str, str | None], Frame] = {}
        self._commands: dict[tuple[int, str | None], tuple[Frame, ...]] = {}

    @cached_property
    def lookups(self) -> Lookups:
        """The tables of values, as bytes."""
        tables = self.profile.lookups
        return {name: {key: parse_literal(text) for key, text in table.items()} for name, table in tables.items()}

    @cached_property
    def places(self) -> dict[str, Place]:
        """The channels, as frames need them, in the profile's order."""
        return {
            name: Place(name, table.number, {code: parse_literal(text) for code, text in table.codes.items()})
            for name, table in self.profile.channels.items()
        }

    def frame(self, text: str, channel: str | None = None) -> Frame:
        """A frame; ``channel`` is whose it is, where it is another one for each."""
        made = self._frames.get((text, channel))
        if made is None:
            place = None if channel is None else self.places[channel]
            made = Frame(text, self.lookups, channel=place, channels=tuple(self.places.values()))
            self._frames[text, channel] = made
        return made

    def is_for_each_channel(self, texts: Iterable[str]) -> bool:
        """Whether any of these frames is another one for every channel."""
        return any(is_for_each_channel(text, self.lookups) for text in texts)

    def command(self, table: CommandTable, channel: str | None) -> tuple[Frame, ...]:
        """The frames of a command, in order; ``channel`` counts where they name one."""
        made = self._commands.get((id(table), channel))  # the profile keeps its tables for as long as this lives
        if made is None:
            made = tuple(
                self.frame(text, channel if is_for_each_channel(text, self.lookups) else None) for text in table.frames
            )
            self._commands[id(table), channel] = made
        return made

    def everywhere(self, table: CommandTable) -> tuple[Frame, ...]:
        """The frames of a command for every channel, one after the other where they name one.

        A Stop has each as often as it is pressed.
        """
        presses = table.presses if isinstance(table, StopTable) else 1
        frames: list[Frame] = []
        if not self.is_for_each_channel(table.frames):
            frames = [self.frame(text) for text in table.frames] * presses
        else:
            for channel in self.places:
                frames += list(self.command(table, channel)) * presses
        return tuple(frames)

    def report(self, name: str) -> tuple[Frame, ...]:
        """The frames of a report, the one to try first at the front."""
        return tuple(self.frame(text) for text in self.profile.reports[name].frames)

    def channels_of(self, texts: Sequence[str]) -> tuple[str | None, ...]:
        """For which channels some frames have to be compiled: each one, or (None) none in particular."""
        return tuple(self.places) if self.is_for_each_channel(texts) else (None,)
