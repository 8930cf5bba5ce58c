"""Open a session where it belongs: the paired devices are the service's while one runs, else it is run from here."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from controller import api
from controller.cli.output import say
from controller.cli.roles import parts
from controller.cli.through_service.client import connected, running_service
from controller.errors import RefusedError
from controller.events import Event, SessionEnded
from controller.service.binding import Bindings, capabilities
from controller.service.running import Wishes, preparation_json
from controller.sessions import Progress
from controller.transports import capture
from routines.loader import Routine
from routines.timeline import Timeline


class Driven(Protocol):
    """A session that runs here or in the service."""

    @property
    def plan(self) -> Timeline:
        """What it runs."""

    @property
    def happened(self) -> Sequence[Event]:
        """All events so far."""

    def events(self) -> AsyncIterator[Event]:
        """All events from the start, until everything is over."""

    def progress(self) -> Progress:
        """Where it stands."""

    def request(self, request: api.Request) -> None:
        """Ask for something."""

    def tell_pain(self, score: int) -> None:
        """Tell how much it hurts."""

    def tell_nerve_sign(self) -> None:
        """Tell of a sign of an irritated nerve."""

    def stop(self, reason: str = ...) -> object:
        """Stop now."""

    async def ended(self) -> SessionEnded:
        """Wait for the end."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One intensity for a while, as `percuss set` wants it."""

    percent: float
    duration_s: float
    region: str | None


@asynccontextmanager
async def opened(what: Routine | Hold, bindings: Bindings, wishes: Wishes) -> AsyncIterator[Driven]:
    """A session for a block, which stops it; raises as `api.session` does, and LinkLostError for the service."""
    is_paired = bool(bindings) and all(binding.expected is not None for binding in bindings.values())
    if is_paired and (service := running_service()) is not None:
        from controller.cli.through_service.session import service_session

        capabilities(bindings)  # the same words as without a service for what cannot play its part
        if os.environ.get(capture.VARIABLE):
            what_else = f"the service (process {service.pid}) has the link, so nothing can be captured from here."
            raise RefusedError(what_else, fix="Start it with PERCUSS_CAPTURE=FILE, or end it first.")
        names: dict[str, object] = {role: binding.name for role, binding in bindings.items()}
        wish = {**_body(what), **asdict(wishes), **names}
        async with connected(service) as client, service_session(client, wish, tell=_say_preparation) as session:
            yield session
        return
    plan = api.hold(what.percent, what.duration_s, region=what.region) if isinstance(what, Hold) else what
    async with api.session(
        plan, **parts(bindings), **asdict(wishes), tell=lambda told: _say_preparation(preparation_json(told))
    ) as live:
        yield live


def _body(what: Routine | Hold) -> dict[str, object]:
    """What to run, as the service is told it: as it was read here, so that a file need not be there."""
    if isinstance(what, Hold):
        return {"hold": asdict(what)}
    return {"script": what.text, "file": str(what.path)}


def _say_preparation(told: Mapping[str, Any]) -> None:
    if told["event"] == "left_over":
        started = told["started_utc"][:16].replace("T", " ")
        say(f"The session {told['routine']} of {started} UTC ended without a word.")
        for name, what in told["stops"].items():
            say(f"  {name}: {what}.")
        return
    for reason in told["today"]:
        say(f"Today: {reason}.")
    for name in told["idle"]:
        say(f"{name} has nothing to do in this routine.")
    if told["devices"]:
        say(f"connecting to {', '.join(told['devices'].values())} …")
