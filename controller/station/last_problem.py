"""What a person should look at: what went wrong last, until a session begins or the link is back."""

from __future__ import annotations

from typing import Any

BAD_ENDS = {
    "stop_unconfirmed": "NOT CONFIRMED TO HAVE STOPPED: press the device's own button.",
    "device_fault": "The device is at fault.",
    "link_lost": "The link to the device was lost.",
}
"""What is said of the outcomes that leave something to look at; the page says the same."""


class LastProblem:
    """Hears what happens; ``sentence`` is empty when nothing is wrong."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}

    @property
    def sentence(self) -> str:
        """Everything that went wrong since the last session began or ended, the oldest first."""
        return " ".join(self._found.values())

    def hear(self, kind: str, data: dict[str, Any]) -> None:
        """Take up what happened, of one of the kinds of `Happenings`."""
        match kind:
            case "link_lost":
                self._found[f"link of {data['device']}"] = f"{data['device']}: {data['reason']}"
            case "link_restored":
                self._found.pop(f"link of {data['device']}", None)
            case "device_stopped" if data["proof"] == "unconfirmed":
                self._found[f"stop of {data['device']}"] = f"{data['device']}: stop NOT CONFIRMED: press its button."
            case "device_stopped":
                self._found.pop(f"stop of {data['device']}", None)
            case "session_started":
                self._found.clear()
            case "session_ended":
                self._found.clear()
                if (ending := BAD_ENDS.get(data["outcome"])) is not None:
                    self._found[kind] = f"{ending} {data['reason']}".strip()
            case "session_over" if data.get("detail"):  # what broke the session off, such as a full disk
                where = f"{data['where']}: " if data.get("where") else ""
                self._found[kind] = f"{where}{data['detail']} {data.get('fix', '')}".strip()
            case "left_over":
                stops = "; ".join(f"{name}: {what}" for name, what in data["stops"].items())
                self._add(f"Session {data['routine']} was cut off. {stops}.")
            case "problem":
                self._add(data["problem"])

    def _add(self, sentence: str) -> None:
        self._found[sentence] = sentence
