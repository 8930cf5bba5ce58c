"""The names of the topics of one installation."""

from __future__ import annotations

from dataclasses import dataclass

ONLINE = "online"
OFFLINE = "offline"
REPLY_MAX_CHARS = 200


@dataclass(frozen=True, slots=True)
class Topics:
    """``base`` is what all begin with, ``installation`` the id of this one, ``discovery`` Home Assistant's prefix."""

    base: str
    installation: str
    discovery: str

    @property
    def object_id(self) -> str:
        """What Home Assistant knows this installation by, and the broker its client."""
        return f"percuss_{self.installation}"

    @property
    def availability(self) -> str:
        """``online`` or ``offline``, retained; the last will says offline here."""
        return self._own("availability")

    @property
    def command(self) -> str:
        """Where commands are heard."""
        return self._own("command")

    @property
    def reply(self) -> str:
        """Where they are answered when they say nothing else."""
        return self._own("reply")

    @property
    def state(self) -> str:
        """Where everything stands, retained."""
        return self._own("state")

    @property
    def event(self) -> str:
        """What happens, once, not retained."""
        return self._own("event")

    @property
    def config(self) -> str:
        """The discovery payload, retained."""
        return f"{self.discovery}/device/{self.object_id}/config"

    @property
    def home_status(self) -> str:
        """Where Home Assistant says that it is there."""
        return f"{self.discovery}/status"

    def may_answer_at(self, topic: str) -> bool:
        """Whether a command may ask for its answer there: below `reply` only, so that nobody borrows our rights."""
        is_plain = topic.isprintable() and not any(wild in topic for wild in "+#")
        return topic.startswith(f"{self.reply}/") and len(topic) <= REPLY_MAX_CHARS and is_plain

    def _own(self, name: str) -> str:
        return f"{self.base}/{self.installation}/{name}"
