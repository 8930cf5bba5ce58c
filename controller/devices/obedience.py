"""Whether a device does what it was told, by what it says of itself."""

from __future__ import annotations

from collections.abc import Iterable

from controller.errors import DeviceFaultError
from firmware_profiles.capabilities import Levels
from firmware_profiles.commands import Status

DISOBEY_S = 4.0
"""Real seconds that a device may do something else than it was told, while its motor spins up or down."""

OVERSPEED_SHARE = 0.1
"""How much faster than told a device may say it runs, as a share of its full scale: motors hunt around their speed."""


class Obedience:
    """What was asked of each channel, and when. Times are real seconds of one clock."""

    def __init__(self, name: str, channels: Iterable[str], levels: Levels | None) -> None:
        self._name = name
        self._channels = tuple(channels)
        self._levels = levels
        self._reported: dict[str, int] = {}
        self.asked: dict[str, int] = {}
        self.asked_s = 0.0

    @property
    def is_asked_to_run(self) -> bool:
        """Whether any channel was told a level above 0."""
        return any(self.asked.values())

    def ask(self, channel: str, level: int, now_s: float) -> None:
        """One channel was told a level."""
        self.asked[channel], self.asked_s = level, now_s

    def ask_rest(self, now_s: float) -> None:
        """Everything was told to stop."""
        self.asked, self.asked_s = dict.fromkeys(self._channels, 0), now_s

    def forget(self) -> None:
        """Nothing was told yet over this link."""
        self.asked.clear()

    def judge(self, status: Status, now_s: float) -> DeviceFaultError | None:
        """The fault that a status shows, if it has had the time to obey."""
        before, self._reported = self._reported, dict(status.levels)
        if any(self.asked.get(name, 0) < level < before.get(name, 0) for name, level in status.levels.items()):
            self.asked_s = now_s  # it is on its way down
        if now_s - self.asked_s < DISOBEY_S or not self.asked:
            return None
        if not self.is_asked_to_run:
            if status.is_at_rest:
                return None
            return self._fault("was told to stop and says that it runs.", "Press the button on the device.")
        if status.is_at_rest:
            fix = "Is it switched on, charged and not blocked?"
            return self._fault("was told to run and says that it is at rest.", fix)
        margin = OVERSPEED_SHARE * self._levels.full if self._levels is not None else 0.0
        for name, level in status.levels.items():
            asked = self.asked.get(name, 0)
            if level > asked + margin:
                where = f" ({name})" if len(self._channels) > 1 else ""
                what = f"was told to run at {asked} and says that it runs at {level}{where}."
                return self._fault(what, "Press the button on the device.")
        return None

    def _fault(self, what: str, fix: str) -> DeviceFaultError:
        return DeviceFaultError(what, where=self._name, fix=fix)
