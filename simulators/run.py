"""A simulator as a process: a device, the adapter that carries its bytes, its clock, its record and its controls."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from firmware_profiles.errors import PercussError
from firmware_profiles.schema import Profile
from simulators.adapters import Adapter, Receive
from simulators.announcement import Announcement
from simulators.clock import ManualClock, RunningClock
from simulators.control import ControlSocket
from simulators.device import SimulatedDevice
from simulators.faults import check_injection
from simulators.recorder import Recorder, RecordFile

TICK_S = 0.02
"""Real seconds between two looks at the clock: the motors' own steps are finer and do not depend on it."""

DEFAULT_ADDRESS = "F0:F1:C2:00:00:01"

Link = Literal["ble", "pty", "tcp"]


@dataclass(frozen=True, slots=True)
class Options:
    """What to simulate and how to reach it. ``speed`` 0 is a manual clock."""

    profile: Profile
    link: Link
    port: int = 0
    symlink: Path | None = None
    name: str | None = None
    address: str = DEFAULT_ADDRESS
    serial: str = "SIM-0001"
    firmware: str | None = None
    speed: float = 1.0
    record: Path | None = None
    seed: int = 0
    max_connections: int = 8
    ends_with_stdin: bool = False


class BleAdapter:
    """A device on a virtual air of its own, as an `Adapter`."""

    def __init__(self, receive: Receive, options: Options, device: SimulatedDevice) -> None:
        try:
            from simulators.adapters.ble import BleAir, BlePeripheral
        except ImportError as problem:
            advice = "pip install 'percuss[sim]'"
            raise PercussError("virtual Bluetooth needs bumble.", where="--ble", fix=advice) from problem

        def write(data: bytes) -> None:
            if not receive(data):
                raise PercussError("the device refuses the write.")

        self._air = BleAir(options.port)
        self._make: Callable[[], BlePeripheral] = lambda: BlePeripheral(
            self._air,
            options.profile,
            name=_name(options),
            address=options.address,
            on_write=write,
            serial=device.serial,
            firmware=device.firmware,
            max_connections=options.max_connections,
            bond=options.profile.ble is not None and options.profile.ble.bond,
        )
        self._address = options.address
        self._peripheral: BlePeripheral | None = None

    @property
    def url(self) -> str:
        """The URL that a session opens: the address, and the radio on which it is heard."""
        return f"ble://{self._address}?hci={self._air.moniker}"

    @property
    def connection_count(self) -> int:
        """How many hosts are connected now."""
        return self._peripheral.connection_count if self._peripheral is not None else 0

    async def start(self) -> None:
        """Open the air and advertise."""
        await self._air.start()
        self._peripheral = self._make()
        await self._peripheral.start()

    def send(self, data: bytes) -> None:
        """Notify every connected host."""
        if self._peripheral is not None:
            self._peripheral.notify(data)

    async def drop_link(self, for_s: float) -> None:
        """Disconnect everybody and be unreachable for a while."""
        if self._peripheral is not None:
            await self._peripheral.drop_link(for_s)

    async def close(self) -> None:
        """Leave the air and end it."""
        if self._peripheral is not None:
            await self._peripheral.close()
        await self._air.close()


