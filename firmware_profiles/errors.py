"""Errors of the profiles, and the root of every error of the project.

::

    PercussError                  what happened, where, what to do next
    ├── FileError                 a file that cannot be used: path, line, key
    │   ├── ProfileError          a device profile
    │   └── CaptureError          a capture of what passed over a link (firmware_profiles.captures)
    ├── ValueRefusedError         a value that a device's command cannot carry
    ├── FrameError                bytes that are no frame of this device
    └── MatchError                no profile, or several, fit
"""

from __future__ import annotations

from pathlib import Path

from firmware_profiles.plain_text import plain


class PercussError(Exception):
    """An error that a person can act on.

    ``what`` is a sentence that says what happened, ``where`` names the place (file:line: key; device; region) and
    ``fix`` says what to do next. ``str()`` joins the three in one line that steers no
    terminal, whatever a file is called.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" {self.fix}" if self.fix else ""
        return plain(f"{place}{self.what}{advice}")


class FileError(PercussError):
    """A file that cannot be used. ``line`` counts from 1 and is None when the whole file is meant."""

    def __init__(self, what: str, *, path: Path, line: int | None = None, key: str = "", fix: str = "") -> None:
        where = str(path) if line is None else f"{path}:{line}"
        if key:
            where += f": {key}"
        super().__init__(what, where=where, fix=fix)
        self.path = path
        self.line = line
        self.key = key


class ProfileError(FileError):
    """A device profile that cannot be used."""


class ValueRefusedError(PercussError):
    """A value that a device's command cannot carry."""


class FrameError(PercussError):
    """Bytes that are no frame of this device. ``data`` holds them."""

    def __init__(self, what: str, *, data: bytes, where: str = "", fix: str = "") -> None:
        super().__init__(what, where=where, fix=fix)
        self.data = data


class MatchError(PercussError):
    """No profile fits, or several do."""
