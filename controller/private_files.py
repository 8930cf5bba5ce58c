"""Private JSON files of one person: readable by their owner only, and replaced in one step."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from pydantic import ValidationError


def write_private(path: Path, content: str) -> None:
    """Replace the file in one step: a crash leaves the old one or the new one, never half of either.

    The folder is made when it is missing. Raises OSError; nothing is changed then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp makes it 0600.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - atomic on every system
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
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
