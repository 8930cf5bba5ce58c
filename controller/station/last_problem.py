"""What a person should look at: what went wrong last, until a session begins or a link is back."""

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
        self.sentence = ""

    def hear(self, kind: str, data: dict[str, Any]) -> None:
        """Take up what happened, of one of the kinds of `Happenings`."""
        match kind:
            case "session_started" | "link_restored":
                self.sentence = ""
            case "link_lost":
                self.sentence = f"{data['device']}: {data['reason']}"
            case "session_ended":
                ending = BAD_ENDS.get(data["outcome"], "")
                self.sentence = f"{ending} {data['reason']}".strip() if ending else ""
            case "session_over" if data.get("detail"):  # what broke the session off, such as a full disk
                self.sentence = " ".join(filter(None, (data["detail"], data.get("fix"))))
            case "left_over":
                stops = "; ".join(f"{name}: {what}" for name, what in data["stops"].items())
                self.sentence = f"Session {data['routine']} was cut off. {stops}."
            case "problem":
                self.sentence = data["problem"]
