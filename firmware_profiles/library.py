"""The profiles that are known: those shipped with percuss and those in the user's folder ``profiles``."""

from __future__ import annotations

import re
from pathlib import Path

from firmware_profiles.errors import MatchError, ProfileError
from firmware_profiles.folders import config_folder
from firmware_profiles.loader import load_profile, read_profile
from firmware_profiles.schema import Profile
from firmware_profiles.tomlfile import did_you_mean

BUNDLED = Path(__file__).parent / "bundled"


def profile_paths() -> list[Path]:
    """The files of all known profiles, shipped ones first."""
    own = config_folder() / "profiles"
    return sorted(BUNDLED.glob("*.toml")) + (sorted(own.glob("*.toml")) if own.is_dir() else [])


def load_profiles() -> tuple[dict[str, Profile], list[ProfileError]]:
    """All good profiles by id, and what is wrong with the others; of two with one id the first counts.

    A broken file of the user's must never stand between a person and stopping another device.
    """
    profiles: dict[str, Profile] = {}
    origin: dict[str, Path] = {}
    broken: list[ProfileError] = []
    for path in profile_paths():
        try:
            # The shipped ones are checked by the tests: reading them is enough, and takes a tenth of the time.
            profile = read_profile(path) if path.parent == BUNDLED else load_profile(path)
        except ProfileError as problem:
            broken.append(problem)
            continue
        if profile.id in profiles:
            what = f"has the id {profile.id!r} of {origin[profile.id]}."
            broken.append(ProfileError(what, path=path, key="id", fix="Give it an id of its own."))
        else:
            profiles[profile.id], origin[profile.id] = profile, path
    return profiles, broken


def find_profile(id_or_path: str) -> Profile:
    """The profile with this id, or in this file. Raises MatchError when there is none, ProfileError when it is bad."""
    if id_or_path.endswith(".toml"):
        return load_profile(Path(id_or_path))
    shipped = BUNDLED / f"{id_or_path}.toml"
    if re.fullmatch(r"[a-z0-9-]+", id_or_path) and shipped.is_file() and profile_paths()[-1].parent == BUNDLED:
        return read_profile(shipped)  # nobody's own file can claim its id
    profiles, broken = load_profiles()
    for problem in broken:
        if problem.path.stem == id_or_path or f"id {id_or_path!r} of" in problem.what:
            raise problem
    if id_or_path not in profiles:
        raise MatchError("is no known profile.", where=id_or_path, fix=did_you_mean(id_or_path, profiles))
    return profiles[id_or_path]
