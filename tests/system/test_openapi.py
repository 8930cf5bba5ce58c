"""The service keeps to its own OpenAPI document, whatever somebody makes up from it (schemathesis)."""

from __future__ import annotations

from collections.abc import Iterator
from time import sleep
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core import NotSet
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from controller.http import service_app
from controller.http.lock import WAIT_S
from controller.station import Station
from tests.helpers.processes import HANG_S
from tests.helpers.service import Service, service

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]

SCAN = "/api/v1/scan"
SCAN_S = 0.1
"""So long it looks around each time, where it was told to for longer: what it finds is no matter here."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all of them, with nothing paired and the emergency stop in from the first one that finds it."""
    home = tmp_path_factory.mktemp("home")
    with service(home, PERCUSS_HOME=str(home)) as one:
        yield one


def operations() -> list[tuple[str, str]]:
    """Every method and path."""
    paths = service_app(Station()).openapi()["paths"]
    return [(method, path) for path, methods in paths.items() for method in methods]


@pytest.fixture(scope="module")
def document(running: Service) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{running.url}/api/v1/openapi.json", headers=dict(running.client.headers))


def ask(case: schemathesis.Case[Any], url: str, headers: dict[str, str]) -> schemathesis.Response:
    """What is answered; of events, which never end, what comes first."""
    if case.path == SCAN and isinstance(case.body, (dict, NotSet)) and _is_scan(case.body):
        case.body = {**(case.body if isinstance(case.body, dict) else {}), "for_s": SCAN_S}
    while True:
        wanted = case.as_transport_kwargs(base_url=url, headers=headers)
        answer = requests.request(**wanted, stream=True, timeout=HANG_S)
        with answer:
            if answer.headers.get("content-type", "").startswith("text/event-stream"):
                answer._content = next(answer.iter_content(None))
            said = schemathesis.Response.from_requests(answer, verify=True)
        if said.status_code != 429:  # it asks more than anybody may in a second
            return said
        sleep(WAIT_S)


def _is_scan(body: dict[str, Any] | NotSet) -> bool:
    """Whether it would look around, for as long as it says."""
    for_s = 5.0 if isinstance(body, NotSet) else body.get("for_s", 5.0)
    return isinstance(for_s, (int, float)) and not isinstance(for_s, bool) and SCAN_S <= for_s <= 60


@pytest.mark.parametrize(("method", "path"), operations())
def test_whatever_is_asked_is_answered_as_the_document_says(
    method: str, path: str, running: Service, document: schemathesis.BaseSchema
) -> None:
    headers = {"Authorization": running.client.headers["Authorization"]}

    @settings(max_examples=25, suppress_health_check=list(HealthCheck), database=None)
    @given(case=document[path][method].as_strategy())
    def check(case: schemathesis.Case[Any]) -> None:
        case.validate_response(ask(case, running.url, headers), checks=CHECKS)

    check()
