"""The routines that are known: those shipped with percuss and those in the user's folder ``routines``."""

from __future__ import annotations

from pathlib import Path

from firmware_profiles.errors import FileError
from firmware_profiles.folders import config_folder
from firmware_profiles.tomlfile import did_you_mean, find_line
from routines.errors import RoutineError
from routines.loader import Routine, load_routine

BUNDLED = Path(__file__).parent / "bundled"


def routine_paths() -> list[Path]:
    """The files of all known routines, shipped ones first."""
    own = config_folder() / "routines"
    return sorted(BUNDLED.glob("*.toml")) + (sorted(own.glob("*.toml")) if own.is_dir() else [])


def load_library() -> dict[str, Routine]:
    """All known routines by name.

    Raises RoutineError or PlanRefusedError for the first bad file, and RoutineError for two files with one name.
    """
    routines, broken = _load_all()
    if broken:
        raise broken[0]
    return routines


def find_routine(name_or_path: str) -> Routine:
    """The routine with this name, or in this file.

    Raises RoutineError when there is none. A bad file of another name does not stand in the way of a good routine.
    """
    if name_or_path.endswith(".toml") or Path(name_or_path).name != name_or_path:
        return load_routine(Path(name_or_path))
    routines, broken = _load_all()
    for problem in broken:
        if problem.path.stem == name_or_path or (problem.key == "name" and repr(name_or_path) in problem.what):
            raise problem
    if name_or_path not in routines:
        known = did_you_mean(name_or_path, routines)
        raise RoutineError("is no known routine.", path=Path(name_or_path), fix=known)
    return routines[name_or_path]


def problems() -> list[FileError]:
    """What is wrong in the known files, without stopping at the first."""
    return _load_all()[1]


def _load_all() -> tuple[dict[str, Routine], list[FileError]]:
    routines: dict[str, Routine] = {}
    broken: list[FileError] = []
    for path in routine_paths():
        try:
            routine = load_routine(path)
        except FileError as problem:
            broken.append(problem)
            continue
        if (first := routines.get(routine.name)) is not None:
            what = f"has the name {routine.name!r} of {first.path}."
            line = find_line(routine.text, ("name",))
            broken.append(RoutineError(what, path=path, line=line, key="name", fix="Give it a name of its own."))
        else:
            routines[routine.name] = routine
    return routines, broken
