"""Errors as ``application/problem+json`` (RFC 9457), with the sentences that the command line says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from controller.errors import DeviceBusyError, JournalError, RegistryError, ScreeningError
from controller.exit_codes import name_of_error
from firmware_profiles.errors import PercussError

MEDIA_TYPE = "application/problem+json"

_STATUS = {
    "usage": 422,
    "stopped": 409,
    "refused": 409,
    "not_found": 404,
    "link_lost": 502,
    "device_fault": 502,
    "bad_file": 422,
    "stop_unconfirmed": 502,
}
_OUR_FILES = (JournalError, RegistryError, ScreeningError)


class Problem(BaseModel):
    """What went wrong. ``type`` is the name of the exit code that the command line would end with."""

    type: str = Field(examples=["refused"])
    title: str
    status: int
    detail: str
    where: str = ""
    fix: str = ""


def problem_json(
    status: int, detail: str, *, kind: str = "about:blank", where: str = "", fix: str = ""
) -> dict[str, Any]:
    """A problem as plain values. Without a ``kind`` the status says it all."""
    title = HTTPStatus(status).phrase
    return Problem(type=kind, title=title, status=status, detail=detail, where=where, fix=fix).model_dump()


def respond(
    status: int, detail: str, *, kind: str = "about:blank", where: str = "", fix: str = "", **headers: str
) -> Response:
    """The response that tells of a problem; ``headers`` by their names with underscores."""
    content = problem_json(status, detail, kind=kind, where=where, fix=fix)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    # In ASCII: what was asked may hold halves of characters, which UTF-8 cannot say.
    return Response(json.dumps(content), status, headers=named, media_type=MEDIA_TYPE)


async def respond_to_error(_request: Request, problem: Exception) -> Response:
    """The response to an error of percuss."""
    if not isinstance(problem, PercussError):
        raise problem
    kind = name_of_error(problem)
    status = 500 if isinstance(problem, _OUR_FILES) else _STATUS.get(kind, 500)
    if isinstance(problem, DeviceBusyError):
        status = 409
    return respond(status, problem.what, kind=kind, where=problem.where, fix=problem.fix)


async def respond_to_http(_request: Request, problem: Exception) -> Response:
    """The response to what the framework refuses: an unknown address, a method, a body that is no JSON."""
    if not isinstance(problem, HTTPException):
        raise problem
    allow = (problem.headers or {}).get("allow") or (problem.headers or {}).get("Allow")
    return respond(problem.status_code, str(problem.detail), **({"Allow": allow} if allow else {}))


async def respond_to_invalid(_request: Request, problem: Exception) -> Response:
    """The response to a request whose values cannot be meant: all that is wrong, in one sentence for each."""
    if not isinstance(problem, RequestValidationError):
        raise problem
    found = [_told(each) for each in problem.errors()]
    return respond(422, " ".join(found), kind="usage", fix="The document at /api/v1/openapi.json says what is wanted.")


def _told(each: Any) -> str:
    keys: Sequence[Any] = each["loc"]
    said = str(each["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"{'.'.join(str(key) for key in keys)}: {said}."
