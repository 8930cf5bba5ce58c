"""Where a user's own files live. ``PERCUSS_HOME`` puts them all in one folder (tests, containers)."""

from __future__ import annotations

import os
from pathlib import Path


def config_folder() -> Path:
    """The folder of the user's settings: paired devices, own profiles and routines. It may not exist yet."""
    home = os.environ.get("PERCUSS_HOME")
    if home:
        return Path(home)
    import platformdirs

    return platformdirs.user_config_path("percuss", appauthor=False)


def state_folder() -> Path:
    """The folder of what percuss itself writes down: the journal, who drives what. It may not exist yet."""
    home = os.environ.get("PERCUSS_HOME")
    if home:
        return Path(home)
    import platformdirs

    return platformdirs.user_state_path("percuss", appauthor=False)


def simulators_folder() -> Path:
    """Where every running simulator leaves a JSON file that says how to reach it."""
    return state_folder() / "simulators"
