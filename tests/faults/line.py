"""What the line does to frames, one at a time: which are concerned, which bits flip, when they arrive."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from firmware_profiles.firmware import FirmwareCodec, Received
from firmware_profiles.schema import Profile
from tests.faults.limits import has_checksum
from tests.faults.scenarios import Fault

TRIES = 100


class Line:
    """The faults of one line. Those with ``_back`` behind their names concern what the device says."""

    def __init__(self, seed: int, now: Callable[[], float]) -> None:
        self.counts: Counter[str] = Counter()
        self._now = now
        self._rng = random.Random(f"the line of {seed}")
        self._active: dict[str, tuple[Fault, float]] = {}
        self._arrives_s = {"": 0.0, "_back": 0.0}

    @property
    def active(self) -> set[str]:
        """The faults that are active now."""
        return {kind for kind, (_, until_s) in self._active.items() if self._now() < until_s}

    def begin(self, fault: Fault) -> float:
        """Let a fault begin; when it is over."""
        self._active[fault.kind] = (fault, self._now() + fault.for_s)
        return self.until_s(fault.kind)

    def end(self, kind: str) -> None:
        """Let a fault be over."""
        del self._active[kind]

    def until_s(self, kind: str) -> float:
        """When a fault that has begun is over."""
        return self._active[kind][1]

    def strikes(self, kind: str) -> Fault | None:
        """The fault, when it is active and this frame is one of those that it concerns."""
        fault, until_s = self._active.get(kind, (None, 0.0))
        if fault is None or self._now() >= until_s or self._rng.random() >= fault.share:
            return None
        self.counts[kind] += 1
        return fault

    def spoil(self, data: bytes, way: str, is_taken: Callable[[bytes], bool]) -> bytes:
        """What of a frame arrives: the whole, one with flipped bits, or its first or last part."""
        if fault := self.strikes(f"corrupt{way}"):
            return altered(data, self._rng, fault.amount, is_taken, self.counts)
        if self.strikes(f"half{way}"):
            at = self._rng.randint(1, len(data) - 1)
            return data[:at] if self._rng.random() < 0.7 else data[at:]
        return data

    def due_s(self, way: str) -> float:
        """When a frame arrives. A slow line keeps the order; a reordering one lets the next ones past."""
        now_s = self._now()
        if fault := self.strikes(f"reorder{way}"):
            return now_s + 0.05 + 0.6 * fault.amount
        due_s = max(now_s, self._arrives_s[way])
        if fault := self.strikes(f"delay{way}"):
            due_s = max(due_s, now_s + 0.05 + 2.0 * fault.amount**2)
        self._arrives_s[way] = due_s
        return due_s


def altered(
    data: bytes, rng: random.Random, amount: float, is_taken: Callable[[bytes], bool], counts: Counter[str]
) -> bytes:
    """A frame with one flipped bit or several.

    Where a checksum protects it, flips that happen to fit the sum are drawn again (and counted): what such a frame
    says, no program on the other side can help.
    """
    for _ in range(TRIES):
        bits = rng.sample(range(8 * len(data)), k=1 if amount < 0.6 else rng.randint(2, 5))
        spoilt = bytearray(data)
        for bit in bits:
            spoilt[bit // 8] ^= 1 << bit % 8
        if not is_taken(bytes(spoilt)):
            return bytes(spoilt)
        counts["flips that fit the checksum, drawn again"] += 1
    return b""


def would_be_taken(profile: Profile, data: bytes) -> bool:
    """Whether a checksum lets altered bytes through; where there is none, the device gets them as they are."""
    return has_checksum(profile) and any(isinstance(heard, Received) for heard in FirmwareCodec(profile).feed(data))
