"""Whether a device is the one that was paired."""

from __future__ import annotations

from controller.errors import IdentityError
from controller.transports import Identity


def check_identity(name: str, expected: Identity, found: Identity) -> None:
    """Refuse a device that answers to the address but is another one. Raises IdentityError."""
    for what, then, now in (
        ("serial number", expected.serial, found.serial),
        ("firmware", expected.firmware, found.firmware),
    ):
        if then is not None and then != now:
            raise IdentityError(
                f"its {what} is {now or 'not told'}; the device that was paired had {then}.",
                where=name,
                fix=f"If it is yours and changed on purpose: `percuss forget {name}`, then `percuss pair` again.",
            )
