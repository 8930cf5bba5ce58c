"""Put a simulator together from what the command line says, and run it until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from firmware_profiles.errors import FileError, PercussError
from firmware_profiles.schema import Profile
from simulators.adapters import Adapter
from simulators.announcement import Announcement
from simulators.clock import ManualClock, RunningClock
from simulators.device import SimulatedDevice
from simulators.recorder import Recorder, RecordFile
from simulators.run import Simulation

Link = Literal["ble", "pty", "tcp"]

MAX_HOSTS_ON_A_LINE = 8


@dataclass(frozen=True, slots=True)
class Settings:
    """What to simulate and how. ``link`` None: what the profile speaks, Bluetooth first.

    ``parameters`` are what this one device has instead of the profile's defaults, such as its PIN.
    """

    profile: Profile
    link: Link | None = None
    port: int = 0
    link_path: Path | None = None
    wire_time: bool = False
    name: str | None = None
    address: str | None = None
    serial: str = "SIM-0001"
    firmware: str | None = None
    speed: float = 1.0
    clock: Literal["real", "manual"] = "real"
    record: Path | None = None
    seed: int = 0
    max_connections: int | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    until_stdin_closes: bool = False

    @property
    def chosen_link(self) -> Link:
        """The link to use. Raises PercussError when the device does not speak it, or an option is not for it."""
        speaks_ble = self.profile.ble is not None
        link: Link = self.link or ("ble" if speaks_ble else "pty")
        if (self.profile.ble if link == "ble" else self.profile.serial) is None:
            speaks, fix = ("Bluetooth LE", "Use --ble.") if speaks_ble else ("a serial line", "Use --pty or --tcp.")
            raise PercussError(f"speaks {speaks}, so there is no --{link}.", where=self.profile.id, fix=fix)
        misplaced = {
            "--link": self.link_path is not None and link != "pty",
            "--port": self.port != 0 and link == "pty",
            "--address": self.address is not None and link != "ble",
            "--wire-time": self.wire_time and link == "ble",
        }
        for option in [option for option, is_misplaced in misplaced.items() if is_misplaced]:
            raise PercussError(f"{option} means nothing with --{link}.", where=self.profile.id)
        if self.clock == "manual" and self.speed != 1.0:
            raise PercussError("a manual clock has no --speed.", where=self.profile.id)
        return link

    @property
    def chosen_max_connections(self) -> int:
        """How many hosts it bears at a time. A line over TCP is no radio: there the profile says nothing."""
        if self.max_connections is not None:
            return self.max_connections
        return self.profile.simulator.max_connections if self.chosen_link == "ble" else MAX_HOSTS_ON_A_LINE

    @property
    def chosen_name(self) -> str:
        """What the device calls itself."""
        return self.name or self.profile.simulator.advertised_name or self.profile.name


async def serve(settings: Settings, on_ready: Callable[[dict[str, Any]], None], say: Callable[[str], None]) -> None:
    """Run a simulator until a signal, the control socket or a closed stdin ends it.

    ``on_ready`` gets the facts that the ready line shows. Raises PercussError when it cannot start.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    link = settings.chosen_link
    clock = ManualClock() if settings.clock == "manual" else RunningClock(settings.speed)
    announcement = Announcement()
    with contextlib.ExitStack() as stack:
        recorder = None
        if settings.record is not None:
            recorder = Recorder(stack.enter_context(contextlib.closing(_record_file(settings.record))), clock)
        device = SimulatedDevice(
            settings.profile,
            clock=clock,
            recorder=recorder,
            firmware=settings.firmware,
            serial=settings.serial,
            seed=settings.seed,
            over="ble" if link == "ble" else "serial",
            remembers=settings.parameters,
        )
        device.link_name = link
        simulation = Simulation(device, clock, on_change=lambda: _announce(announcement, facts(), say))

        def facts() -> dict[str, Any]:
            return _facts(settings, simulation, clock)

        stack.enter_context(_ended_by_signals(simulation.stop))
        adapter = _adapter(settings, link, device, simulation)
        try:
            await simulation.start(adapter)
        except OSError as problem:
            reason = problem.strerror or str(problem)
            raise PercussError(f"cannot start: {reason}.", where=f"--{link}") from problem
        try:
            if settings.until_stdin_closes:
                await _stop_when_stdin_closes(simulation.stop)
            on_ready(facts())
            await simulation.run()
        finally:
            announcement.remove()
            await simulation.close()
            say(_last_words(device))


