"""How long, as people read it."""

from __future__ import annotations


def clock_text(seconds: float) -> str:
    """Seconds as ``m:ss``."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"
