"""A service that is asked far too much: the session goes on, the person is heard, and nothing piles up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from controller.journal import guardian_log
from tests.helpers.flood import flooded, memory_mb
from tests.helpers.motor import is_at_rest, wait_for_motion
from tests.helpers.processes import percuss, simulator
from tests.helpers.service import Service, service

SPEED = 20.0
SCRIPT = "; ".join(["calves:left 40% 2s; rest 1s"] * 45)
READERS = 200

Events = Iterator[tuple[str, dict[str, Any]]]


def until(events: Events, kind: str, session: int) -> dict[str, Any]:
    for told, values in events:
        if told == kind and values["session"] == session:
            data: dict[str, Any] = values["data"]
            return data
    raise AssertionError(f"there was no {kind}")


def fill(running: Service) -> None:
    """Let so much happen that nobody who reads none of it gets all of it into the buffers of his connection."""
    events = running.events()
    for _ in range(4):
        wish = {"script": SCRIPT, "simulator": "theragun-gen4", "speed": 100}
        until(events, "session_over", running.post("session", wish)["number"])


def test_a_flood_delays_no_session_stops_no_person_and_fills_no_memory(home: Path, tmp_path: Path) -> None:
    with simulator(tmp_path, "theragun-gen4", "--speed", str(SPEED)) as gun, service(home) as running:
        paired = percuss("pair", gun.url, "--profile", "theragun-gen4", "--as", "gun")
        assert paired.returncode == 0, paired.stderr
        fill(running)
        events = running.events()
        next(events)  # it reads before the flood comes
        token = running.client.headers["Authorization"].removeprefix("Bearer ")
        wish = {"script": SCRIPT, "massager": "gun", "speed": SPEED}
        with flooded(running.url, token, requests_per_s=500, readers=READERS) as look:
            number = running.post("session", wish)["number"]
            until(events, "level_asked", number)
            running.post("session/pause")
            until(events, "session_paused", number)
            running.post("session/resume")
            until(events, "session_resumed", number)
            ended = until(events, "session_ended", number)
            assert (ended["outcome"], ended["reason"]) == ("done", "")
            first_mb = memory_mb(running.process.pid)
            number = running.post("session", wish)["number"]
            wait_for_motion(gun)
            until(events, "level_asked", number)
            assert running.post("session/stop")["ended"]["outcome"] == "stopped"
            assert is_at_rest(gun)
            while look()["ended"].get("deaf", 0) < READERS // 2:
                time.sleep(0.1)
            last_mb, seen = memory_mb(running.process.pid), look()
        assert running.process.poll() is None
        assert not guardian_log.log_path().exists(), "a guardian had to stop the motor"
        assert "closed: a connection that reads nothing" in "".join(running.talk)
    assert seen["statuses"]["429"] > seen["statuses"]["200"] > 0
    assert seen["statuses"]["404"] > 0, "starts were handed on to the process that drives"
    assert seen["listening"] == {"200": READERS}
    assert seen["ended"] == {"deaf": READERS // 2}, "who reads is not sent away"
    # If what nobody reads were kept for him, it would be what the others have read by then. Half of that is far from
    # it, and far above what caches and a tracer of tests take.
    unbounded_mb = seen["read_bytes"] / 1e6
    assert last_mb - first_mb < unbounded_mb / 2, (first_mb, last_mb, unbounded_mb)
