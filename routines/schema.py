"""The routine format, ``schema = 1``: what one TOML file says about one session.

Durations are seconds once read; intensities stay text and are parsed by `parse_intensity`, since what they mean
depends on the region and the device.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from firmware_profiles.capabilities import Kind
from firmware_profiles.links import Table
from firmware_profiles.tomlfile import did_you_mean
from routines.regions import plain_name

SESSION_MAX_S = 900.0
"""One session: a quarter of an hour. Own choice below the longest studied sessions; so no duration may be longer."""

SHORTEST_S = 1.0
"""A step that is shorter cannot even be announced."""

Word = Literal["gentle", "moderate", "firm"]
RoutineSide = Literal["left", "right", "both", "each"]
DrivenTechnique = Literal["percussion", "effleurage", "kneading", "circles", "hold", "pressure-and-release"]
HandTechnique = Literal["myofascial-release", "stretch", "nerve-glide", "exercise", "breathing", "rest", "transition"]
Position = Literal["supine-knees-bent", "prone", "side-lying", "seated", "seated-leg-extended", "standing"]
Tool = Literal["massage-gun", "ball", "tennis-ball", "foam-roller", "stick", "fingers", "none"]

DRIVEN_TECHNIQUES: frozenset[str] = frozenset(get_args(DrivenTechnique))
NEEDS_NO_PLACE: frozenset[str] = frozenset({"stretch", "nerve-glide", "exercise", "breathing", "rest", "transition"})
"""What is not pressure on a place: it needs no region, and none of a region's time is used up."""

GROWING_TECHNIQUES: frozenset[str] = frozenset({"hold", "pressure-and-release"})
"""Those whose pressure grows in two or three stages (Szajkowski 2025, Clin Pract 15:125)."""

REST = "0%"
"""Where a curve lets the motor rest."""

_ZERO = re.compile(r"^\s*0+(\.0+)?\s*%\s*$", re.ASCII)
_OF_THE_FIRST = frozenset({"rest", "move", "repeat", "position", "duration"})
"""Keys of a step that hold for all the steps that go together with it."""

OTHER_WORDS = {"tapotement": "percussion", "long-slow-stroke": "effleurage", "sustained-pressure": "hold"}
"""What else the guides and people call a technique."""


@dataclass(frozen=True, slots=True)
class Intensity:
    """How strong: exactly one of a share of the device's full scale, a speed, or a word that the region defines."""

    percent: float | None = None
    ppm: float | None = None
    word: Word | None = None

    def __str__(self) -> str:
        if self.percent is not None:
            return f"{self.percent:g} %"
        return f"{self.ppm:g} ppm" if self.ppm is not None else str(self.word)


_NUMBER = r"(?:\d{1,6}(?:\.\d{1,6})?)"
_QUANTITY = re.compile(rf"^({_NUMBER})\s*([^\d\s.].*)$", re.ASCII)
_MINUTES = r"(?:min|minutes?|m)"
_DURATION = re.compile(rf"^(?:({_NUMBER})\s*{_MINUTES})?\s*(?:({_NUMBER})\s*(?:s|sec|seconds?))?$", re.ASCII)
_TIME_UNITS = ("s", "sec", "seconds", "min", "minutes")
_INTENSITY_PATTERN = r"^\s*(\d+(\.\d+)?\s*(%|ppm)|gentle|moderate|firm)\s*$"


def parse_intensity(text: object) -> Intensity:
    """Read ``40%``, ``1500 ppm``, ``gentle``, ``moderate`` or ``firm``. Raises ValueError with a sentence."""
    if not isinstance(text, str):
        raise ValueError(f'must be text such as "40%", "1500 ppm" or "gentle", not {_shown(text)}.')
    plain = text.strip().lower()
    if plain in get_args(Word):
        return Intensity(word=plain)  # type: ignore[arg-type]  # membership was just checked
    quantity = _QUANTITY.match(plain)
    if quantity is None:
        advice = did_you_mean(plain, get_args(Word)) if re.match("^[a-z]", plain) else 'Write "40%" or "1500 ppm".'
        raise ValueError(f"{_shown(text)} is no intensity. {advice}")
    value, unit = float(quantity[1]), quantity[2].strip()
    if unit not in {"%", "ppm"}:
        raise ValueError(f"{_shown(unit)} is no unit of intensity. {did_you_mean(unit, ('%', 'ppm'))}")
    if value == 0:
        raise ValueError('must be above 0. For a pause write technique = "rest".')
    if unit == "%" and value > 100:
        raise ValueError(f"must not be above 100 %, not {value:g} %.")
    return Intensity(percent=value) if unit == "%" else Intensity(ppm=value)


