"""What the guardian wrote down when this program was dead: JSON lines that the next start takes up."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from controller.events import StopProof
from firmware_profiles.folders import state_folder

MAX_LINE = 65_536
"""Bytes; what is longer is no word of the guardian's."""


@dataclass(frozen=True, slots=True)
class GuardianWord:
    """What the guardian did to one device. ``pid`` was the process that it stood in for; ``at_utc`` is aware."""

    at_utc: datetime
    pid: int
    device: str
    cause: str
    proof: StopProof
    attempts: int
    problem: str


def log_path() -> Path:
    """Where the guardian appends its words."""
    return state_folder() / "guardian.jsonl"


def taken_path() -> Path:
    """Where its words are while they are taken up, and until the next time: one may have been late."""
    return state_folder() / "guardian.taken.jsonl"


def read_words(path: Path) -> list[GuardianWord]:
    """The words in a file, without what is none; empty when there is no file. Raises OSError."""
    words = []
    try:
        with path.open("rb") as file:
            while line := file.readline(MAX_LINE):
                # A line that was cut off has the next one right behind it.
                word = _word(line) or _word(line[line.rfind(b"{") :])
                if word is not None:
                    words.append(word)
    except FileNotFoundError:
        return []
    return words


@contextmanager
def taking() -> Iterator[None]:
    """Let no other process take words at the same time (where the system can lock a folder). Raises OSError."""
    if os.name == "nt":
        yield
        return
    import fcntl

    folder = os.open(state_folder(), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _word(line: bytes) -> GuardianWord | None:
    try:
        values = json.loads(line)
        at_utc = datetime.fromisoformat(values["at_utc"]).astimezone(UTC)
        texts = {key: str(values.get(key, "")) for key in ("device", "cause", "problem")}
        proof, attempts, pid = values["proof"], values["attempts"], values["pid"]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
    numbers = (attempts, pid)
    if proof not in get_args(StopProof) or not all(type(n) is int and 0 <= n < 2**31 for n in numbers):
        return None
    return GuardianWord(at_utc=at_utc, pid=pid, proof=proof, attempts=attempts, **texts)
