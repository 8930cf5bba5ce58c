"""Routes that only look: routines, plans, the history, and the screening, whose answers can also be given here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from controller import screening
from controller.http.door import Door, Outlook
from controller.http.wishes import Body, PlanWish, RoutineName
from controller.service import history as past
from controller.service.history_export import session_json, steps_json
from controller.snapshot import ScreeningReport, screening_report
from controller.timekeeping import foretell
from firmware_profiles.errors import ValueRefusedError
from routines.durations import by_hand_s
from routines.library import load_routines
from routines.loader import Routine
from routines.preview import rows
from routines.screening import Answer, answered, consequence, problem_with, questions, what_to_do
from routines.timeline import Span
from routines.writing import to_script

DAYS_MAX = 3660
SHOWN_MAX = 1000

Days = Annotated[int, Query(ge=1, le=DAYS_MAX, description="How many days back.")]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class RoutineLine(_Answer):
    """A routine in a list."""

    name: str
    title: str
    description: str
    duration_s: float


class Routines(_Answer):
    """What can be run; ``problems`` says which files cannot be used, a sentence each."""

    routines: list[RoutineLine]
    problems: list[str]


class RoutineText(RoutineLine):
    """A routine: its file and, on one line, its script."""

    sources: list[str]
    closing_note: str
    text: str
    script: str


class PlanAnswer(_Answer):
    """What would happen: a row for each step, as `percuss run --dry-run --json`; ``script`` only for a routine."""

    routine: str
    duration_s: float
    steps: list[dict[str, Any]]
    timers: list[str]
    closing_note: str
    script: str | None


class Sessions(_Answer):
    """Past sessions, newest first, as `percuss history list --json` has them, with their steps."""

    sessions: list[dict[str, Any]]


class CourseDay(_Answer):
    """What each region got on a day, in driven seconds of both sides together."""

    day: str
    regions: dict[str, float]


class CoursePain(_Answer):
    """What was said about pain around one session, 0 to 10 each."""

    started: datetime
    before: int | None
    after: int | None
    next_day: int | None
    has_nerve_sign: bool


class CourseAnswer(_Answer):
    """How the days went, without a gap."""

    days: list[CourseDay]
    pains: list[CoursePain]
    is_simulated: bool


class QuestionLine(_Answer):
    """A question of the screening. ``about`` says what a yes may name: places, a side of the legs, or nothing."""

    id: str
    tier: str
    about: str
    ask: str
    why: str
    consequence: str
    what_to_do: str


class ScreeningAnswer(ScreeningReport):
    """Where the screening stands, and what is asked. The answers themselves are not told."""

    questions: list[QuestionLine]


class GivenAnswers(Body):
    """An answer to every question, by its id."""

    answers: dict[str, Answer] = Field(max_length=200)


def reading_routes(outlook: Outlook) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["looking"])

    @routes.get("/routines")
    async def list_routines() -> Routines:
        """What can be run: routines of percuss and the person's own."""
        known, broken = await outlook.look_up(load_routines)
        lines = [RoutineLine(**_line(routine)) for _, routine in sorted(known.items())]
        return Routines(routines=lines, problems=[str(problem) for _, problem in broken])

    @routes.get("/routines/{name}")
    async def show_routine(name: RoutineName) -> RoutineText:
        """One routine."""
        known, _ = await outlook.look_up(load_routines)
        if name not in known:
            raise HTTPException(404, f"There is no routine {name}.")
        routine = known[name]
        return RoutineText(
            **_line(routine),
            sources=list(routine.sources),
            closing_note=routine.closing_note,
            text=routine.text,
            script=to_script(routine),
        )

    @routes.post("/plan")
    async def plan(wish: PlanWish) -> PlanAnswer:
        """What would happen now, screening aside; nothing is connected."""
        return await outlook.look_up(lambda: _plan(wish))

    @routes.get("/history")
    async def list_sessions(
        days: Days = 30,
        routine: Annotated[str | None, Query(max_length=100)] = None,
        device: Annotated[str | None, Query(max_length=100)] = None,
        most: Annotated[int, Query(ge=1, le=SHOWN_MAX)] = 100,
    ) -> Sessions:
        """Past sessions, newest first."""
        return await outlook.look_up(lambda: _sessions(days, routine, device, most))

    @routes.get("/history/course")
    async def show_course(days: Days = 30, is_simulated: bool = False) -> CourseAnswer:
        """How the days went: what each region got, and pain."""
        return await outlook.look_up(lambda: _course(days, is_simulated=is_simulated))

    @routes.get("/history/{number}")
    async def show_session(number: Annotated[int, Path(ge=1, le=2**31 - 1)]) -> dict[str, Any]:
        """One past session with everything that happened in it."""
        found = await outlook.look_up(lambda: past.find_session(number))
        if found is None:
            raise HTTPException(404, f"There is no session {number} in the journal.")
        session, happened = found
        return session_json(session, past.running_processes(), happened)

    @routes.get("/screening")
    async def look_at_screening() -> ScreeningAnswer:
        """Whether the answers let a real device be driven, and the questions."""
        return await outlook.look_up(_screening)

    return routes


