"""What the log says of sessions: who started which, how it ended, and whether the motor is at rest."""

from __future__ import annotations

import logging

from controller.happenings import Happening, Happenings

logger = logging.getLogger("percuss.session")


async def log_happenings(happenings: Happenings) -> None:
    """Log what a person wants to find there, until the service ends."""
    async for one in happenings.read(after_id=0):
        if isinstance(one, Happening) and (line := _line(one)):
            is_bad = one.data.get("outcome") == "stop_unconfirmed" or one.data.get("proof") == "unconfirmed"
            logger.log(logging.ERROR if is_bad else logging.INFO, line)


def _line(one: Happening) -> str:
    about, said = f"session {one.session}" if one.session else "", one.data
    match one.kind:
        case "starting":
            return f"{about}: asked for by {said['by']}"
        case "session_started":
            return f"{about}: {said['routine']} on {', '.join(said['devices'].values()) or 'no device'}"
        case "link_lost":
            return f"{about}: {said['device']}: {said['reason']}"
        case "device_stopped":
            proof = {"confirmed": "confirmed", "cannot_report": "sent; it cannot report"}
            return (
                f"{about}: {said['device']}: stop {proof.get(said['proof'], 'NOT CONFIRMED: press its button')}".lstrip(
                    ": "
                )
            )
        case "session_ended":
            return f"{about}: ended, {said['outcome']}. {said['reason']}".rstrip(". ")
        case "session_over" if "detail" in said:
            return f"{about}: {said['detail']}"
        case "emergency_stop" | "emergency_cleared":
            return f"{one.kind.replace('_', ' ')}, by {said['by']}"
        case "paired" | "forgotten":
            return f"{said['device']}: {one.kind}"
        case _:
            return ""
