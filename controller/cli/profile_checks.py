"""``profiles check``: whether profiles can be used, and what they could do better."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from controller.cli.completion import complete_profiles_or_files
from controller.cli.output import print_json, say
from firmware_profiles.plain_text import plain

if TYPE_CHECKING:
    from firmware_profiles.review import Remark
    from firmware_profiles.schema import Profile


@dataclass(frozen=True, slots=True)
class _Checked:
    """One file: its profile or what is wrong with it, and the remarks."""

    path: Path
    profile: Profile | None
    problem: str
    remarks: tuple[Remark, ...]


@click.command()
@click.argument(
    "files",
    nargs=-1,
    type=click.Path(path_type=Path),
    metavar="[FILE|ID]...",
    shell_complete=complete_profiles_or_files,
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def check(files: tuple[Path, ...], as_json: bool) -> None:
    """Check profiles, by file or id; without any, all that are known.

    Errors are what keeps a profile from being used: format, frames, vectors, a stop that does not stop, unknown places.
    Warnings, for profiles that are named, are what it could do better: a device that another profile is as sure of,
    facts without a source, a scale that nobody knows.

    Exit code 0 when there are only warnings.
    """
    from controller.cli.exits import Exit
    from firmware_profiles.library import load_profiles, profile_paths

    known, doubled = load_profiles()
    ids = {path.stem: path for path in profile_paths()}
    files = tuple(path if path.exists() else ids.get(str(path), path) for path in files)
    checked = [_check(path, list(known.values()) if files else []) for path in files or profile_paths()]
    problems = [one.problem for one in checked if one.problem]
    if not files and not problems:
        problems = [str(problem) for problem in doubled]  # two files with one id
    if as_json:
        print_json({"files": [_plain(one) for one in checked], "problems": problems})
    else:
        for one in checked:
            if one.profile is not None:
                click.echo(plain(f"{one.path}: ok ({one.profile.id}, {len(one.profile.vectors)} vectors)"))
            for remark in one.remarks:
                say(f"{one.path}: warning: {remark.key}: {remark.what} {remark.fix}")
        for problem in problems:
            say(f"percuss: {problem}")
    if problems:
        raise click.exceptions.Exit(Exit.BAD_FILE)


def _check(path: Path, library: list[Profile]) -> _Checked:
    from firmware_profiles.errors import PercussError, ProfileError
    from firmware_profiles.library import BUNDLED
    from firmware_profiles.loader import load_profile
    from firmware_profiles.review import review

    try:
        profile = load_profile(path)
        _check_places(path, {name: c.region for name, c in profile.channels.items() if c.region})
        shipped = BUNDLED / f"{profile.id}.toml"
        if shipped.is_file() and path.resolve() != shipped.resolve():
            what = f"has the id {profile.id!r} of {shipped}."
            raise ProfileError(what, path=path, key="id", fix="Give it an id of its own.")
    except PercussError as problem:
        return _Checked(path, None, str(problem), ())
    return _Checked(path, profile, "", tuple(review(profile, library)) if library else ())


def _plain(one: _Checked) -> dict[str, object]:
    return {
        "path": str(one.path),
        "ok": one.profile is not None,
        "id": one.profile.id if one.profile is not None else None,
        "vectors": len(one.profile.vectors) if one.profile is not None else 0,
        "error": one.problem or None,
        "warnings": [asdict(remark) for remark in one.remarks],
    }


def _check_places(path: Path, regions: dict[str, str]) -> None:
    """The places that a profile's channels name must be in the vocabulary."""
    from firmware_profiles.errors import ProfileError
    from firmware_profiles.tomlfile import find_line
    from routines.regions import Refusal, UnknownRegion, find_region

    for channel, name in regions.items():
        match find_region(name):
            case Refusal(reason=reason):
                what = f"{name} is refused. {reason}"
            case UnknownRegion(advice=advice):
                what = f"{name!r} is no region. {advice}"
            case region if region.id != name:
                what = f"{name!r} is another word for {region.id!r}; a profile names the place by its id."
            case _:
                continue
        line = find_line(path.read_text(encoding="utf-8"), ("channels", channel, "region"))
        raise ProfileError(what, path=path, line=line, key=f"channels.{channel}.region")