def answering_routes(door: Door) -> APIRouter:
    """The routes by which the screening is answered, which everybody hears of."""
    routes = APIRouter(tags=["looking"])

    async def tell_screening_changed() -> None:
        # Only that: what a person answered is nobody else's.
        door.station.happenings.add("screening_changed", {})

    @routes.post("/screening")
    async def answer_screening(given: GivenAnswers) -> ScreeningAnswer:
        """Answer all questions, in place of earlier answers."""
        found = await door.look_up(lambda: _answer(given))
        await tell_screening_changed()
        return found

    @routes.delete("/screening")
    async def forget_screening() -> ScreeningAnswer:
        """Remove the answers."""
        await door.look_up(screening.forget)
        await tell_screening_changed()
        return await door.look_up(_screening)

    return routes


def _line(routine: Routine) -> dict[str, Any]:
    return {
        "name": routine.name,
        "title": routine.title,
        "description": routine.description,
        "duration_s": by_hand_s(routine.steps),
    }


def _plan(wish: PlanWish) -> PlanAnswer:
    timeline, profiles = wish.timeline()
    what = wish.what()
    return PlanAnswer(
        routine=timeline.routine,
        duration_s=timeline.duration_s,
        steps=[{**row, **_where(span)} for row, span in zip(rows(timeline), timeline.spans, strict=True)],
        timers=foretell(timeline, profiles),
        closing_note=timeline.closing_note,
        script=to_script(what) if isinstance(what, Routine) else None,
    )


def _where(span: Span) -> dict[str, Any]:
    also = [{"region": place.region, "side": place.side} for place in span.also]
    return {"region": span.region, "side": span.side, "also": also}


def _sessions(days: int, routine: str | None, device: str | None, most: int) -> Sessions:
    found = past.sessions_since(datetime.now(UTC) - timedelta(days=days), routine=routine, device=device)[:most]
    running = past.running_processes()
    return Sessions(sessions=[{**session_json(each, running), "steps": steps_json(each)} for each in found])


def _course(days: int, *, is_simulated: bool) -> CourseAnswer:
    today = past.local_day(datetime.now(UTC))
    sessions = past.sessions_since(past.start_of(today - timedelta(days=days - 1)))
    course = past.course(sessions, today=today, is_simulated=is_simulated)
    return CourseAnswer(
        days=[CourseDay(day=day.isoformat(), regions=dict(driven)) for day, driven in course.days],
        pains=[
            CoursePain(
                started=pain.started,
                before=pain.before,
                after=pain.after,
                next_day=pain.next_day,
                has_nerve_sign=pain.has_nerve_sign,
            )
            for pain in course.pains
        ],
        is_simulated=is_simulated,
    )


def _screening() -> ScreeningAnswer:
    lines = [
        QuestionLine(
            id=each.id,
            tier=each.tier,
            about=each.about,
            ask=each.ask,
            why=each.why,
            consequence=consequence(each),
            what_to_do=what_to_do(each),
        )
        for each in questions().values()
    ]
    return ScreeningAnswer(**screening_report().model_dump(), questions=lines)


def _answer(given: GivenAnswers) -> ScreeningAnswer:
    asked = questions()
    if strange := sorted(given.answers.keys() ^ asked.keys()):
        raise ValueRefusedError(f"answer each question, and only those: {', '.join(strange)[:500]}.", where="answers")
    for name, answer in given.answers.items():
        if what := problem_with(asked[name], answer):
            raise ValueRefusedError(what, where=f"answers.{name}")
    screening.save(answered(given.answers, now_utc=datetime.now(UTC)))
    return _screening()
