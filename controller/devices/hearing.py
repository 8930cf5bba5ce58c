"""What a device says: its status, its firmware, bytes that make no sense, and when it was last heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from controller.clock import Clock, real_now_s
from controller.devices.obedience import Obedience
from controller.errors import DeviceFaultError
from controller.events import BytesIgnored, DeviceReported, Listener
from controller.handshake import Handshake
from controller.stopping import Stopper
from firmware_profiles.codec import Codec
from firmware_profiles.commands import BadFrame, Status, Version
from firmware_profiles.errors import PercussError
from firmware_profiles.plain_values import report_name
from firmware_profiles.redaction import Redaction

ANSWER_S = 2.0
"""Real seconds that a device that can answer has to do so."""

MAX_GARBAGE = 8
"""Frames in a row that make no sense before the device counts as broken; some may be reports that no profile lists."""


class Hearing:
    """Takes what arrives from one device to whoever waits for it. ``heard_s`` is in real seconds of the clock."""

    def __init__(
        self,
        name: str,
        codec: Codec,
        *,
        redaction: Redaction,
        handshake: Handshake,
        stopper: Stopper,
        obedience: Obedience,
        clock: Clock,
        emit: Listener,
        on_status: Callable[[Status], None],
        on_fault: Callable[[PercussError], None],
    ) -> None:
        self.status: Status | None = None
        self.status_changed = asyncio.Event()
        self.version: str | None = None
        self.version_heard = asyncio.Event()
        self.heard_s = 0.0
        self.garbage = 0
        self._name = name
        self._codec = codec
        self._capabilities = codec.profile.capabilities()
        self._redaction = redaction
        self._handshake = handshake
        self._stopper = stopper
        self._obedience = obedience
        self._clock = clock
        self._emit = emit
        self._on_status = on_status
        self._on_fault = on_fault

    def receive(self, data: bytes) -> None:
        """Take up what arrived on the link."""
        for report in self._codec.feed(data):
            if isinstance(report, BadFrame):
                shown = "left out" if self._redaction.hides(report.data) else report.data.hex(" ").upper()
                self._emit(BytesIgnored(self._name, report.reason, shown))
                self.garbage += 1
                if self.garbage == MAX_GARBAGE and self._stopper.can_confirm:
                    self._fail("sends bytes that make no sense.", "Check that its profile is the right one.")
                continue
            self.garbage = 0
            self.heard_s = real_now_s(self._clock)
            if isinstance(report, Version) or report.checksum_ok:
                self._handshake.hear(report_name(report))
            if isinstance(report, Version):
                self.version = report.firmware
                self.version_heard.set()
            elif isinstance(report, Status):
                self._take_status(report)

    def is_stale(self, period_s: float) -> bool:
        """Whether it said nothing for too long; it is asked every ``period_s`` of the clock."""
        return real_now_s(self._clock) - self.heard_s > max(2 * ANSWER_S, 3 * period_s / self._clock.speed)

    def has_rested_since(self, moment_s: float) -> bool:
        """Whether it can be asked, and said after a moment that it is at rest."""
        is_fresh = self.heard_s > moment_s
        return self._stopper.can_confirm and is_fresh and self.status is not None and self.status.is_at_rest

    def _take_status(self, status: Status) -> None:
        level = max(status.levels.values(), default=None)
        levels = next((channel.levels for channel in self._capabilities.channels.values()), None)
        ppm = None if level is None or levels is None else levels.ppm(level)
        self._emit(DeviceReported(self._name, status.running, ppm, status.battery_pct, status.temperature_c))
        if not status.checksum_ok:
            return  # shown, and believed in nothing
        self.status = status
        self.status_changed.set()
        self._stopper.hear(is_at_rest=status.is_at_rest)
        self._on_status(status)
        if (fault := self._obedience.judge(status, real_now_s(self._clock))) is not None:
            self._on_fault(fault)

    def _fail(self, what: str, fix: str) -> None:
        self._on_fault(DeviceFaultError(what, where=self._name, fix=fix))
