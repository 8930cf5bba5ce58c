"""Units as types, so that a percent is never mistaken for a level."""

from __future__ import annotations

from typing import NewType

Percent = NewType("Percent", float)
"""0–100 of a channel's full scale, which is the *marketed* maximum of the device, not what its protocol accepts."""

Seconds = NewType("Seconds", float)
Ppm = NewType("Ppm", int)
"""Percussions per minute."""

Level = NewType("Level", int)
"""What a channel is set to, in the device's own unit; 0 is off and nothing else is."""

FULL_PPM = Ppm(2400)
"""What 100 % stands for on a device that knows only levels, so that limits in ppm hold there too.

The highest speed in the studies behind the limits (Sams 2025, PMID 39663100) and the marketed maximum of common guns.
"""
