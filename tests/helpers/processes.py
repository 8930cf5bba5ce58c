"""Real processes for the system tests: percuss itself, and simulators."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PERCUSS = [sys.executable, "-m", "controller"]
HANG_S = 100
"""Far above what any command takes: a hang becomes a failure that shows what was printed."""


def percuss(*arguments: str, typed: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; ``typed`` is what it finds on stdin."""
    return subprocess.run(
        [*PERCUSS, *arguments],
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
        input=typed or "",
        env={**os.environ, **environment},
    )


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command that runs on while the block does; its events come on stdout."""
    with subprocess.Popen(
        [*PERCUSS, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_event(running: subprocess.Popen[str], name: str) -> dict[str, Any]:
    """Read the events of a session until one of this name."""
    assert running.stdout is not None
    for line in running.stdout:
        event: dict[str, Any] = json.loads(line)
        if event["event"] == name:
            return event
    raise AssertionError(f"it ended without {name}: {running.stderr.read() if running.stderr else ''}")


@dataclass
class RunningSimulator:
    """A simulator process. ``ready`` is the line that it printed."""

    process: subprocess.Popen[str]
    ready: dict[str, Any]
    record: Path
    talk: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return str(self.ready["url"])

    def recorded(self, kind: str) -> list[dict[str, Any]]:
        """What its recorder saw so far, of one kind."""
        written, _, _ = self.record.read_text(encoding="utf-8").rpartition("\n")  # it may be writing a line just now
        lines = [json.loads(line) for line in written.splitlines()]
        return [line for line in lines if line["kind"] == kind]

    def control(self, **request: object) -> dict[str, Any]:
        """Say one thing to its control socket; its answer."""
        import socket

        host, port = str(self.ready["control"]).rsplit(":", 1)
        with socket.create_connection((host.removeprefix("tcp://"), int(port)), timeout=10) as link:
            link.sendall(json.dumps({**request, "token": self.ready["token"]}).encode() + b"\n")
            answer: dict[str, Any] = json.loads(link.makefile().readline())
        return answer


@contextmanager
def simulator(folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> Iterator[RunningSimulator]:
    """A simulator that runs for the block, ready to be reached."""
    record = folder / f"record-{'-'.join(a.strip('-').replace('/', '_') for a in arguments)[:40]}.jsonl"
    process = subprocess.Popen(
        [*PERCUSS, "simulate", *arguments, "--json", "--record", str(record)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    if not line:
        raise AssertionError(f"the simulator did not start: {process.stderr.read()}")
    running = RunningSimulator(process, json.loads(line), record)
    talk = process.stderr
    # Its talk is read all the time, so that a full pipe never blocks it.
    reader = threading.Thread(target=lambda: running.talk.extend(talk), daemon=True)
    reader.start()
    try:
        yield running
    finally:
        process.terminate()
        process.wait(HANG_S)
        reader.join(HANG_S)
        process.stdout.close()
        process.stderr.close()
