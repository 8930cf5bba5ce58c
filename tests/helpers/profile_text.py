"""Profiles written down in a test."""

from pathlib import Path

from firmware_profiles.errors import ProfileError
from firmware_profiles.loader import load_profile
from firmware_profiles.schema import Profile
from firmware_profiles.tomlfile import parse_toml

HEAD = """
schema = 1
id = "made-up"
name = "A device that a test made up"
roles = ROLES
confidence = "C"
verified_on_hardware = false
dead_man = "host only"
[[sources]]
url = "https://example.org/made-up"
"""

OVER_BLE = """
[ble]
service = "FFE0"
write = "FFE1"
notify = "FFE2"
"""

OVER_SERIAL = """
[serial]
baud = 9600
"""


TOGGLE = """
[level]
unit = "switch"
model = "toggle"
[channels.motor]
[commands.toggle]
frames = ["5A"]
[commands.stop]
frames = ["5A"]
when = "running"
[commands.query_status]
frames = ["3F"]
[reports.status]
frames = ["B0 {running:bool}"]
"""
"""A device with one key, which says whether it runs."""


def profile_from(text: str, link: str = OVER_BLE, roles: str = '["massager"]') -> Profile:
    """The profile that a piece of TOML completes; its vectors are not asked for."""
    whole = HEAD.replace("ROLES", roles) + link + text
    return parse_toml(whole.encode(), Profile, path=Path("made-up.toml"), error=ProfileError)


def load_from(folder: Path, text: str, link: str = OVER_BLE) -> Profile:
    """The same through the loader, with all its checks. Raises ProfileError."""
    path = folder / "made-up.toml"
    path.write_text(HEAD.replace("ROLES", '["massager"]') + link + text, encoding="utf-8")
    return load_profile(path)