def _adapter(settings: Settings, link: Link, device: SimulatedDevice, simulation: Simulation) -> Adapter:
    serial = settings.profile.serial
    baud = serial.baud if serial is not None and settings.wire_time else None
    if link == "pty":
        from simulators.adapters.pty import PtyAdapter

        return PtyAdapter(simulation.receive, link=settings.link_path, baud=baud)
    if link == "tcp":
        from simulators.adapters.tcp import TcpAdapter

        return TcpAdapter(
            simulation.receive, port=settings.port, max_connections=settings.chosen_max_connections, baud=baud
        )
    try:
        from simulators.adapters.ble import DEFAULT_ADDRESS, BleAdapter
    except ModuleNotFoundError as problem:
        if (problem.name or "").partition(".")[0] != "bumble":
            raise
        raise PercussError(
            "virtual Bluetooth needs bumble, which is not installed.", fix="Install percuss[sim]."
        ) from problem
    return BleAdapter(
        simulation.receive,
        settings.profile,
        name=settings.chosen_name,
        address=settings.address or DEFAULT_ADDRESS,
        port=settings.port,
        serial=settings.serial,
        firmware=device.firmware,
        max_connections=settings.chosen_max_connections,
    )


def _record_file(path: Path) -> RecordFile:
    try:
        return RecordFile(path)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise FileError(f"cannot be written: {reason}.", path=path, key="--record") from problem


def _facts(settings: Settings, simulation: Simulation, clock: RunningClock | ManualClock) -> dict[str, Any]:
    """What the ready line says."""
    return {
        "ready": True,
        "profile": settings.profile.id,
        "name": settings.chosen_name,
        "url": simulation.url,
        "control": simulation.control.address,
        "token": simulation.control.token,
        "record": None if settings.record is None else str(settings.record.resolve()),
        "pid": os.getpid(),
        # What the host's clock has to be multiplied by; a manual clock gives no answer to that.
        "speed": clock.speed or 1.0,
    }


def _announce(announcement: Announcement, facts: dict[str, Any], say: Callable[[str], None]) -> None:
    public = {key: value for key, value in facts.items() if key != "token"}
    try:
        announcement.write(public)
    except OSError as problem:
        say(f"`percuss scan` will not find this simulator: {announcement.path}: {problem.strerror or problem}")


@contextlib.contextmanager
def _ended_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    for name in names:
        # Windows has no signal handlers in the loop: there Ctrl-C arrives as KeyboardInterrupt.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(getattr(signal, name), stop)
    try:
        yield
    finally:
        for name in names:
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(getattr(signal, name))


class _StdinWatch(asyncio.Protocol):
    """Ends the simulator when whoever holds the other end of the pipe goes, however that happens."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()


async def _stop_when_stdin_closes(stop: Callable[[], None]) -> None:
    # Not a pipe (a file, /dev/null): nothing will ever close it.
    with contextlib.suppress(ValueError, OSError):
        await asyncio.get_running_loop().connect_read_pipe(lambda: _StdinWatch(stop), sys.stdin)


def _last_words(device: SimulatedDevice) -> str:
    turning = [
        f"{name} at {round(motor.actual_ppm)} ppm" for name, motor in device.motors.items() if motor.actual_ppm > 0
    ]
    if not turning:
        return "The simulator has ended. Every motor stood still."
    return f"The simulator has ended while a motor was turning: {', '.join(turning)}."