def parse_duration(value: object) -> float:
    """Read ``45s``, ``1m30s``, ``2 min`` or a number of seconds. Raises ValueError with a sentence."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f'must be "45s", "1m30s" or a number of seconds, not {_shown(value)}.')
    if isinstance(value, str):
        value = _seconds_from_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"must be a finite time, not {value}.")
    if value < 0:
        raise ValueError(f"must not be negative, not {_shown(value)}.")
    if value > SESSION_MAX_S:
        raise ValueError(f"must not be longer than {SESSION_MAX_S / 60:g} minutes, which is a whole session.")
    return float(value)


def _seconds_from_text(text: str) -> float:
    plain = text.strip().lower()
    found = _DURATION.match(plain)
    if plain and found:
        return 60 * float(found[1] or 0) + float(found[2] or 0)
    if plain.startswith("-"):
        raise ValueError(f"must not be negative, not {_shown(text)}.")
    quantity = _QUANTITY.match(plain)
    if quantity:
        unit = quantity[2]
        raise ValueError(f"{_shown(unit)} is no unit of time. {did_you_mean(unit, _TIME_UNITS)}")
    raise ValueError(f'{_shown(text)} is no duration. Write "45s", "1m30s" or a number of seconds.')


def _step_duration(value: object) -> float:
    duration_s = parse_duration(value)
    if duration_s < SHORTEST_S:
        raise ValueError(f"must be at least {SHORTEST_S:g} s, not {_shown(value)}.")
    return duration_s


def _word_of(kind: Any) -> BeforeValidator:
    """Check a word against a vocabulary (a Literal), forgiving case, spaces and underscores."""
    words = _words(kind)

    def check(value: object) -> object:
        if not isinstance(value, str):
            raise ValueError(f"must be one of {', '.join(words)}, not {_shown(value)}.")
        plain = re.sub(r"[\s_]+", "-", value.strip().lower())
        plain = OTHER_WORDS.get(plain, plain)
        if plain not in words:
            raise ValueError(f"{_shown(value)} is not known here. {did_you_mean(plain, words)}")
        return plain

    return BeforeValidator(check)


def _words(kind: Any) -> tuple[str, ...]:
    return tuple(word for part in get_args(kind) for word in (get_args(part) or (part,)))


def _shown(value: object) -> str:
    # Huge whole numbers cannot be written out (Python refuses above 4300 digits).
    shown = "a huge number" if isinstance(value, int) and abs(value) > 10**30 else repr(value)
    return shown if len(shown) <= 40 else shown[:37] + "…"


def _is_printable(text: str) -> str:
    if text.isprintable():
        return text
    # A routine of a stranger must not be able to steer the terminal that shows it.
    if bad := next((c for c in text if not c.isprintable() and c not in "\n\t"), None):
        raise ValueError(f"has the control character {bad!r}. Remove it.")
    return text


_TIME_SCHEMA = {"anyOf": [{"type": "number", "minimum": 0, "maximum": SESSION_MAX_S}, {"type": "string"}]}

Text = Annotated[str, Field(max_length=2000), AfterValidator(_is_printable)]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S"), AfterValidator(_is_printable)]
Time = Annotated[float, BeforeValidator(parse_duration), WithJsonSchema(_TIME_SCHEMA)]
StepTime = Annotated[float, BeforeValidator(_step_duration), WithJsonSchema(_TIME_SCHEMA)]


def _intensity_text(value: object) -> str:
    parse_intensity(value)
    return str(value)


def _curve_intensity(value: object) -> str:
    return REST if isinstance(value, str) and _ZERO.match(value) else _intensity_text(value)


IntensityText = Annotated[
    str, BeforeValidator(_intensity_text), WithJsonSchema({"type": "string", "pattern": _INTENSITY_PATTERN})
]
RegionName = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(plain_name)]
Technique = DrivenTechnique | HandTechnique


class CurvePoint(Table):
    """From this moment of a step on, so strong; ``0%`` is at rest."""

    at: Time
    intensity: Annotated[
        str, BeforeValidator(_curve_intensity), WithJsonSchema({"type": "string", "pattern": _INTENSITY_PATTERN})
    ]


class Step(Table):
    """One place, or one thing to do by hand. ``duration`` without a value is the region's own default."""

    technique: Annotated[Technique, _word_of(Technique)] = "percussion"
    region: RegionName | None = None
    side: Annotated[RoutineSide, _word_of(RoutineSide)] | None = None
    intensity: IntensityText = "gentle"
    duration: StepTime | None = None
    ramp: Time = 0.0
    rest: Time = 0.0
    move: Time | None = None
    repeat: int = Field(default=1, ge=1, le=20)
    position: Annotated[Position, _word_of(Position)] | None = None
    tool: Annotated[Tool, _word_of(Tool)] | None = None
    cue: Text = ""
    source: Text = ""
    roles: tuple[Kind, ...] = Field(default=("massager", "timer"), min_length=1)
    curve: tuple[CurvePoint, ...] = Field(default=(), max_length=120)
    together: bool = False

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.region is None and self.technique not in NEEDS_NO_PLACE:
            raise ValueError(f"{self.technique} needs a region.")
        if self.region is not None and self.side is None:
            raise ValueError('needs a side: "left", "right", "both" or "each".')
        if self.region is None and self.duration is None:
            raise ValueError("needs a duration: without a region there is no default.")
        if self.duration is not None and self.ramp > self.duration:
            raise ValueError(f"ramp ({self.ramp:g} s) is longer than duration ({self.duration:g} s).")
        self._has_a_good_curve()
        self._fits_beside_another()
        return self

    def _has_a_good_curve(self) -> None:
        if not self.curve:
            return
        if self.technique not in DRIVEN_TECHNIQUES:
            raise ValueError(f"a curve needs something driven, not {self.technique}.")
        if self.technique in GROWING_TECHNIQUES:
            raise ValueError(f"{self.technique} has its own rising stages; with a curve write percussion.")
        if "intensity" in self.model_fields_set:
            raise ValueError("has an intensity and a curve: leave one of them out.")
        if all(point.intensity == REST for point in self.curve):
            raise ValueError('the curve only rests. For a pause write technique = "rest".')
        times = [point.at for point in self.curve]
        if times[0] != 0:
            raise ValueError("the curve must begin at 0s.")
        if any(after - before < SHORTEST_S for before, after in itertools.pairwise(times)):
            raise ValueError(f"the times of the curve must rise, by {SHORTEST_S:g} s at least.")
        if self.duration is not None and times[-1] >= self.duration:
            raise ValueError(f"the curve ends at {times[-1]:g} s, not before the step does ({self.duration:g} s).")

    def _fits_beside_another(self) -> None:
        if not self.together:
            return
        if self.technique not in DRIVEN_TECHNIQUES:
            raise ValueError(f"{self.technique} cannot be together with the step before: only what a massager does.")
        if self.side == "each":
            raise ValueError('together needs the side "left", "right" or "both": each is one after the other.')
        if alone := self.model_fields_set & _OF_THE_FIRST:
            raise ValueError(f"{min(alone)} belongs to the first of the steps that go together.")


class RoutineFile(Table):
    """The whole file."""

    schema_: Literal[1] = Field(alias="schema")
    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)
    title: Line
    description: Text = ""
    sources: tuple[Text, ...] = ()
    closing_note: Text = ""
    steps: tuple[Step, ...] = Field(min_length=1, max_length=100)

    @model_validator(mode="after")
    def _has_steps_to_go_with(self) -> Self:
        for before, step in itertools.pairwise((None, *self.steps)):
            if step is None or not step.together:
                continue
            if before is None or before.technique not in DRIVEN_TECHNIQUES:
                raise ValueError("together needs a step before it that a massager can do.")
            if before.side == "each":
                raise ValueError('together needs the side "left", "right" or "both" in both steps, not "each".')
        return self


def json_schema() -> dict[str, Any]:
    """The format as JSON Schema, for editors."""
    return RoutineFile.model_json_schema(by_alias=True)
