"""Files that are written whole or not at all, and those of one person that only their owner may read."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from pathlib import Path

from pydantic import ValidationError

from firmware_profiles.errors import FileError


def write_private(path: Path, content: str) -> None:
    """Replace a private file in one step: a crash leaves the old one or the new one, never half of either.

    The folder is made when it is missing. Raises OSError; nothing is changed then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_whole(path, f"{content}\n".encode(), may_replace=True, is_private=True)


def write_file(path: Path, content: bytes, *, may_replace: bool, is_private: bool = False) -> None:
    """Write a file that a person named; where it cannot be written whole, the old one stays as it is.

    A new one has the rights that are usual, one that is replaced keeps its own, and a private one is only its owner's.
    Raises FileError when it is there already or cannot be written.
    """
    try:
        if may_replace and path.exists() and not path.is_file():
            path.write_bytes(content)  # a device or a pipe: nothing in it is lost, and it must not become a file
        else:
            _write_whole(path, content, may_replace=may_replace, is_private=is_private)
    except FileExistsError:
        fix = "Add --force to replace it, or name another file."
        raise FileError("is there already and is left as it is.", path=path, fix=fix) from None
    except OSError as problem:
        fix = "Name another file."
        raise FileError(f"cannot be written ({problem.strerror}).", path=path, fix=fix) from problem


def _write_whole(path: Path, content: bytes, *, may_replace: bool, is_private: bool) -> None:
    made = path.with_name(f".percuss-{secrets.token_hex(8)}") if may_replace else path
    # O_EXCL follows no link, so nothing is written where somebody else's link leads.
    handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if is_private else 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if may_replace:
            if path.is_file() and not is_private:
                shutil.copymode(path, made)
            os.replace(made, path)  # noqa: PTH105 - atomic on every system
    except BaseException:
        made.unlink(missing_ok=True)
        raise


def json_problem(raw: bytes, problem: ValidationError) -> tuple[str, int | None, str]:
    """What pydantic found wrong in a JSON file: a phrase, the line where it stops being JSON, and the key."""
    first = problem.errors(include_url=False)[0]
    return first["msg"].rstrip("."), _json_line(raw), ".".join(str(part) for part in first["loc"])


def _json_line(raw: bytes) -> int | None:
    """The line where a file stops being JSON; None when it is JSON, or nested too deeply to tell."""
    try:
        json.loads(raw)
    except json.JSONDecodeError as problem:
        return problem.lineno
    except UnicodeDecodeError:
        return 1
    except (ValueError, RecursionError):  # numbers of thousands of digits
        return None
    return None
