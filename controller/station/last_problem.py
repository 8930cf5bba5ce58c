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
        self._lost: dict[str, str] = {}
        self._other = ""

    @property
    def sentence(self) -> str:
        """What went wrong last."""
        return self._other or " ".join(self._lost.values())

    def hear(self, kind: str, data: dict[str, Any]) -> None:
        """Take up what happened, of one of the kinds of `Happenings`."""
        match kind:
            case "link_lost":
                self._lost[data["device"]] = f"{data['device']}: {data['reason']}"
            case "link_restored":
                self._lost.pop(data["device"], None)
            case "session_started" | "session_ended":
                self._lost.clear()
                ending = BAD_ENDS.get(data.get("outcome", ""), "")
                self._other = f"{ending} {data['reason']}".strip() if ending else ""
            case "session_over" if data.get("detail"):  # what broke the session off, such as a full disk
                where = f"{data['where']}: " if data.get("where") else ""
                self._other = f"{where}{data['detail']} {data.get('fix', '')}".strip()
            case "left_over":
                stops = "; ".join(f"{name}: {what}" for name, what in data["stops"].items())
                self._other = f"Session {data['routine']} was cut off. {stops}."
            case "problem":
                self._other = data["problem"]
