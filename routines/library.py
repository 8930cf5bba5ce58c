"""The routines that are known: those shipped with percuss and those in the user's folder ``routines``."""

from __future__ import annotations

from collections.abc import Iterable
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


def find_routine(name_or_path: str) -> Routine:
    """The routine with this name, or in this file.

    Raises RoutineError when there is none or two. A bad file of another name does not stand in the way.
    """
    if name_or_path.endswith(".toml") or Path(name_or_path).name != name_or_path:
        return load_routine(Path(name_or_path))
    routines, broken = load_routines()
    for name, problem in broken:
        if name == name_or_path:
            raise problem
    if name_or_path not in routines:
        raise _unknown(name_or_path, routines)
    return routines[name_or_path]


def _unknown(name: str, routines: Iterable[str]) -> RoutineError:
    from routines.programme import programme_paths  # which needs this module

    if name in {path.stem for path in programme_paths()}:
        fix = f"`percuss programmes show {name}` names its routines."
        return RoutineError("is a programme, not a routine.", path=Path(name), fix=fix)
    return RoutineError("is no known routine.", path=Path(name), fix=did_you_mean(name, routines))


def load_routines() -> tuple[dict[str, Routine], list[tuple[str, FileError]]]:
    """The good routines by name, and what is wrong with each other file under its name (or the file's)."""
    routines: dict[str, Routine] = {}
    broken: list[tuple[str, FileError]] = []
    for path in routine_paths():
        try:
            routine = load_routine(path)
        except FileError as problem:
            broken.append((path.stem, problem))
            continue
        if (first := routines.setdefault(routine.name, routine)) is not routine:
            what = f"has the name {routine.name!r} of {first.path}."
            line = find_line(routine.text, ("name",))
            taken = RoutineError(what, path=path, line=line, key="name", fix="Give it a name of its own.")
            broken.append((routine.name, taken))
    return routines, broken
