"""Refusals of the door: counted, and told in the log once a second at most."""

from __future__ import annotations

import logging
import time
from collections import Counter

logger = logging.getLogger("percuss.http")

EVERY_S = 1.0

Connection = tuple[str, int]
"""Address and port of whoever asks."""


class Refusals:
    """Counts them by reason. ``counts`` is for the metrics."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._told_s: dict[str, float] = {}
        self._untold: Counter[str] = Counter()

    def note(self, reason: str, client: str, request: str, *, level: int = logging.WARNING) -> None:
        """Take one more. ``request`` is the method and the path, never what follows a question mark."""
        self.counts[reason] += 1
        now_s = time.monotonic()
        if now_s - self._told_s.get(reason, -EVERY_S) < EVERY_S:
            self._untold[reason] += 1
            return
        self._told_s[reason] = now_s
        before = self._untold.pop(reason, 0)
        more = f" ({before} more like it before)" if before else ""
        logger.log(level, "refused: %s, from %s, %s%s", reason, client, request, more)


class OncePerSecond(logging.Filter):
    """Lets a message of the server through once a second at most."""

    def __init__(self) -> None:
        super().__init__()
        self._told_s: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this one is told."""
        if record.levelno < logging.WARNING:
            return True
        now_s = time.monotonic()
        key = str(record.msg)[:200]
        if now_s - self._told_s.get(key, -EVERY_S) < EVERY_S:
            return False
        if len(self._told_s) > 100:
            self._told_s.clear()
        self._told_s[key] = now_s
        return True
