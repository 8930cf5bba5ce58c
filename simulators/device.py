"""A device that is not there: bytes in, motors that turn, bytes out. No I/O; an adapter carries the bytes."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from firmware_profiles.codec import FirmwareCodec, Received
from firmware_profiles.commands import BadFrame
from firmware_profiles.errors import ValueRefusedError
from firmware_profiles.frames import Value
from firmware_profiles.schema import Profile, ReportName
from simulators.body import Body
from simulators.clock import SimClock
from simulators.faults import FaultRefusedError, Faults, Injection
from simulators.motor import Battery, Motor
from simulators.recorder import Recorder, spaced_hex

MAX_DELAYED_REPORTS = 1000
"""A host that keeps asking a device that answers late must not fill the memory."""


class SimulatedDevice:
    """The firmware of a profile over simulated motors, at the time of ``clock``.

    `receive` takes what the host writes; ``send`` is called with what the device says, and an adapter sets it. The
    owner calls `catch_up` often (or `process`, to step the time by hand). Losing the link changes nothing: like the
    real devices, it goes on with the last thing it was told. Raises ValueRefusedError for a ``firmware`` that the
    device's version report cannot carry.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        clock: SimClock,
        recorder: Recorder | None = None,
        firmware: str | None = None,
        serial: str = "SIM-0001",
        seed: int = 0,
    ) -> None:
        self.profile = profile
        self.clock = clock
        self.serial = serial
        self.firmware = firmware if firmware is not None else profile.simulator.firmware
        self.faults = Faults(seed)
        self.link_name = "serial" if profile.ble is None else "ble"
        self.send: Callable[[bytes], None] = _lose
        self._recorder = recorder
        self._codec = FirmwareCodec(profile)
        self._codec.encode("version", {"firmware": self.firmware})
        self._levels = profile.level.levels()
        self._highest_level = profile.level.protocol_max or self._levels.full
        self._body = Body(profile, clock.now(), self._record)
        self._delayed: deque[tuple[float, bytes]] = deque(maxlen=MAX_DELAYED_REPORTS)

    @property
    def motors(self) -> Mapping[str, Motor]:
        """The motors by channel."""
        return self._body.motors

    @property
    def battery(self) -> Battery | None:
        """The battery, where it has one."""
        return self._body.battery

    @property
    def is_running(self) -> bool:
        """Whether anything turns or is asked to."""
        return self._body.is_running

    def start(self) -> None:
        """Record who this is and that every motor stands still."""
        speed = self.clock.speed
        self._record("start", profile=self.profile.id, serial=self.serial, firmware=self.firmware, speed=speed)
        self._body.record_motors()

    def end(self) -> None:
        """Record what the motors did last."""
        self.catch_up()
        self._record("end", channels=self._body.last())

    def receive(self, data: bytes, *, with_response: bool | None = None) -> bool:
        """Take bytes from the host; False when the device refuses the write (a link that can, says so to the host).

        Raises nothing for any bytes: what is no command is recorded as ``bad`` and ignored, as firmware does.
        """
        self.catch_up()
        self._record("rx", hex=spaced_hex(data), link=self.link_name, with_response=with_response)
        if self.faults.refuses:
            return False
        for heard in self._codec.feed(data):
            if isinstance(heard, BadFrame):
                self._record("bad", hex=spaced_hex(heard.data), reason=heard.reason)
            else:
                self._obey(heard)
        return True

    def catch_up(self) -> None:
        """Let the time pass that the clock says has passed."""
        self.process(self.clock.now() - self._body.now_s)

    def process(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self._body.process(dt_s)
        while self._delayed and self._delayed[0][0] <= self._body.now_s:
            self._transmit(self._delayed.popleft()[1])

    def inject(self, injection: Injection) -> None:
        """Make something go wrong, or well again. Raises FaultRefusedError where this device cannot have the fault.

        ``drop_link`` is only recorded here: the link belongs to the adapter.
        """
        self.catch_up()
        if injection.fault == "low_battery" and self.battery is None:
            raise FaultRefusedError("has no battery.", where=self.profile.id)
        channel = {} if injection.channel is None else {"channel": injection.channel}
        self._record("fault", fault=injection.fault, **injection.settings, **channel)
        match injection.fault:
            case "delay":
                self.faults.delay_s = injection.settings["by_s"]
            case "corrupt":
                self.faults.corrupt_left = int(injection.settings["reports"])
            case "silence":
                self.faults.is_silent = True
            case "refuse":
                self.faults.refuses = True
            case "low_battery" if self.battery is not None:
                self.battery.charge_pct = injection.settings["charge_pct"]
            case "overheat":
                self._body.overheat()
            case "stall":
                self.faults.stalled.update(self.motors if injection.channel is None else [injection.channel])
            case "clear":
                self.faults.clear()
                self._body.recover()
        self._body.stalled = self.faults.stalled
        self._body.step(0.0)

    def record_link(self, *, is_connected: bool, count: int) -> None:
        """Record that a host came or went; nothing else happens."""
        self.catch_up()
        state = "connected" if is_connected else "disconnected"
        self._record("link", state=state, link=self.link_name, count=count)

    def record_speed(self) -> None:
        """Record that the clock runs at another speed from now on."""
        self._record("speed", speed=self.clock.speed)

    def state(self) -> dict[str, Any]:
        """Everything about the device that can be seen, as JSON can say it."""
        self.catch_up()
        return {
            "profile": self.profile.id,
            "serial": self.serial,
            "firmware": self.firmware,
            "t_s": round(self._body.now_s, 3),
            "speed": self.clock.speed,
            **self._body.state(),
            "faults": self.faults.as_dict(),
        }

    def _obey(self, heard: Received) -> None:
        match heard.command:
            case "set_level":
                self._set_level(str(heard.values["channel"]), int(heard.values["level"]))
            case "stop":
                for name in self.motors:
                    self._body.ask(name, 0)
            case "query_status":
                self._report("status", self._status())
            case "query_version":
                self._report("version", {"firmware": self.firmware})

    def _set_level(self, name: str, level: int) -> None:
        # The firmware takes whatever its protocol allows; holding it to the marketed range is the host's business.
        if name not in self.motors:
            reason = "names no channel of this device."
        elif level > self._highest_level or (self._levels.steps is not None and not self._levels.accepts(level)):
            reason = f"{level} is no level of this device."
        else:
            reason = self._body.ask(name, level)
        if reason:
            self._record("bad", hex="", reason=reason)

    def _status(self) -> dict[str, Value]:
        """What the status report says, field by field; a profile's frame carries those that it has.

        ``level`` is what the motor really does, not what was asked, because the report exists to confirm a command: an
        echo would call a stalled motor healthy and a coasting one stopped. ``running`` is the firmware's own view, so
        it also holds when the motor is asked to turn and does not. Only both together mean "at rest".
        """
        first = next(iter(self.motors.values()))
        values: dict[str, Value] = {
            "running": self.is_running,
            "level": round(first.actual_ppm * self._levels.full / first.full_ppm),
            "temperature_c": round(self._body.hottest_c),
        }
        if self.battery is not None:
            # Rounded up: "0 %" means empty and nothing else does.
            values["battery_pct"] = math.ceil(self.battery.charge_pct)
        return values

    def _report(self, name: ReportName, values: Mapping[str, Value]) -> None:
        if self.faults.is_silent:
            return
        try:
            data = self._codec.encode(name, values)
        except ValueRefusedError as problem:
            self._record("bad", hex="", reason=f"no {name} report: {problem}")
            return
        if data is None:
            return
        data = self.faults.spoil(data)
        # Behind a report that is still waiting no other overtakes.
        if self.faults.delay_s or self._delayed:
            self._delayed.append((self._body.now_s + self.faults.delay_s, data))
        else:
            self._transmit(data)

    def _transmit(self, data: bytes) -> None:
        self._record("tx", hex=spaced_hex(data), link=self.link_name)
        self.send(data)

    def _record(self, kind: str, **values: Any) -> None:
        if self._recorder is not None:
            self._recorder.record(kind, t_s=self._body.now_s, **values)


def _lose(_data: bytes) -> None:
    """Send to nobody: no adapter is there yet."""
