"""The questions before a real device is driven, and what a person's answers allow. It diagnoses nothing.

The questions are ``screening.toml``. Answers are assessed without looking anything up: the same answers at the same
moment always give the same verdict, and whatever cannot be understood in them is taken at its strictest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from firmware_profiles.capabilities import Side
from firmware_profiles.links import Identifier, Table
from firmware_profiles.tomlfile import load_toml
from routines.bounds import Bound
from routines.errors import RoutineError
from routines.regions import Refusal, Region, Sentence, find_region, regions
from routines.schema import Intensity

TABLE_PATH = Path(__file__).with_name("screening.toml")

LASTS = timedelta(days=30)
"""Own choice: a body changes, and a month is short enough to be asked again."""

CLOCK_SLACK = timedelta(days=1)
"""Answers that lie further ahead than this were given under another clock: how old they are is unknown."""

AGAIN = "the screening questions have to be answered again"

Tier = Literal["emergency", "clinician", "stop", "ask"]
AnsweredSide = Literal["left", "right", "both"]


class TierTable(Table):
    """What a yes means in one tier: its effect, and what the person should do."""

    id: Tier
    title: Sentence
    effect: Sentence
    do: Sentence


class Question(Table):
    """One question. ``phrase`` is a reason as `Bound` wants it; ``do`` is there when the tier's advice does not fit."""

    id: Identifier
    tier: Tier
    about: Literal["everything", "places", "legs"] = "everything"
    refused: tuple[Identifier, ...] = ()
    ask: Sentence
    why: Sentence
    phrase: Annotated[str, Field(pattern=r"^[a-z].*[^.]$")]
    do: str = ""
    sources: tuple[Sentence, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if unknown := set(self.refused) - set(regions()):
            raise ValueError(f"refuses what is no region: {', '.join(sorted(unknown))}.")
        if self.refused and self.tier != "ask":
            raise ValueError("refuses everything by its tier, so it needs no list.")
        if self.about == "legs" and not self.refused:
            raise ValueError("asks for a side, so it must say which regions that side loses.")
        if self.about == "places" and self.tier != "stop":
            raise ValueError("asks for places, which only the tier stop can.")
        return self


class QuestionTable(Table):
    """The whole file."""

    schema_: Literal[1] = Field(alias="schema")
    tiers: tuple[TierTable, ...]
    questions: tuple[Question, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if [tier.id for tier in self.tiers] != list(get_args(Tier)):
            raise ValueError(f"needs exactly these tiers: {', '.join(get_args(Tier))}.")
        names = [question.id for question in self.questions]
        if doubled := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"asks these twice: {', '.join(sorted(doubled))}.")
        return self


def _is_plain(text: str) -> str:
    # What is read from a file is shown on a terminal, and must not be able to steer it.
    if not text.isprintable():
        raise ValueError("has a control character. Remove it.")
    return text


PlainText = Annotated[str, Field(max_length=300), AfterValidator(_is_plain)]


class Answer(Table):
    """The answer to one question. ``places`` are regions or their aliases; ``reason`` is what a clinician said."""

    yes: bool
    places: tuple[PlainText, ...] = Field(default=(), max_length=50, strict=False)  # a list of a file will do
    side: AnsweredSide | None = None
    acknowledged: bool = False
    reason: PlainText = ""


class Answers(Table):
    """One person's answers. ``questions`` is the `questions_digest` of what was asked."""

    schema_: Literal[1] = Field(alias="schema")
    answered_utc: AwareDatetime
    questions: str = Field(max_length=100)
    answers: dict[Identifier, Answer]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why nothing may be driven: the question's id and tier, a phrase, and what the person can do (sentences)."""

    question: str
    tier: Tier
    phrase: str
    what_to_do: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What answers allow. ``bounds`` alone are enough to be safe: whatever forbids a session is among them too.

    ``refusals`` forbid everything; ``unacknowledged`` do until they are acknowledged. ``expired_because`` is a phrase,
    empty while the answers are good.
    """

    refusals: tuple[Reason, ...]
    unacknowledged: tuple[Reason, ...]
    bounds: tuple[Bound, ...]
    expires_utc: datetime
    expired_because: str = ""

    @property
    def is_expired(self) -> bool:
        """Whether everything has to be asked again: too old, or not the answers to today's questions."""
        return bool(self.expired_because)

    @property
    def may_run(self) -> bool:
        """Whether a session may start, within the bounds."""
        return not (self.refusals or self.unacknowledged or self.is_expired)


def load_questions(path: Path = TABLE_PATH) -> QuestionTable:
    """Read the questions. Raises RoutineError with file, line and key."""
    return load_toml(path, QuestionTable, error=RoutineError)


@cache
def question_table() -> QuestionTable:
    """The questions that ship with percuss, read once."""
    return load_questions()


@cache
def questions() -> dict[str, Question]:
    """Every question by its id, in the order in which they are asked."""
    return {question.id: question for question in question_table().questions}


@cache
def questions_digest() -> str:
    """A digest of what is asked and what follows from it, so that changed questions are asked again."""
    meant = [[q.id, q.tier, q.about, list(q.refused), q.ask] for q in question_table().questions]
    return hashlib.sha256(json.dumps(meant).encode()).hexdigest()[:16]


def what_to_do(question: Question) -> str:
    """What a person should do after a yes, in sentences."""
    return question.do or _tier(question).do


def consequence(question: Question) -> str:
    """What follows from a yes, in sentences."""
    if question.about == "places":
        return "The places that you name are left alone; if you name none, nothing is driven at all."
    effect = _tier(question).effect
    if not question.refused:
        return effect
    names = [regions()[name].name for name in question.refused]
    whose = "On the side that has them, these" if question.about == "legs" else "These"
    return f"{effect} {whose} are left alone: {'; '.join(names)}."


def answered(answers: Mapping[str, Answer], *, now_utc: datetime) -> Answers:
    """Answers to today's questions, given now."""
    return Answers(schema=1, answered_utc=now_utc, questions=questions_digest(), answers=dict(answers))


def all_no(*, now_utc: datetime) -> Answers:
    """The answer no to everything."""
    return answered({name: Answer(yes=False) for name in questions()}, now_utc=now_utc)


def problem_with(question: Question, answer: Answer) -> str:
    """What is wrong with an answer, as a sentence with advice; empty when nothing is.

    Such an answer is still assessed, at its strictest; whoever asks should say so instead.
    """
    if answer.places and question.about != "places":
        return "asks for no places."
    if answer.side is not None and question.about != "legs":
        return "asks for no side."
    for place in answer.places:
        match find_region(place):
            case Region():
                continue
            case Refusal():
                return f"{place!r} is never driven anyway; name the places beside it that you want left alone."
            case unknown:
                return f"{place!r} is no place here. {unknown.advice}"
    return ""


def assess(answers: Answers, *, now_utc: datetime) -> Verdict:
    """Say what the answers allow at ``now_utc`` (aware). Total: any `Answers` gets a verdict."""
    expired_because = _expired_because(answers, now_utc)
    refusals: list[Reason] = []
    unacknowledged: list[Reason] = []
    bounds = [Bound(f"{AGAIN}: {expired_because}", is_refused=True)] if expired_because else []
    for question in question_table().questions:
        answer = answers.answers.get(question.id)
        if answer is None or not answer.yes:
            continue
        reason = Reason(question.id, question.tier, question.phrase, what_to_do(question))
        found = list(_bounds(question, answer))
        bounds += found
        if not any(bound.is_refused and bound.region is None for bound in found):
            continue
        (unacknowledged if question.tier in {"clinician", "ask"} else refusals).append(reason)
    return Verdict(tuple(refusals), tuple(unacknowledged), tuple(bounds), _expiry(answers), expired_because)


def _bounds(question: Question, answer: Answer) -> Iterator[Bound]:
    """What a yes forbids and holds back."""
    everything = Bound(question.phrase, is_refused=True)
    match question.tier:
        case "emergency":
            yield everything
        case "stop":
            yield from _places(question, answer) or [everything]
        case "clinician":
            if not (answer.acknowledged and answer.reason.strip()):
                yield everything
        case "ask":
            if not answer.acknowledged:
                yield everything
            sides: dict[AnsweredSide | None, Side] = {"left": "left", "right": "right"}
            # An answer without a side may mean either, so both.
            side = sides.get(answer.side) if question.about == "legs" else None
            yield from (Bound(question.phrase, region=name, side=side, is_refused=True) for name in question.refused)
            yield Bound(question.phrase, cap=Intensity(word="gentle"))


def _places(question: Question, answer: Answer) -> list[Bound]:
    """The places that are left alone; none when that means everything."""
    found = [find_region(place) for place in answer.places]
    named = [region.id for region in found if isinstance(region, Region)]
    # A place that percuss does not know may be beside any that it does know.
    if question.about != "places" or len(named) != len(found):
        return []
    return [Bound(question.phrase, region=name, is_refused=True) for name in dict.fromkeys(named)]


def _tier(question: Question) -> TierTable:
    return next(tier for tier in question_table().tiers if tier.id == question.tier)


def _expired_because(answers: Answers, now_utc: datetime) -> str:
    # Differences of times never overflow, sums may.
    age = now_utc - answers.answered_utc
    if answers.questions != questions_digest() or set(answers.answers) != set(questions()):
        return "the questions have changed or are not all answered"
    if age >= LASTS:
        return f"it was more than {LASTS.days} days ago"
    if age < -CLOCK_SLACK:
        return "they were answered in the future by this computer's clock, which has been changed"
    return ""


def _expiry(answers: Answers) -> datetime:
    try:
        return answers.answered_utc + LASTS
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
