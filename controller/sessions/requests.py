"""What the person may ask for while a session runs, and what becomes of it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from enum import Enum, auto

from controller.errors import RefusedError
from controller.events import (
    IntensityChanged,
    Listener,
    RequestRefused,
    SessionPaused,
    SessionResumed,
    SpanExtended,
)
from controller.safety.supervisor import CHANGE_PERCENT, EXTRA_S, Supervisor
from controller.sessions.course import Course
from controller.sessions.pacing import Pace
from firmware_profiles.capabilities import Side
from routines.schema import NEEDS_NO_PLACE
from routines.timeline import Span


class Request(Enum):
    """What the person may ask for while a session runs.

    ``PAUSE`` only ever brings to rest and ``RESUME`` only ever goes on, however often they come; ``TOGGLE`` is the one
    key for both.
    """

    PAUSE = auto()
    RESUME = auto()
    TOGGLE = auto()
    SKIP = auto()
    BACK = auto()
    EXTRA = auto()
    STRONGER = auto()
    SOFTER = auto()


GO_ON = frozenset({Request.RESUME, Request.TOGGLE, Request.SKIP})
"""What says "go on" where the session waits for a person."""


class Requests:
    """What was asked for, in order. ``halt`` brings everything to rest; ``longest_s`` bounds extra time."""

    def __init__(
        self,
        course: Course,
        pace: Pace,
        supervisor: Supervisor,
        *,
        emit: Listener,
        halt: Callable[[], Awaitable[None]],
        longest_s: float,
    ) -> None:
        self._waiting: deque[Request] = deque()
        self._course = course
        self._pace = pace
        self._supervisor = supervisor
        self._emit = emit
        self._halt = halt
        self._longest_s = longest_s
        self._by_hand_s: dict[tuple[str, Side], float] = defaultdict(float)
        """What each place got on top without a motor."""

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def say_go_on(self) -> bool:
        """Whether one of them says that the person need not be waited for."""
        return not GO_ON.isdisjoint(self._waiting)

    def add(self, request: Request) -> None:
        """Take one more."""
        self._waiting.append(request)

    def clear(self) -> None:
        """Forget them."""
        self._waiting.clear()

    async def obey(self, span: Span) -> int | None:
        """Do them, or tell why not; the index of another span as soon as one leads there."""
        while self._waiting:
            try:
                next_index = await self._obey(self._waiting.popleft(), span)
            except RefusedError as problem:
                self._emit(RequestRefused(str(problem)))
            else:
                if next_index is not None:
                    return next_index
        return None

    async def pause(self, reason: str = "") -> None:
        """Let time stand still and everything rest."""
        self._course.time.pause()
        self._emit(SessionPaused(reason))
        await self._halt()

    async def _obey(self, request: Request, span: Span) -> int | None:
        course = self._course
        if course.is_waiting and request in GO_ON:
            course.is_waiting = False
            return course.index + 1
        match request:
            case Request.PAUSE | Request.TOGGLE if course.is_running:
                await self.pause()
            case Request.RESUME | Request.TOGGLE if course.time.is_paused:
                # Where it stood; the motor ramps up again from rest.
                course.time.resume()
                self._pace.reload(span)
                self._emit(SessionResumed())
            case Request.SKIP:
                await self._halt()
                return course.index + 1
            case Request.BACK:
                await self._halt()
                return course.back_index()
            case Request.EXTRA:
                self._extend(span)
            case Request.STRONGER:
                self._change(span, CHANGE_PERCENT)
            case Request.SOFTER:
                self._change(span, -CHANGE_PERCENT)
            case _:
                pass
        return None

    def _extend(self, span: Span) -> None:
        time = self._course.time
        extra_s = EXTRA_S
        presses = span.technique not in NEEDS_NO_PLACE
        sides = [(place.region, side) for place in span.places for side in place.sides if presses]
        by_hand_s = max((self._by_hand_s[side] for side in sides), default=time.duration_s - span.duration_s)
        if span.drives:
            extra_s = min(extra_s, self._supervisor.allowed_s(span) - time.duration_s - by_hand_s)
        elif span.kind == "work":
            extra_s = min(extra_s, span.extra_max_s - by_hand_s)
        if extra_s < 1:
            raise RefusedError("this place has had all its time; go on to the next.", where=span.place)
        extra_s = min(extra_s, self._course.room_s(self._longest_s))
        if extra_s < 1:
            raise RefusedError(f"a session lasts {self._longest_s:.0f} s at most, and this one does already.")
        for side in () if span.drives else sides:
            self._by_hand_s[side] += extra_s
        time.duration_s += extra_s
        self._pace.reload(span)
        self._emit(SpanExtended(extra_s))

    def _change(self, span: Span, step_percent: float) -> None:
        was_held = self._pace.is_held
        if step_percent > 0:
            self._pace.lift()
        try:
            self._pace.change_percent = self._supervisor.change(span, self._pace.change_percent, step_percent)
        except RefusedError:
            if not was_held or step_percent < 0:
                raise
        if step_percent < 0:
            self._pace.hold(span, step_percent)
        self._pace.reload(span)
        self._emit(IntensityChanged(self._pace.change_percent, is_held=self._pace.is_held))
