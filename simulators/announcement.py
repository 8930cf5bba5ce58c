"""Tell other processes of this user that a simulator runs: one JSON file per process, gone when it ends.

A simulator that was killed leaves its file behind; whoever reads looks whether the pid still lives.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from firmware_profiles.folders import simulators_folder


class Announcement:
    """The file ``<pid>.json`` in the folder of the simulators, readable by this user only."""

    def __init__(self) -> None:
        self.path = simulators_folder() / f"{os.getpid()}.json"

    def write(self, facts: dict[str, Any]) -> None:
        """Write it whole or not at all. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # mkstemp makes the file 0600; what is not called *.json is not read by anybody.
        handle, fresh = tempfile.mkstemp(dir=self.path.parent, prefix=f".{os.getpid()}-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(facts, file)
            Path(fresh).replace(self.path)
        except BaseException:
            Path(fresh).unlink(missing_ok=True)
            raise

    def remove(self) -> None:
        """Take it away. Idempotent."""
        self.path.unlink(missing_ok=True)
