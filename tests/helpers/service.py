"""The service as a process of its own, and a client with its token."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.helpers.motor import SPEED
from tests.helpers.processes import HANG_S, PERCUSS

LONG = {
    "script": "calves:each gentle 60s; hamstrings:each gentle 60s; quadriceps:each gentle 60s",
    "massager": "gun",
    "speed": SPEED,
}
"""A session that nothing ends by itself while a test looks at it."""


@dataclass
class Service:
    """A service that runs; ``client`` has its token, and ``talk`` what it logs."""

    process: subprocess.Popen[str]
    url: str
    client: httpx.Client
    talk: list[str]

    def post(self, path: str, body: Any = None) -> Any:
        answer = self.client.post(f"/api/v1/{path}", json=body)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    def events(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Everything from the beginning on."""
        with self.client.stream("GET", "/api/v1/events", headers={"Last-Event-ID": "0"}) as answer:
            kind = ""
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    yield kind, json.loads(line.removeprefix("data: "))

    def until(self, kind: str, **data: Any) -> dict[str, Any]:
        for told, values in self.events():
            if told == kind and data.items() <= values["data"].items():
                return values
        raise AssertionError(f"there was no {kind}")

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(HANG_S)


SERVE = (*PERCUSS, "serve", "--port", "0")


@contextmanager
def service(
    home: Path, *arguments: str, command: Sequence[str] = SERVE, verify: Any = True, **environment: str
) -> Iterator[Service]:
    """A service for the block, killed at its end."""
    process = subprocess.Popen(
        [*command, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    talk: list[str] = []
    errors = process.stderr
    reader = threading.Thread(target=lambda: talk.extend(errors), daemon=True)
    reader.start()
    try:
        said = process.stdout.readline()
        assert said.startswith("percuss serves "), (said, talk)
        url = said.split()[2].rstrip(";")
        token = (home / "service-token").read_text().strip()
        assert token not in said
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=url, headers=headers, timeout=HANG_S, verify=verify) as client:
            yield Service(process, url, client, talk)
    finally:
        process.kill()
        process.wait()
        reader.join(HANG_S)
        process.stdout.close()
        errors.close()
