"""Where the service stands, as every door shows it: the session, the devices, and what keeps it from starting."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Literal

from pydantic import BaseModel, ConfigDict

from controller import api, screening
from controller.events import DeviceReported, Event, LevelAsked, PainAsked, PainMoment, PainTold, SpanStarted
from controller.safety import latch
from controller.service.live import LiveSession
from controller.station import Running, Station
from firmware_profiles.errors import PercussError
from routines.screening import assess
from routines.timeline import Span

FRESH_S = 0.5
"""A snapshot is good for so many real seconds: however many ask, the files are looked at twice a second at most."""

ScreeningState = Literal["good", "missing", "expired", "refused", "unacknowledged", "broken"]


class _State(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlaceState(_State):
    """A place of the body; ``side`` is None for both sides at once."""

    region: str
    side: str | None


class SpanState(_State):
    """One thing that the person does. ``left_s`` is what is left of it; ``also`` are places worked at the same time."""

    kind: str
    region: str | None
    side: str | None
    also: tuple[PlaceState, ...]
    place: str
    cue: str
    note: str
    technique: str | None
    position: str | None
    tool: str | None
    is_driven: bool
    duration_s: float
    left_s: float


class DrivenState(_State):
    """A device of the session: what it was told, and what it says; None where it said nothing."""

    name: str
    asked_percent: float = 0.0
    asked_ppm: int = 0
    reported_running: bool | None = None
    reported_ppm: int | None = None
    battery_pct: float | None = None
    temperature_c: float | None = None


class SessionState(_State):
    """The session that runs. ``pain_question`` is the moment that is asked about and not answered yet."""

    number: int
    by: str
    routine: str
    duration_s: float
    total_left_s: float
    is_paused: bool
    is_waiting: bool
    pain_question: PainMoment | None
    span: SpanState | None
    next: SpanState | None
    devices: tuple[DrivenState, ...]


class PairedState(_State):
    """A paired device."""

    name: str
    profile: str
    url: str


class EmergencyState(_State):
    """The emergency stop: since when it is in, None when nothing keeps a motor from starting."""

    is_engaged: bool
    since_utc: str | None


class ScreeningReport(_State):
    """Whether the screening lets a real device be driven; ``reason`` is a sentence where it does not."""

    state: ScreeningState
    reason: str = ""
    expires_utc: datetime | None = None


class Snapshot(_State):
    """All of it at one moment. ``last_id`` is the newest happening that it knows of, counted from ``began_utc``.

    ``starting_by`` says who is just having a session prepared; ``problem`` is a
    sentence: what went wrong last, until a session begins, or what cannot be read.
    """

    at_utc: datetime
    version: str
    began_utc: datetime
    last_id: int
    session: SessionState | None
    starting_by: str | None
    devices: tuple[PairedState, ...]
    emergency_stop: EmergencyState
    screening: ScreeningReport
    problem: str = ""


Surroundings = tuple[tuple[PairedState, ...], EmergencyState, ScreeningReport, str]


class Snapshots:
    """Takes them of one station. It follows the events of the session, so that nothing is counted twice."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._followed: LiveSession | None = None
        self._read = 0
        self._driven: dict[str, DrivenState] = {}
        self._channels: dict[tuple[str, str], tuple[float, int]] = {}
        self._pain: PainMoment | None = None
        self._newest: Snapshot | None = None
        self._around: Surroundings | None = None
        self._looked_s, self._looked_id = 0.0, 0
        self._one_at_a_time = asyncio.Lock()

    async def take(self, *, is_fresh: bool = False) -> Snapshot:
        """One that is at most `FRESH_S` old; with ``is_fresh`` one of now, but for what others did to the files."""
        async with self._one_at_a_time:
            now_s, last_id = time.monotonic(), self._station.happenings.last_id
            is_old = now_s - self._looked_s > FRESH_S
            if self._around is None or is_old or (is_fresh and last_id != self._looked_id):
                # In a thread: a disk that hangs must not keep the session waiting.
                self._around = await asyncio.to_thread(_surroundings)
                self._looked_s, self._looked_id = now_s, last_id
                self._newest = None
            if is_fresh or self._newest is None:
                self._newest = self._put_together(*self._around)
            return self._newest

    def _put_together(
        self, devices: tuple[PairedState, ...], stop: EmergencyState, answers: ScreeningReport, problem: str
    ) -> Snapshot:
        running = self._station.running
        return Snapshot(
            at_utc=datetime.now(UTC),
            version=version("percuss"),
            began_utc=self._station.happenings.began_utc,
            last_id=self._station.happenings.last_id,
            session=None if running is None else self._session(running),
            starting_by=self._station.starting_by,
            devices=devices,
            emergency_stop=stop,
            screening=answers,
            problem=self._station.last_problem.sentence or problem,
        )

    def _session(self, running: Running) -> SessionState:
        self._follow(running.live)
        progress = running.progress
        return SessionState(
            number=running.number,
            by=running.by,
            routine=running.routine,
            duration_s=running.live.plan.duration_s,
            total_left_s=progress.total_left_s,
            is_paused=progress.is_paused,
            is_waiting=progress.is_waiting,
            pain_question=self._pain,
            span=None if progress.span is None else _span(progress.span, progress.span_left_s),
            next=None if progress.next_span is None else _span(progress.next_span, progress.next_span.duration_s),
            devices=tuple(self._driven.values()),
        )

    def _follow(self, live: LiveSession) -> None:
        if live is not self._followed:
            self._followed, self._read, self._pain = live, 0, None
            self._driven.clear()
            self._channels.clear()
        happened = live.happened
        while self._read < len(happened):
            self._hear(happened[self._read])
            self._read += 1

    def _hear(self, event: Event) -> None:
        match event:
            case LevelAsked(device=name, channel=channel):
                self._channels[name, channel] = (event.percent, event.ppm)
                asked = [value for (device, _), value in self._channels.items() if device == name]
                self._change(name, asked_percent=max(p for p, _ in asked), asked_ppm=max(ppm for _, ppm in asked))
            case DeviceReported(device=name):
                said = {
                    "reported_running": event.running,
                    "reported_ppm": event.ppm,
                    "battery_pct": event.battery_pct,
                    "temperature_c": event.temperature_c,
                }
                self._change(name, **{key: value for key, value in said.items() if value is not None})
            case PainAsked(moment=moment):
                self._pain = moment
            case PainTold(score=int()):
                self._pain = None
            case SpanStarted() if self._pain == "before":  # whoever says "go on" does not want to answer
                self._pain = None
            case _:
                pass

    def _change(self, name: str, **values: object) -> None:
        self._driven[name] = self._driven.get(name, DrivenState(name=name)).model_copy(update=values)


