"""What happens, as values: the live display, ``--json`` and everything later listens to these and to nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from firmware_profiles.capabilities import Place

Outcome = Literal["done", "stopped", "refused", "link_lost", "device_fault", "stop_unconfirmed"]
StopProof = Literal["confirmed", "cannot_report", "unconfirmed"]
"""Whether the device said that it is at rest; ``cannot_report`` when its protocol has no way to say so."""
PainMoment = Literal["before", "between", "after"]


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """A session begins. ``devices`` is the device's name by role."""

    routine: str
    duration_s: float
    devices: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SpanStarted:
    """The person should now move, work or rest. ``mono_s`` is `time.monotonic`, shared by all processes here.

    ``also`` are the places that are worked at the same time as the one of ``region`` and ``side``.
    """

    index: int
    kind: str
    duration_s: float
    region: str | None
    side: str | None
    cue: str
    is_driven: bool
    note: str
    mono_s: float
    also: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class SpanEnded:
    """A span is over, by time or by a key. ``elapsed_s`` counts the session's seconds without pauses."""

    index: int
    region: str | None
    side: str | None
    is_driven: bool
    elapsed_s: float
    mono_s: float


@dataclass(frozen=True, slots=True)
class LevelAsked:
    """A channel was told to run at a level (0 is off)."""

    device: str
    channel: str
    level: int
    percent: float
    ppm: int


@dataclass(frozen=True, slots=True)
class DeviceReported:
    """What a device says it is doing; None where it does not say."""

    device: str
    running: bool | None
    ppm: int | None
    battery_pct: float | None
    temperature_c: float | None


@dataclass(frozen=True, slots=True)
class BytesIgnored:
    """Bytes arrived that are no frame of the device."""

    device: str
    reason: str
    data: str


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """Something was asked for that the limits do not allow; nothing changed."""

    reason: str


@dataclass(frozen=True, slots=True)
class SessionPaused:
    """The motor stops and time stands still. ``reason`` is empty when the person asked."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class SessionResumed:
    """The session goes on, ramping up again."""


@dataclass(frozen=True, slots=True)
class KeyAwaited:
    """The session waits for the person to be in place."""

    cue: str


@dataclass(frozen=True, slots=True)
class SpanExtended:
    """The person wants more time here."""

    extra_s: float


@dataclass(frozen=True, slots=True)
class IntensityChanged:
    """The person wants it stronger or softer: the change of all targets, in percent of full scale.

    ``is_held``: it was taken back, and rises no more at this place.
    """

    change_percent: float
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class PainAsked:
    """The person is asked how much it hurts; before and after the session waits for the answer."""

    moment: PainMoment


@dataclass(frozen=True, slots=True)
class PainTold:
    """How much it hurts, 0 to 10, at the place that was worked last (None before the first).

    ``score`` is None when a sign of an irritated nerve was told instead: tingling, numbness or shooting pain.
    """

    moment: PainMoment
    score: int | None
    region: str | None = None
    side: str | None = None
    also: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkLost:
    """The link to a device is gone."""

    device: str
    reason: str


@dataclass(frozen=True, slots=True)
class LinkRestored:
    """The link is back, and Stop was the first thing sent."""

    device: str


@dataclass(frozen=True, slots=True)
class TimerFailed:
    """A timer does not go along any more; the session goes on without it."""

    device: str
    reason: str


@dataclass(frozen=True, slots=True)
class OwnTimerSet:
    """The device was told to switch itself off after ``duration_s`` seconds if nobody else does."""

    device: str
    duration_s: int


@dataclass(frozen=True, slots=True)
class DeviceStopped:
    """Stop was sent, ``attempts`` times."""

    device: str
    proof: StopProof
    attempts: int


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """A session is over and everything is stopped, or ``outcome`` is ``stop_unconfirmed``."""

    outcome: Outcome
    reason: str
    elapsed_s: float


Event = (
    SessionStarted
    | SpanStarted
    | SpanEnded
    | LevelAsked
    | DeviceReported
    | BytesIgnored
    | RequestRefused
    | SessionPaused
    | SessionResumed
    | KeyAwaited
    | SpanExtended
    | IntensityChanged
    | PainAsked
    | PainTold
    | LinkLost
    | LinkRestored
    | TimerFailed
    | OwnTimerSet
    | DeviceStopped
    | SessionEnded
)
Listener = Callable[[Event], None]


class Announcer:
    """Tells events to a listener whose failure must not come between a stop and the wire.

    The first failure is kept and ``on_failure`` called; the listener hears nothing more.
    """

    def __init__(self, listener: Listener) -> None:
        self.failure: Exception | None = None
        self.on_failure: Callable[[], None] = lambda: None
        self._listener = listener

    def __call__(self, event: Event) -> None:
        """Tell an event; never raises."""
        if self.failure is not None:
            return
        try:
            self._listener(event)
        except Exception as problem:  # noqa: BLE001 - it is raised again when everything is stopped
            self.failure = problem
            self.on_failure()


def event_json(event: Event) -> dict[str, Any]:
    """An event as plain values, with its name in snake case under ``event``."""
    return {"event": _name(type(event)), **asdict(event)}


def event_of(name: str, values: Mapping[str, Any]) -> Event | None:
    """The event that `event_json` told; None for a name that is none. Raises ValueError for other values."""
    from pydantic import TypeAdapter

    kind = next((kind for kind in get_args(Event) if _name(kind) == name), None)
    if kind is None:
        return None
    event: Event = TypeAdapter(kind).validate_python(values)
    return event


def _name(kind: type[Event]) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
