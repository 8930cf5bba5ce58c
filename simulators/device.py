"""A device that is not there: bytes in, motors that turn, bytes out. No I/O; an adapter carries the bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from firmware_profiles.commands import BadFrame
from firmware_profiles.errors import ValueRefusedError
from firmware_profiles.firmware import FirmwareCodec, Received
from firmware_profiles.links import Link
from firmware_profiles.schema import Profile
from simulators.body import Body
from simulators.clock import SimClock
from simulators.faults import FaultRefusedError, Faults, Injection
from simulators.firmware import Firmware
from simulators.handshake import Handshake
from simulators.motor import Battery, Motor
from simulators.recorder import Recorder, spaced_hex
from simulators.reports import Words
from simulators.timers import TOLERANCE_S

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
        over: Link | None = None,
        remembers: Mapping[str, str] | None = None,
    ) -> None:
        self.profile = profile
        self.clock = clock
        self.serial = serial
        self.firmware = firmware if firmware is not None else profile.simulator.firmware
        self.faults = Faults(seed)
        self.link_name: str = over or ("serial" if profile.ble is None else "ble")
        self.send: Callable[[bytes], None] = _lose
        self._recorder = recorder
        self._codec = FirmwareCodec(profile, over)
        self._handshake = Handshake(profile, over, remembers or {})
        self._body = Body(profile, clock.now(), self._record)
        self._habits = Firmware(profile, self._body, clock, self._record, self._report)
        self._words = Words(profile, self._body, self._habits, self.firmware)
        for values in self._words.of("version"):
            self._codec.encode("version", values)
        self._has_host = False
        self._status_count = 0
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
        if self._handshake.wakes(data):
            self._greet()
            return True
        for heard in self._codec.feed(data):
            if isinstance(heard, BadFrame):
                self._record("bad", hex=spaced_hex(heard.data), reason=heard.reason)
            else:
                self._take(heard)
        return True

    def catch_up(self) -> None:
        """Let the time pass that the clock says has passed."""
        self._run_until(self.clock.now())

    def process(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self._run_until(self._body.now_s + dt_s)

    def inject(self, injection: Injection) -> None:
        """Make something go wrong, or well again. Raises FaultRefusedError where this device cannot have the fault.

        ``drop_link`` is only recorded here: the link belongs to the adapter.
        """
        self.catch_up()
        if injection.fault == "low_battery" and self.battery is None:
            raise FaultRefusedError("has no battery.", where=self.profile.id)
        if injection.fault in {"stall", "overheat"} and not self.motors:
            raise FaultRefusedError("has no motor.", where=self.profile.id)
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
        """Record that a host came or went. The motors do not care; with the last host its init is forgotten."""
        self.catch_up()
        state = "connected" if is_connected else "disconnected"
        self._record("link", state=state, link=self.link_name, count=count)
        self._has_host = count > 0
        if not self._has_host:
            self._handshake.forget()
            self._habits.say_goodbye()
        self._greet()

    def _greet(self) -> None:
        if self._has_host and self._handshake.is_over:
            self._habits.greet()

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
            **self._habits.timers(),
            "listens": self._handshake.is_over,
            "faults": self.faults.as_dict(),
        }

    def _run_until(self, end_s: float) -> None:
        """Let time pass from one thing that the device does by itself to the next."""
        while True:
            due_s = self._habits.due_s()
            late_s = self._delayed[0][0] if self._delayed else None
            next_s = min((at_s for at_s in (due_s, late_s) if at_s is not None), default=end_s)
            self._body.run_until(min(max(next_s, self._body.now_s), end_s))
            while self._delayed and self._delayed[0][0] <= self._body.now_s:
                self._transmit(self._delayed.popleft()[1])
            if next_s > end_s:
                return
            if due_s is not None and due_s <= self._body.now_s + TOLERANCE_S:
                self._habits.act()
            elif next_s >= end_s:
                return

    def _take(self, heard: Received) -> None:
        verdict = self._handshake.judge(heard)
        if verdict.reason:
            self._record("bad", hex="", reason=f"{heard.command}: {verdict.reason}")
        if verdict.obeys:
            self._habits.obey(heard)
        if verdict.answer is not None:
            self._report(verdict.answer, heard.values)
        self._greet()

    def _report(self, name: str, heard: Mapping[str, Any] | None = None) -> None:
        if self.faults.is_silent:
            return
        variant = 0
        if name == "status" and self.profile.simulator.rotates_status:
            variant, self._status_count = self._status_count, self._status_count + 1
        data, refused = None, ""
        for values in self._words.of(name, heard or {}):
            try:
                data = self._codec.encode(name, values, variant)
                break
            except ValueRefusedError as problem:
                refused = refused or f"no {name} report: {problem}"
        else:
            self._record("bad", hex="", reason=refused)
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
