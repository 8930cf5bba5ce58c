"""What a person hears: the terminal's bell, or short tones through the system's player.

Nothing here waits: a bell is one character, a player is a process that nobody waits for, and there is one at most.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import tempfile
import wave
from array import array
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

import click

CHOICES = ("bell", "wav", "off")
VARIABLE = "PERCUSS_SOUND"

PLAYERS = (("pw-play",), ("paplay",), ("aplay", "-q"), ("afplay",))
"""Programs that play a WAV file: PipeWire, PulseAudio, ALSA, macOS. The first that is there is taken."""

RATE_HZ = 22050
LOUDNESS = 0.4
FADE_S = 0.01
"""Each tone swells and fades so long: without it, it would click."""

LAST_WORD_S = 1.0
"""Real seconds for the last tone to sound out, when everything is over."""


class Tone(Enum):
    """What is heard."""

    START = auto()
    HALFWAY = auto()
    TICK = auto()
    DONE = auto()
    ATTENTION = auto()
    """Something is wrong, or waits for the person."""


BELLS = {Tone.START: 1, Tone.HALFWAY: 2, Tone.TICK: 1, Tone.DONE: 3, Tone.ATTENTION: 4}
"""How often the bell rings."""

NOTES: dict[Tone, tuple[tuple[float, float], ...]] = {
    Tone.START: ((880, 0.25),),
    Tone.HALFWAY: ((660, 0.12), (0, 0.08), (660, 0.12)),
    Tone.TICK: ((880, 0.1),),
    Tone.DONE: ((660, 0.15), (880, 0.15), (1320, 0.3)),
    Tone.ATTENTION: ((440, 0.2), (330, 0.2), (440, 0.2), (330, 0.3)),
}
"""Hertz and seconds; 0 Hz is silence."""


class Sound(Protocol):
    """Plays tones. It is asked to refresh as often as the display, and writes nowhere after `close`."""

    def play(self, tone: Tone) -> None:
        """Let a tone be heard; what still sounds gives way."""

    def refresh(self) -> None:
        """Go on with what takes more than a moment."""

    def close(self) -> None:
        """Be silent from now on, and leave nothing behind."""


def make_sound(is_wanted: bool) -> Sound:
    """The sound that PERCUSS_SOUND chooses. Raises UsageError when it names none."""
    choice = os.environ.get(VARIABLE) or CHOICES[0]
    if choice not in CHOICES:
        raise click.UsageError(f"{VARIABLE} is {choice!r}: choose {', '.join(CHOICES[:-1])} or {CHOICES[-1]}.")
    if not is_wanted or choice == "off":
        return _Silence()
    if choice == "bell":
        return Bell()
    if sys.platform == "win32":
        return _WindowsPlayer()
    for player in PLAYERS:
        if (found := shutil.which(player[0])) is not None:
            return Player((found, *player[1:]))
    names = ", ".join(player[0] for player in PLAYERS)
    click.echo(f"{VARIABLE} is wav, and no player is here ({names}): the bell rings instead.", err=True)
    return Bell()


def write_tones(folder: Path) -> dict[Tone, Path]:
    """Write every tone as a WAV file: 16 bit, mono."""
    files = {tone: folder / f"{tone.name.lower()}.wav" for tone in Tone}
    for tone, path in files.items():
        samples = array("h", (sample for hertz, for_s in NOTES[tone] for sample in _samples(hertz, for_s)))
        if sys.byteorder == "big":
            samples.byteswap()
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(samples.tobytes())
    return files


def _samples(hertz: float, for_s: float) -> list[int]:
    count = round(for_s * RATE_HZ)
    fade = FADE_S * RATE_HZ
    step = 2 * math.pi * hertz / RATE_HZ
    return [round(32767 * LOUDNESS * min(1.0, n / fade, (count - n) / fade) * math.sin(step * n)) for n in range(count)]


class _Silence:
    def play(self, tone: Tone) -> None: ...

    def refresh(self) -> None: ...

    def close(self) -> None: ...


class Bell:
    """The terminal's bell. Several rings come one at a refresh: at once they would be one."""

    def __init__(self) -> None:
        self._left = 0

    def play(self, tone: Tone) -> None:
        """Ring."""
        self._left = BELLS[tone]
        self.refresh()

    def refresh(self) -> None:
        """Ring again, where more is due."""
        if self._left:
            self._left -= 1
            sys.stderr.write("\a")
            sys.stderr.flush()

    def close(self) -> None:
        """Ring what is still due of the last tone in one: nobody refreshes any more."""
        self._left = min(self._left, 1)
        self.refresh()


class Player:
    """Plays through a program. When that fails, as without a sound server, the bell rings from then on."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self._command = command
        self._folder = tempfile.TemporaryDirectory(prefix="percuss-sound-")
        self._files = write_tones(Path(self._folder.name))
        self._playing: list[subprocess.Popen[bytes]] = []
        self._bell: Bell | None = None

    def play(self, tone: Tone) -> None:
        """Start the player, after ending the one that still plays."""
        self.refresh()
        for player in self._playing:
            player.kill()
        if self._bell is None:
            try:
                self._playing.append(self._start(tone))
            except OSError:
                self._bell = Bell()
        if self._bell is not None:
            self._bell.play(tone)

    def refresh(self) -> None:
        """See whether the player came to its end, and to a good one."""
        for player in self._playing:
            if (code := player.poll()) is not None and code > 0 and self._bell is None:
                self._bell = Bell()
        self._playing = [player for player in self._playing if player.returncode is None]
        if self._bell is not None:
            self._bell.refresh()

    def close(self) -> None:
        """Let the last tone sound out, or end it, and remove the files."""
        for player in self._playing:
            with suppress(subprocess.TimeoutExpired):
                player.wait(LAST_WORD_S)
            player.kill()
            with suppress(subprocess.TimeoutExpired):
                player.wait(LAST_WORD_S)
        self._playing = []
        if self._bell is not None:
            self._bell.close()
        self._folder.cleanup()

    def _start(self, tone: Tone) -> subprocess.Popen[bytes]:
        quiet = subprocess.DEVNULL
        return subprocess.Popen([*self._command, str(self._files[tone])], stdin=quiet, stdout=quiet, stderr=quiet)


class _WindowsPlayer:
    """Plays through Windows itself, which plays one sound at a time."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="percuss-sound-", ignore_cleanup_errors=True)
        self._files = write_tones(Path(self._folder.name))

    def play(self, tone: Tone) -> None:
        if sys.platform == "win32":
            import winsound

            flags = winsound.SND_FILENAME | winsound.SND_ASYNC | winsound.SND_NODEFAULT
            with suppress(RuntimeError):
                winsound.PlaySound(str(self._files[tone]), flags)

    def refresh(self) -> None: ...

    def close(self) -> None:
        if sys.platform == "win32":
            import winsound

            winsound.PlaySound(None, winsound.SND_PURGE)
        self._folder.cleanup()