class Simulator:
    """One device with everything around it."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._clock: RunningClock | ManualClock = RunningClock(options.speed) if options.speed else ManualClock()
        try:
            self._record = RecordFile(options.record) if options.record is not None else None
        except OSError as problem:
            raise PercussError(
                f"cannot be written ({problem.strerror}).", where=f"--record {options.record}"
            ) from problem
        self.device = SimulatedDevice(
            options.profile,
            clock=self._clock,
            recorder=Recorder(self._record, self._clock) if self._record is not None else None,
            firmware=options.firmware,
            serial=options.serial,
            seed=options.seed,
        )
        self._adapter = _adapter(options, self.device)
        self._control = ControlSocket(self._answer)
        self._announcement = Announcement()
        self._end = asyncio.Event()

    async def run(self, ready: Callable[[dict[str, Any]], None]) -> None:
        """Be the device until a signal, ``quit``, or the end of stdin. ``ready`` gets the facts when it can be reached.

        Raises PercussError when it cannot be reached at all.
        """
        self.device.send = self._adapter.send
        try:
            await self._adapter.start()
        except OSError as problem:
            what = f"cannot be reached there ({problem.strerror or problem})."
            raise PercussError(what, where=self._options.profile.id, fix="Choose another --port.") from problem
        await self._control.start()
        facts = self._facts()
        self.device.start()
        ticking = asyncio.create_task(self._tick())
        try:
            with suppress(OSError):  # without it, a scan just does not find this simulator by itself
                self._announcement.write(facts)
            with self._ended_by_signals():
                if self._options.ends_with_stdin:
                    self._end_with_stdin()
                ready({**facts, "control": self._control.address, "token": self._control.token})
                await self._end.wait()
        finally:
            ticking.cancel()
            self._announcement.remove()
            self.device.end()
            await self._control.close()
            await self._adapter.close()
            if self._record is not None:
                self._record.close()

    def _facts(self) -> dict[str, Any]:
        record = self._options.record
        return {
            "ready": True,
            "profile": self._options.profile.id,
            "name": _name(self._options),
            "url": self._adapter.url,
            "record": str(record.resolve()) if record is not None else None,
            "pid": os.getpid(),
            "speed": self._clock.speed,
        }

    async def _tick(self) -> None:
        """Let the device's time pass, and record who comes and goes."""
        count = self._adapter.connection_count
        while True:
            await asyncio.sleep(TICK_S)
            self.device.catch_up()
            now = self._adapter.connection_count
            if now != count:
                self.device.record_link(is_connected=now > count, count=now)
                count = now

    async def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what a request on the control socket asks. Raises PercussError, with nothing changed."""
        do = request.pop("do", None)
        match do:
            case "state":
                return {"state": self.device.state()}
            case "quit":
                self._end.set()
            case "speed":
                self._change_speed(request.get("factor"))
            case "advance":
                self._advance(request.get("by_s"))
            case "inject":
                injection = check_injection(request, list(self._options.profile.channels))
                self.device.inject(injection)
                if injection.fault == "drop_link":
                    await self._adapter.drop_link(injection.settings["for_s"])
            case _:
                raise PercussError(
                    f"{str(do)[:40]!r} is nothing to do.", fix="Known: state, speed, advance, inject, quit."
                )
        return {}

    def _change_speed(self, factor: object) -> None:
        if not isinstance(self._clock, RunningClock):
            raise PercussError("a manual clock has no speed.", fix="Use advance.")
        if isinstance(factor, bool) or not isinstance(factor, int | float):
            raise PercussError("factor must be a number.")
        self.device.catch_up()
        try:
            self._clock.speed = float(factor)
        except ValueError as problem:
            raise PercussError(str(problem)) from problem
        self.device.record_speed()

    def _advance(self, by_s: object) -> None:
        if not isinstance(self._clock, ManualClock):
            raise PercussError("this clock runs by itself.", fix="Start with --clock manual, or use speed.")
        if isinstance(by_s, bool) or not isinstance(by_s, int | float) or not 0 <= by_s <= 86400:
            raise PercussError("by_s must be a number of seconds up to a day.")
        self._clock.advance(float(by_s))
        self.device.catch_up()

    @contextmanager
    def _ended_by_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        before = {}
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, lambda *_: loop.call_soon_threadsafe(self._end.set))
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _end_with_stdin(self) -> None:
        """End when the process that started this one is gone, however it went."""
        loop = asyncio.get_running_loop()

        def wait() -> None:
            # os.read and not sys.stdin: its lock would block the end of the interpreter.
            with suppress(OSError):
                while os.read(0, 1024):
                    pass
            with suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(self._end.set)

        threading.Thread(target=wait, daemon=True).start()


def default_link(profile: Profile) -> Link:
    """How a device of this profile is reached unless said otherwise."""
    if profile.ble is not None:
        return "ble"
    return "tcp" if sys.platform == "win32" else "pty"


def _adapter(options: Options, device: SimulatedDevice) -> Adapter:
    if (options.link == "ble") != (options.profile.ble is not None):
        speaks = "Bluetooth LE: use --ble" if options.profile.ble is not None else "serial: use --pty or --tcp"
        raise PercussError(f"speaks {speaks}.", where=options.profile.id)
    if options.link == "ble":
        return BleAdapter(device.receive, options, device)
    from simulators.adapters.pty import PtyAdapter
    from simulators.adapters.tcp import TcpAdapter

    if options.link == "pty":
        return PtyAdapter(device.receive, link=options.symlink)
    return TcpAdapter(device.receive, port=options.port, max_connections=options.max_connections)


def _name(options: Options) -> str:
    return options.name or options.profile.simulator.advertised_name or options.profile.id