def screening_report() -> ScreeningReport:
    """Whether the screening lets a real device be driven now; never raises a PercussError."""
    now_utc = datetime.now(UTC)
    try:
        answers = screening.load()
        if answers is None:
            screening.require(now_utc=now_utc)
            raise AssertionError("without answers nothing is let through")
    except PercussError as problem:
        state: ScreeningState = "missing" if not screening.screening_path().exists() else "broken"
        return ScreeningReport(state=state, reason=str(problem))
    verdict = assess(answers, now_utc=now_utc)
    problem_now = screening.why_refused(verdict)
    if verdict.is_expired:
        state = "expired"
    elif verdict.refusals:
        state = "refused"
    else:
        state = "unacknowledged" if verdict.unacknowledged else "good"
    return ScreeningReport(state=state, reason=str(problem_now or ""), expires_utc=verdict.expires_utc)


def _surroundings() -> Surroundings:
    problem = ""
    devices: tuple[PairedState, ...] = ()
    try:
        paired = sorted(api.devices().items())
        devices = tuple(PairedState(name=name, profile=each.profile, url=each.url) for name, each in paired)
    except PercussError as found:
        problem = str(found)
    stop = latch.engaged()
    since_utc = None if stop is None else stop.since_utc
    return devices, EmergencyState(is_engaged=stop is not None, since_utc=since_utc), screening_report(), problem


def _span(span: Span, left_s: float) -> SpanState:
    return SpanState(
        kind=span.kind,
        region=span.region,
        side=span.side,
        also=tuple(PlaceState(region=place.region, side=place.side) for place in span.also),
        place=span.place,
        cue=span.cue,
        note=span.note,
        technique=span.technique,
        position=span.position,
        tool=span.tool,
        is_driven=bool(span.drives),
        duration_s=span.duration_s,
        left_s=max(0.0, left_s),
    )
