"""What may be said on the command topic: JSON objects, checked before anything looks at them."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Annotated, Any, Literal, TypeGuard

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from routines.dose import PAIN_STOP_SCORE

PAYLOAD_MAX_BYTES = 16_384

_STOP_WORDS = {
    "emergency_stop": re.compile(r"emergency[\s_-]*stop", re.IGNORECASE),
    "nerve_sign": re.compile(r"nerve[\s_-]*sign", re.IGNORECASE),
    "stop": re.compile("stop", re.IGNORECASE),
}
"""How each is found in what is no command; the strongest first."""

NEEDS_NO_ID = frozenset({*_STOP_WORDS, "pause"})
"""What only ever brings a motor to rest, and so does `Pain` that stops."""

Id = Annotated[str, Field(pattern=r"^[!-~]+$", max_length=64)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]
Place = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
Percent = Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]
Score = Annotated[int, Field(ge=0, le=10)]


class _Command(BaseModel):
    """``id`` names the command, and ``expires_at`` (ISO 8601 with an offset) is when it is too late for it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)

    id: Id | None = None
    expires_at: AwareDatetime | None = None
    reply_to: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class _Identified(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    id: Id | None = None


class Devices(_Command):
    """What a session runs on. Without a device it is the chosen massager, or else the only one that is paired."""

    massager: Name | None = None
    massager2: Name | None = None
    timer: Name | None = None
    simulator: Name | None = None
    speed: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] = 1.0
    pain_before: Score | None = None


class Start(Devices):
    """Run a routine by its name or a script; without either the chosen routine."""

    do: Literal["start"]
    routine: Annotated[Name, Field(pattern=r"^[a-z0-9-]+$")] | None = None
    script: Annotated[str, Field(min_length=1, max_length=8000)] | None = None
    no_device: bool = False


class Hold(Devices):
    """One intensity at one place; without a value the chosen one. While a session runs, its intensity is changed."""

    do: Literal["hold"]
    percent: Percent | None = None
    region: Place | None = None
    duration_s: Annotated[float, Field(gt=0, le=7200, allow_inf_nan=False)] | None = None


class Choose(_Command):
    """Choose for the next start; a value that is left out stays. The word ``none`` chooses nothing."""

    do: Literal["choose"]
    routine: Name | None = None
    region: Place | None = None
    massager: Name | None = None


class Intensity(_Command):
    """Choose the intensity, in percent of the device's full scale, for the next hold and for what runs."""

    do: Literal["intensity"]
    percent: Percent


class Ask(_Command):
    """Ask the session for something."""

    do: Literal["pause", "resume", "skip", "back", "extra", "stronger", "softer"]


class Pain(_Command):
    """How much it hurts, 0 to 10; from `PAIN_STOP_SCORE` on it is a stop."""

    do: Literal["pain"]
    score: Score


class Halt(_Command):
    """Stop the session; stop everything until it is cleared; or tingling, numbness or shooting pain."""

    do: Literal["stop", "emergency_stop", "nerve_sign"]


Command = Start | Hold | Choose | Intensity | Ask | Pain | Halt

_COMMANDS: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="do")])


def is_stop(command: Command) -> TypeGuard[Halt | Pain]:
    """Whether it is obeyed always: retained, late, repeated, or with keys that nobody knows."""
    return isinstance(command, Halt) or (isinstance(command, Pain) and command.score >= PAIN_STOP_SCORE)


class _StoppingPain(BaseModel):
    """As much of a `Pain` as must be right where it is a stop."""

    model_config = ConfigDict(extra="ignore")

    do: Literal["pain"]
    score: Annotated[int, Field(ge=PAIN_STOP_SCORE, le=10)]


class UnreadableError(ValueError):
    """What was said is no command. ``str()`` is a phrase that quotes nothing of it; ``id`` is its id, if it has one."""

    def __init__(self, why: str, *, id: str | None = None) -> None:  # noqa: A002 - its name on the wire
        super().__init__(why)
        self.id = id


def read_command(payload: bytes) -> Command:
    """The command in a payload. Raises UnreadableError.

    What is a command to the letter is that one. In anything else a stop is looked for: when in doubt, it stops.
    """
    try:
        return _strictly(payload)
    except UnreadableError:
        if (stop := _halt_in(payload) or _pain_in(payload)) is not None:
            return stop
        raise


def _strictly(payload: bytes) -> Command:
    if len(payload) > PAYLOAD_MAX_BYTES:
        raise UnreadableError(f"has more than {PAYLOAD_MAX_BYTES} bytes")
    try:
        command = _COMMANDS.validate_json(payload)
    except ValidationError as problem:
        raise UnreadableError(_why(problem), id=_id(payload)) from None
    # The last of two values would count, and nobody knows which of them was meant.
    if _has_twins(payload):
        raise UnreadableError("says one thing twice", id=command.id)
    return command


def _has_twins(payload: bytes) -> bool:
    keys = [key for key, _ in json.loads(payload, object_pairs_hook=list)]
    return len(set(keys)) < len(keys)


def _halt_in(payload: bytes) -> Halt | None:
    """The strongest stop that is said anywhere in what is no command; UTF-16 says it with zeros in between."""
    text = payload.replace(b"\0", b"").decode("utf-8", errors="replace")
    said: Any = None
    with suppress(ValueError, RecursionError):
        said = json.loads(text)
        text = f"{text} {said}"  # as it reads without escapes, too
    do = next((do for do, words in _STOP_WORDS.items() if words.search(text)), None)
    if do is None:
        return None
    about = {key: said[key] for key in ("id", "reply_to") if key in said} if isinstance(said, dict) else {}
    try:
        return Halt.model_validate({"do": do, **about})
    except ValidationError:
        return Halt.model_validate({"do": do})


def _pain_in(payload: bytes) -> Pain | None:
    """Pain that stops, whatever is wrong with the rest of it."""
    try:
        score = _StoppingPain.model_validate_json(payload).score
    except ValidationError:
        return None
    return Pain(do="pain", score=score, id=_id(payload))


def _id(payload: bytes) -> str | None:
    try:
        return _Identified.model_validate_json(payload).id
    except ValidationError:
        return None


def _why(problem: ValidationError) -> str:
    """What is wrong, by key, without the values: they are somebody else's text."""
    found = []
    for each in problem.errors(include_url=False, include_context=False, include_input=False)[:3]:
        keys = [str(part) for part in each["loc"] if isinstance(part, int) or str(part).isidentifier()]
        where = ".".join(key[:40] for key in keys[1:])
        message = "is no known command" if each["type"].startswith("union_tag") else _phrase(each["type"], each["msg"])
        found.append(f"{where}: {message}" if where else message)
    return "; ".join(found)


def _phrase(kind: str, message: str) -> str:
    # The message of broken JSON quotes it.
    return "is not JSON" if kind == "json_invalid" else message
