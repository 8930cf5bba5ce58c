"""Programmes: several routines over some days. Each session is started by the person; nothing here runs anything.

A programme is a TOML file, ``schema = 1``: those shipped with percuss, and the user's own in the folder ``programmes``.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from firmware_profiles.errors import FileError
from firmware_profiles.folders import config_folder
from firmware_profiles.links import Table
from firmware_profiles.tomlfile import did_you_mean, dotted, find_line, load_toml
from routines.dose import DAY_SESSIONS
from routines.errors import RoutineError
from routines.library import load_routines
from routines.loader import Routine
from routines.schema import Line, Text

BUNDLED = Path(__file__).parent / "programmes"

LAST_DAY = 366
"""A year: what is longer than that is a calendar and not a programme."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]


class ProgrammeSession(Table):
    """One session: the routine's name, and the day of the programme, the first being 1."""

    day: int = Field(ge=1, le=LAST_DAY)
    routine: Name


class Programme(Table):
    """The whole file. ``sessions`` are in order; two of one day are at least four hours apart."""

    schema_: Literal[1] = Field(alias="schema")
    name: Name
    title: Line
    description: Text = ""
    sources: tuple[Text, ...] = ()
    closing_note: Text = ""
    sessions: tuple[ProgrammeSession, ...] = Field(min_length=1, max_length=100)

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        days = [session.day for session in self.sessions]
        if days[0] != 1:
            raise ValueError(f"begins on day {days[0]}. The first session is on day 1.")
        for before, after in itertools.pairwise(days):
            if after < before:
                raise ValueError(f"has day {after} after day {before}. Put the sessions in order.")
        if crowded := next((day for day in days if days.count(day) > DAY_SESSIONS), None):
            raise ValueError(f"has {days.count(crowded)} sessions on day {crowded}; the most is {DAY_SESSIONS} a day.")
        return self


def programme_paths() -> list[Path]:
    """The files of all known programmes, shipped ones first."""
    own = config_folder() / "programmes"
    return sorted(BUNDLED.glob("*.toml")) + (sorted(own.glob("*.toml")) if own.is_dir() else [])


def load_programme(path: Path, routines: Mapping[str, Routine]) -> Programme:
    """Read a programme and see that its routines are among those that are known.

    Raises RoutineError with file, line and key.
    """
    programme = load_toml(path, Programme, error=RoutineError)
    for number, session in enumerate(programme.sessions):
        if session.routine not in routines:
            what = f"{session.routine!r} is no routine that can be run."
            raise _wrong(path, ("sessions", number, "routine"), what, did_you_mean(session.routine, routines))
    return programme


def load_programmes() -> tuple[dict[str, Programme], list[tuple[str, FileError]]]:
    """The good programmes by name, and what is wrong with each other file under its name (or the file's)."""
    routines, _ = load_routines()
    programmes: dict[str, Programme] = {}
    broken: list[tuple[str, FileError]] = []
    paths: dict[str, Path] = {}
    for path in programme_paths():
        try:
            programme = load_programme(path, routines)
        except FileError as problem:
            broken.append((path.stem, problem))
            continue
        if (first := paths.setdefault(programme.name, path)) is not path:
            what = f"has the name {programme.name!r} of {first}."
            broken.append((programme.name, _wrong(path, ("name",), what, "Give it a name of its own.")))
            continue
        programmes[programme.name] = programme
    return programmes, broken


def find_programme(name_or_path: str) -> Programme:
    """The programme with this name, or in this file.

    Raises RoutineError when there is none or two. A bad file of another name does not stand in the way.
    """
    if name_or_path.endswith(".toml") or Path(name_or_path).name != name_or_path:
        return load_programme(Path(name_or_path), load_routines()[0])
    programmes, broken = load_programmes()
    for name, problem in broken:
        if name == name_or_path:
            raise problem
    if name_or_path not in programmes:
        advice = did_you_mean(name_or_path, programmes)
        raise RoutineError("is no known programme.", path=Path(name_or_path), fix=advice)
    return programmes[name_or_path]


def _wrong(path: Path, keys: tuple[str | int, ...], what: str, fix: str) -> RoutineError:
    line = find_line(path.read_text(encoding="utf-8"), keys)
    return RoutineError(what, path=path, line=line, key=dotted(keys), fix=fix)
