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
from simulators.clock import SimClock
from simulators.faults import FaultRefusedError, Faults, Injection
from simulators.motor import AMBIENT_C, CUT_OUT_C, Battery, Motor
from simulators.recorder import Recorder, spaced_hex

STEP_S = 0.1
"""The physics' step while something turns, in simulated seconds."""

RECORD_EVERY_S = 0.5
"""A motor that turns is recorded at least this often, in simulated seconds."""

MAX_DELAYED_REPORTS = 1000
"""A host that keeps asking a device that answers late must not fill the memory."""

_NO_REPORTS: Callable[[bytes], None] = lambda _data: None  # noqa: E731  until an adapter is there, nobody listens


class _ChannelState:
    """One motor with what was asked of it, and what of it was recorded last."""

    def __init__(self, motor: Motor) -> None:
        self.motor = motor
        self.level = 0
        self.recorded: tuple[int, int] = (0, 0)
        self.recorded_at_s = -math.inf


class SimulatedDevice:
    """The firmware of a profile over simulated motors, at the time of ``clock``.

    `receive` takes what the host writes; ``send`` is called with what the device says, and an adapter sets it. The
    owner calls `catch_up` often (or `process`, to step the time by hand). Losing the link changes nothing: like the
    real devices, it goes on with the last thing it was told.
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
        self.send: Callable[[bytes], None] = _NO_REPORTS
        self._recorder = recorder
        self._codec = FirmwareCodec(profile)
        self._levels = profile.level.levels()
        self._highest_level = profile.level.protocol_max or self._levels.full
        full_ppm = float(self._levels.ppm(self._levels.full))
        behaviour = profile.simulator
        self._channels = {name: _ChannelState(Motor(behaviour.spin_up_s, full_ppm)) for name in profile.channels}
        self.battery = Battery(behaviour.battery_life_s) if behaviour.battery_life_s else None
        self._auto_off_s = behaviour.auto_off_s
        self._running_s = 0.0
        self._now_s = clock.now()
        self._delayed: deque[tuple[float, bytes]] = deque(maxlen=MAX_DELAYED_REPORTS)

    @property
    def motors(self) -> Mapping[str, Motor]:
        """The motors by channel."""
        return {name: channel.motor for name, channel in self._channels.items()}

    @property
    def is_running(self) -> bool:
        """Whether anything turns or is asked to."""
        return any(channel.motor.turns or channel.level for channel in self._channels.values())

    def start(self) -> None:
        """Record who this is and that every motor stands still."""
        speed = self.clock.speed
        self._record("start", profile=self.profile.id, serial=self.serial, firmware=self.firmware, speed=speed)
        for name, channel in self._channels.items():
            self._record_motor(name, channel)

    def end(self) -> None:
        """Record what the motors did last."""
        self.catch_up()
        last = {
            name: {"ppm": round(channel.motor.actual_ppm), "level": channel.level}
            for name, channel in self._channels.items()
        }
        self._record("end", channels=last)

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
        self.process(self.clock.now() - self._now_s)

    def process(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass, in steps that time the cut-out, the battery and the record finely enough."""
        end_s = self._now_s + dt_s
        while self._now_s < end_s:
            # At rest only slow exponentials go on, and those are exact in one step of any length.
            left_s = end_s - self._now_s
            step_s = min(STEP_S, left_s) if self.is_running else left_s
            self._now_s = end_s if step_s == left_s else self._now_s + step_s
            self._step(step_s)
        while self._delayed and self._delayed[0][0] <= self._now_s:
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
        names = list(self._channels) if injection.channel is None else [injection.channel]
        faults = self.faults
        match injection.fault:
            case "delay":
                faults.delay_s = injection.settings["by_s"]
            case "corrupt":
                faults.corrupt_left = int(injection.settings["reports"])
            case "silence":
                faults.is_silent = True
            case "refuse":
                faults.refuses = True
            case "low_battery" if self.battery is not None:
                self.battery.charge_pct = injection.settings["charge_pct"]
            case "overheat":
                for motor in self.motors.values():
                    motor.winding_c = CUT_OUT_C
            case "stall":
                faults.stalled.update(names)
            case "clear":
                self._clear_faults()
        self._step(0.0)

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
        channels = {
            name: {
                "level_asked": channel.level,
                "ppm": round(channel.motor.actual_ppm, 1),
                "temperature_c": round(channel.motor.winding_c, 1),
                "stalled": channel.motor.is_stalled,
                "cut_out": channel.motor.is_cut_out,
            }
            for name, channel in self._channels.items()
        }
        return {
            "profile": self.profile.id,
            "serial": self.serial,
            "firmware": self.firmware,
            "t_s": round(self._now_s, 3),
            "speed": self.clock.speed,
            "running": self.is_running,
            "battery_pct": None if self.battery is None else round(self.battery.charge_pct, 2),
            "temperature_c": round(self._hottest_c(), 1),
            "stalled": any(motor.is_stalled for motor in self.motors.values()),
            "channels": channels,
            "faults": self.faults.as_dict(),
        }

    def _obey(self, heard: Received) -> None:
        match heard.command:
            case "set_level":
                self._set_level(str(heard.values["channel"]), int(heard.values["level"]))
            case "stop":
                for name in self._channels:
                    self._set_level(name, 0)
            case "query_status":
                self._report("status", self._status())
            case "query_version":
                self._report("version", {"firmware": self.firmware})

    def _set_level(self, name: str, level: int) -> None:
        channel = self._channels.get(name)
        if channel is None:
            self._record("bad", hex="", reason="names no channel of this device.")
            return
        # The firmware takes whatever its protocol allows; holding it to the marketed range is the host's business.
        if level > self._highest_level or (self._levels.steps is not None and not self._levels.accepts(level)):
            self._record("bad", hex="", reason=f"{level} is no level of this device.")
            return
        is_empty = self.battery is not None and self.battery.is_empty
        if (level and is_empty) or not channel.motor.ask(float(self._levels.ppm(level))):
            reason = "the battery is empty." if is_empty else "the thermal switch is open."
            self._record("bad", hex="", reason=reason)
            return
        channel.level = level
        self._record_motor(name, channel)

    def _step(self, dt_s: float) -> None:
        """One step of everything, then of the record."""
        # Battery first: the motors' load is what was drawn since the last step.
        if self.battery is not None:
            self.battery.process(dt_s, sum(motor.load for motor in self.motors.values()) / len(self._channels))
        self._running_s = self._running_s + dt_s if self.is_running else 0.0
        self._switch_off_where_due()
        for name, channel in self._channels.items():
            motor = channel.motor
            motor.is_stalled = name in self.faults.stalled
            was_cut_out = motor.is_cut_out
            motor.process(dt_s)
            if motor.is_cut_out and not was_cut_out:
                self._record("fault", fault="cut_out", channel=name, temperature_c=round(motor.winding_c, 1))
                channel.level = 0
            is_due = motor.turns and self._now_s - channel.recorded_at_s >= RECORD_EVERY_S - 1e-9
            if is_due or channel.recorded != (round(motor.actual_ppm), channel.level):
                self._record_motor(name, channel)

    def _switch_off_where_due(self) -> None:
        reason = ""
        if self.battery is not None and self.battery.is_empty:
            reason = "battery_empty"
        elif self._auto_off_s is not None and self._running_s >= self._auto_off_s:
            reason = "auto_off"
        if not reason or not any(channel.level for channel in self._channels.values()):
            return
        self._record("fault", fault=reason)
        for channel in self._channels.values():
            channel.motor.ask(0.0)
            channel.level = 0

    def _clear_faults(self) -> None:
        self.faults.clear()
        for motor in self.motors.values():
            if motor.is_cut_out:
                motor.winding_c = AMBIENT_C
        if self.battery is not None:
            self.battery.charge_pct = 100.0

    def _status(self) -> dict[str, Value]:
        """What the status report says, field by field; a profile's frame carries those that it has.

        ``level`` is what the motor really does, not what was asked, because the report exists to confirm a command: an
        echo would call a stalled motor healthy and a coasting one stopped. ``running`` is the firmware's own view, so
        it also holds when the motor is asked to turn and does not. Only both together mean "at rest".
        """
        first = next(iter(self._channels.values()))
        values: dict[str, Value] = {
            "running": self.is_running,
            "level": round(first.motor.actual_ppm * self._levels.full / first.motor.full_ppm),
            "temperature_c": round(self._hottest_c()),
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
            self._delayed.append((self._now_s + self.faults.delay_s, data))
        else:
            self._transmit(data)

    def _transmit(self, data: bytes) -> None:
        self._record("tx", hex=spaced_hex(data), link=self.link_name)
        self.send(data)

    def _hottest_c(self) -> float:
        return max(motor.winding_c for motor in self.motors.values())

    def _record_motor(self, name: str, channel: _ChannelState) -> None:
        ppm = round(channel.motor.actual_ppm)
        channel.recorded, channel.recorded_at_s = (ppm, channel.level), self._now_s
        self._record("motor", channel=name, ppm=ppm, level=channel.level)

    def _record(self, kind: str, **values: Any) -> None:
        if self._recorder is not None:
            self._recorder.record(kind, t_s=self._now_s, **values)
