"""Errors of the routines.

::

    PercussError                  what happened, where, what to do next
    └── FileError                 a file that cannot be used: path, line, key
        ├── RoutineError          a routine file that is broken, unknown, or has the name of another
        └── PlanRefusedError      a plan outside the limits of the body or the device; the file itself is sound
"""

from __future__ import annotations

from pathlib import Path

from firmware_profiles.errors import FileError, PercussError


class RoutineError(FileError):
    """A routine file that cannot be used."""


class PlanRefusedError(FileError):
    """Something outside the limits was asked for.

    ``path`` is the routine's file and ``line`` counts from 1. What is asked without a file (`plan_hold`) leaves
    ``path`` empty, and ``where`` is then the name of the value.
    """

    def __init__(
        self, what: str, *, path: Path | None = None, line: int | None = None, key: str = "", fix: str = ""
    ) -> None:
        if path is not None:
            super().__init__(what, path=path, line=line, key=key, fix=fix)
            return
        PercussError.__init__(self, what, where=key, fix=fix)
        self.path, self.line, self.key = Path(), None, key
