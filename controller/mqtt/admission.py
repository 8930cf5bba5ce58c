"""Whether a command is new and in time: what a broker keeps, repeats or delivers late never sets a motor going."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from controller.errors import RefusedError
from controller.mqtt.commands import NEEDS_NO_ID, Command, is_stop

LONGEST = timedelta(seconds=20)
"""How far ahead a command may expire. So long the ids of earlier ones have to be known."""

QUIET_S = 3.0
"""Seconds after a connection began in which nothing sets a motor going: then others deliver what they had saved up."""

REMEMBERED_MAX = 10_000
"""How many ids are remembered at most; with so many in `LONGEST` nothing more is let in."""


class Admission:
    """Remembers what was let in.

    ``began_utc`` is when the service began, before which nothing is known; when one before it let something in later
    than that, by a clock that was set back since, it is that moment. ``problem`` is why nobody knows it: then nothing
    is let in that sets a motor going.
    """

    def __init__(self, began_utc: datetime | None = None, *, problem: str = "") -> None:
        self._began_utc = began_utc or datetime.now(UTC)
        self._problem = problem
        self._expiries: dict[str, datetime] = {}
        self.latest_utc = self._began_utc
        """The latest that the clock has said. What expired by then is expired, also when the clock goes back."""

    def check(
        self, command: Command, *, is_retained: bool, connected_s: float, now_utc: datetime | None = None
    ) -> None:
        """Let a command in, once. Raises RefusedError.

        ``connected_s`` is how many seconds ago the connection began.
        """
        if is_stop(command):
            return
        now_utc = now_utc or datetime.now(UTC)
        self.latest_utc = max(self.latest_utc, now_utc)
        if is_retained:
            raise RefusedError("a retained message is no command.", fix="Send it without the retain flag.")
        self._forget()
        if command.id is not None and command.id in self._expiries:
            raise RefusedError("a command with this id was taken already.", fix="Give each command an id of its own.")
        if command.do not in NEEDS_NO_ID:
            self._check_time(command, now_utc, connected_s)
        if command.id is not None:
            if len(self._expiries) >= REMEMBERED_MAX:
                raise RefusedError("there were too many commands.", fix="Wait some seconds.")
            self._expiries[command.id] = self.latest_utc + LONGEST  # by then it has expired itself

    def _check_time(self, command: Command, now_utc: datetime, connected_s: float) -> None:
        if self._problem:
            raise RefusedError(self._problem)
        if command.id is None or command.expires_at is None:
            raise RefusedError("the command has no id or no expires_at.", fix="Give it both.")
        if command.expires_at <= now_utc:
            late_s = (now_utc - command.expires_at).total_seconds()
            raise RefusedError(f"the command expired {late_s:.0f} s ago.", fix="Compare the clocks, or send it sooner.")
        if command.expires_at > now_utc + LONGEST:
            what = f"the command expires more than {LONGEST.total_seconds():.0f} s from now."
            raise RefusedError(what, fix="Compare the clocks, or let it expire sooner.")
        # The service before this one may have taken it: what that one let in has expired by then.
        known_utc = self._began_utc + LONGEST
        if now_utc < self.latest_utc and command.expires_at <= (until_utc := max(known_utc, self.latest_utc)):
            what = "the clock of this computer went back, and what comes now may have been taken already."
            until = f"{until_utc:%Y-%m-%d %H:%M:%S} UTC"
            fix = f"Set the clock right; nothing is started over MQTT until {until} (docs/reference/mqtt.md)."
            raise RefusedError(what, fix=fix)
        if command.expires_at <= known_utc:
            left_s = max(1.0, (known_utc - command.expires_at).total_seconds())
            raise RefusedError("the service has just begun.", fix=f"Send it again in {left_s:.0f} s.")
        if connected_s < QUIET_S:
            raise RefusedError("the connection to the broker has just begun.", fix="Send it again in some seconds.")

    def _forget(self) -> None:
        # In the order of being let in, which is that of being forgotten.
        while self._expiries and (first := next(iter(self._expiries.items())))[1] <= self.latest_utc:
            del self._expiries[first[0]]
