"""Finds frames in bytes that arrive in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from firmware_profiles.frames import Frame

Key = TypeVar("Key")

NO_FRAME = "is no frame of this device, or its checksum is wrong."


@dataclass(frozen=True, slots=True)
class Candidate(Generic[Key]):
    """A frame to look for. With ``is_strict`` one with a wrong checksum is none."""

    key: Key
    frame: Frame
    is_strict: bool = True


class Piece(NamedTuple, Generic[Key]):
    """What was found: a frame's key and values, or (key None) a run of bytes that belong to no frame."""

    key: Key | None
    values: dict[str, Any]
    data: bytes
    checksum_ok: bool = True


def find_whole(candidates: Sequence[Candidate[Key]], data: bytes) -> Piece[Key] | None:
    """The first of the frames that ``data`` is, from its first byte to its last; a right checksum goes before order."""
    flagged: Piece[Key] | None = None
    for candidate in candidates:
        found = candidate.frame.match(data, is_whole=True)
        if found is None or found.end != len(data):
            continue
        if found.checksum_ok:
            return Piece(candidate.key, found.values, data)
        if not candidate.is_strict and flagged is None:
            flagged = Piece(candidate.key, found.values, data, checksum_ok=False)
    return flagged


class Stream(Generic[Key]):
    """Memory is bounded: only the beginning of one frame is ever kept."""

    def __init__(self, candidates: Sequence[Candidate[Key]]) -> None:
        self._candidates = tuple(candidates)
        self._pending = b""

    def feed(self, data: bytes) -> list[Piece[Key]]:
        """What is complete, in order."""
        buffer, self._pending = self._pending + data, b""
        found: list[Piece[Key]] = []
        at = bad_from = 0
        while at < len(buffer):
            hit = self._match(buffer, at)
            if hit is None:
                if any(candidate.frame.may_grow(buffer, at) for candidate in self._candidates):
                    self._pending = buffer[at:]
                    break
                at += 1
                continue
            if bad_from < at:
                found.append(Piece(None, {}, buffer[bad_from:at]))
            piece, end = hit
            found.append(piece)
            at = bad_from = end
        if bad_from < at:
            found.append(Piece(None, {}, buffer[bad_from:at]))
        return found

    def take_rest(self) -> bytes:
        """The beginning of a frame that is still waiting for its rest, which is then forgotten."""
        rest, self._pending = self._pending, b""
        return rest

    def _match(self, buffer: bytes, at: int) -> tuple[Piece[Key], int] | None:
        for candidate in self._candidates:
            hit = candidate.frame.match(buffer, at)
            if hit is not None and hit.end > at and (hit.checksum_ok or not candidate.is_strict):
                return Piece(candidate.key, hit.values, buffer[at : hit.end], hit.checksum_ok), hit.end
        return None
