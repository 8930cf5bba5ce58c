"""One person's answers to the screening questions, kept in ``screening.json`` (mode 0600, written atomically).

They stay on this machine. `require` is the way in for whoever drives a real device.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, RootModel, ValidationError

from controller.errors import RefusedError, ScreeningError
from controller.private_files import json_problem, write_private
from firmware_profiles.folders import config_folder
from firmware_profiles.tomlfile import MAX_BYTES, did_you_mean, find_line, parse_toml
from routines.bounds import Bound
from routines.screening import Answer, Answers, Reason, Verdict, answered, assess, problem_with, questions

COMMAND = "`percuss screening`"

Model = TypeVar("Model", bound=BaseModel)


def _from_yes_or_no(value: object) -> object:
    return {"yes": value} if isinstance(value, bool) else value


class _AnswersByHand(RootModel[dict[str, Annotated[Answer, BeforeValidator(_from_yes_or_no)]]]):
    """What a person writes for a script: a question's id, and true, false or a table."""


def screening_path() -> Path:
    """Where the answers are kept."""
    return config_folder() / "screening.json"


def load() -> Answers | None:
    """The answers; None when the questions were never answered. Raises ScreeningError; the file stays as it is."""
    path = screening_path()
    try:
        raw = _read(path, "your answers")
    except FileNotFoundError:
        return None
    advice = f"Mend it, or remove it with `percuss screening --forget` and answer again with {COMMAND}."
    return _from_json(raw, Answers, path=path, what="your answers", fix=advice)


def save(answers: Answers) -> None:
    """Keep the answers in place of earlier ones. Raises ScreeningError, also when the earlier ones are broken."""
    load()
    path = screening_path()
    try:
        write_private(path, answers.model_dump_json(by_alias=True, indent=2))
    except OSError as problem:
        raise _unwritable(path, problem) from problem


def forget() -> bool:
    """Remove the answers, broken or not; whether there were any. Raises ScreeningError."""
    path = screening_path()
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as problem:
        raise _unwritable(path, problem) from problem
    return True


def require(*, now_utc: datetime) -> tuple[Bound, ...]:
    """The bounds that the answers put on a session on a real device.

    Raises RefusedError when there are no good answers, they refuse, or one is not acknowledged; ScreeningError when
    their file cannot be used.
    """
    answers = load()
    if answers is None:
        raise RefusedError(
            "before a real device is driven there are some questions about you to answer.",
            fix=f"Answer them with {COMMAND}; it takes a few minutes, and the answers stay on this machine.",
        )
    verdict = assess(answers, now_utc=now_utc)
    if problem := why_refused(verdict):
        raise problem
    return verdict.bounds


def why_refused(verdict: Verdict) -> RefusedError | None:
    """The error for a verdict that lets nothing run, None when it may run."""
    if verdict.is_expired:
        return RefusedError(
            f"the screening questions have to be answered again: {verdict.expired_because}.",
            fix=f"Answer them with {COMMAND}.",
        )
    if verdict.refusals:
        return RefusedError(
            f"nothing is driven: {_phrases(verdict.refusals)}.",
            fix=f"{verdict.refusals[0].what_to_do} When that has changed, answer again with {COMMAND}.",
        )
    if verdict.unacknowledged:
        return RefusedError(
            f"nothing is driven yet: {_phrases(verdict.unacknowledged)}.",
            fix=f"{verdict.unacknowledged[0].what_to_do} The command is {COMMAND}.",
        )
    return None


def read_answers(path: Path, *, now_utc: datetime) -> Answers:
    """Answers that somebody wrote as TOML or JSON: each question's id with true, false or a table as in `Answer`.

    Raises ScreeningError with file, line and key when they are broken, incomplete or cannot be meant.
    """
    try:
        raw = _read(path, "the answers")
    except FileNotFoundError as problem:
        raise ScreeningError("is not there.", path=path) from problem
    if len(raw) > MAX_BYTES:
        raise ScreeningError(f"is larger than {MAX_BYTES} bytes.", path=path, fix="Is it the right file?")
    # No TOML file starts with a brace, and every JSON object does.
    if raw.lstrip().startswith(b"{"):
        given = _from_json(raw, _AnswersByHand, path=path, what="the answers", fix="").root
    else:
        given = parse_toml(raw, _AnswersByHand, path=path, error=ScreeningError).root
    text = raw.decode("utf-8", "replace")
    for name, answer in given.items():
        question = questions().get(name)
        what, fix = "is no question here.", did_you_mean(name, questions())
        if question is not None:
            what, fix = problem_with(question, answer), ""
        if what:
            raise ScreeningError(what, path=path, line=find_line(text, (name,)), key=name, fix=fix)
    if missing := [name for name in questions() if name not in given]:
        raise ScreeningError(
            f"leaves questions open: {', '.join(missing)}.", path=path, fix="Answer each with true or false."
        )
    return answered(given, now_utc=now_utc)


def _read(path: Path, what: str) -> bytes:
    """The bytes of a file, one more than `MAX_BYTES` at most. Raises FileNotFoundError and ScreeningError."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as problem:
        fix = "Mend its permissions: it must belong to you."
        raise ScreeningError(f"{what} cannot be read ({problem.strerror}).", path=path, fix=fix) from problem


def _from_json(raw: bytes, model: type[Model], *, path: Path, what: str, fix: str) -> Model:
    try:
        return model.model_validate_json(raw)
    except ValidationError as problem:
        why, line, key = json_problem(raw, problem)
        what = f"{what} cannot be understood: {why}."
        raise ScreeningError(what, path=path, line=line, key=key, fix=fix) from problem


def _phrases(reasons: tuple[Reason, ...]) -> str:
    return "; ".join(reason.phrase for reason in reasons)


def _unwritable(path: Path, problem: OSError) -> ScreeningError:
    what = f"your answers cannot be written ({problem.strerror})."
    return ScreeningError(what, path=path, fix="Nothing was changed.")
