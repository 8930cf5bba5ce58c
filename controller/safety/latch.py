"""The emergency stop stays in: while its file is there nothing starts, whoever asks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from controller.errors import RefusedError
from firmware_profiles.folders import state_folder

CLEAR_IT = "When everybody is safe: `percuss clear`."


@dataclass(frozen=True, slots=True)
class EmergencyStop:
    """Since when everything is stopped, as far as the file says."""

    since_utc: str

    @property
    def since(self) -> str:
        """The same for people, in this computer's time zone: ``2026-11-21 14:49 UTC``."""
        try:
            return f"{datetime.fromisoformat(self.since_utc).astimezone():%Y-%m-%d %H:%M %Z}"
        except (ValueError, OverflowError, OSError):
            return self.since_utc


def latch_path() -> Path:
    """The file that keeps the emergency stop in."""
    return state_folder() / "emergency-stop.json"


def engage() -> None:
    """Let nothing start any more. Raises RefusedError when that cannot be written down; what runs is stopped anyway."""
    try:
        latch_path().parent.mkdir(parents=True, exist_ok=True)
        latch_path().write_text(json.dumps({"since_utc": datetime.now(UTC).isoformat(timespec="seconds")}) + "\n")
    except OSError as problem:
        what = f"the emergency stop cannot be kept in ({problem.strerror}): a session may be started again."
        raise RefusedError(what, where=str(latch_path()), fix="Take the device's power away.") from problem


def engaged() -> EmergencyStop | None:
    """The emergency stop that is in; None when nothing keeps a motor from starting."""
    try:
        text = latch_path().read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return EmergencyStop("an unknown time")  # when in doubt, stopped
    try:
        return EmergencyStop(str(json.loads(text)["since_utc"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return EmergencyStop("an unknown time")


def require_clear() -> None:
    """Raise RefusedError while the emergency stop is in."""
    if (stop := engaged()) is not None:
        raise RefusedError(f"the emergency stop is in since {stop.since}.", fix=CLEAR_IT)


def clear() -> EmergencyStop | None:
    """Let things start again, on purpose; what was in before. Raises RefusedError when the file cannot be removed."""
    stop = engaged()
    try:
        latch_path().unlink(missing_ok=True)
    except OSError as problem:
        what = f"the emergency stop cannot be cleared ({problem.strerror})."
        raise RefusedError(what, where=str(latch_path()), fix="Remove that file yourself.") from problem
    return stop
