"""What has to outlive a restart, kept in the state folder: who we are, what was announced, when something began."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from controller.errors import RegistryError
from controller.private_files import write_private
from firmware_profiles.folders import state_folder

ID_BYTES = 6
_ID = re.compile(r"[0-9a-f]{12}")


class Announced(BaseModel):
    """On which topic we were announced last, and each component that ever was, with its platform."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    topic: str = ""
    components: dict[str, str] = {}


def installation_id() -> str:
    """The random id of this installation, made when it is first needed. Raises RegistryError; nothing changes then."""
    path = _id_path()
    try:
        said = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        said = secrets.token_hex(ID_BYTES)
        try:
            write_private(path, said)
        except OSError as problem:
            raise RegistryError(f"cannot be written ({problem.strerror}).", path=path) from problem
    except (OSError, UnicodeDecodeError) as problem:
        raise RegistryError(f"cannot be read ({problem}).", path=path, fix="Mend it, or remove it.") from problem
    if not _ID.fullmatch(said):
        what = "is not 12 hexadecimal digits."
        raise RegistryError(what, path=path, fix="Remove it; Home Assistant will see a new device then.")
    return said


def announced() -> Announced:
    """What was announced before; nothing where that is not known any more."""
    try:
        return Announced.model_validate_json(_announced_path().read_bytes())
    except (OSError, ValidationError):
        return Announced()


def remember(what: Announced) -> None:
    """Keep what was announced. Raises OSError."""
    write_private(_announced_path(), what.model_dump_json(indent=2))


def last_start() -> datetime | None:
    """When a command was last let in that may set a motor going; None when there was none. Raises RegistryError."""
    path = _last_start_path()
    try:
        return datetime.fromisoformat(path.read_text(encoding="ascii").strip()).astimezone(UTC)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, OverflowError) as problem:
        fix = "Remove it, and start the service again; until then nothing is started over MQTT."
        raise RegistryError(f"cannot be read ({problem}).", path=path, fix=fix) from problem


def remember_start(at_utc: datetime) -> None:
    """Keep when a command is let in. Raises RegistryError."""
    path = _last_start_path()
    try:
        write_private(path, at_utc.isoformat())
    except OSError as problem:
        raise RegistryError(f"cannot be written ({problem.strerror}).", path=path) from problem


def _id_path() -> Path:
    return state_folder() / "installation-id"


def _announced_path() -> Path:
    return state_folder() / "mqtt-announced.json"


def _last_start_path() -> Path:
    return state_folder() / "mqtt-last-start"
