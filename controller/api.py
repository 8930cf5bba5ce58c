"""percuss from Python: look for devices, pair one, run a session, hear what happens, stop. The command line uses this.

::

    async with api.session("piriformis-release", massager="elite") as session:
        async for event in session.events():
            print(event)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

from controller.errors import RefusedError
from controller.registry import PairedDevice, Registry
from controller.service import emergency, pairing, scanning, simulation
from controller.service.binding import Binding, bind_paired, bind_simulator, told_apart
from controller.service.live import LiveSession
from controller.service.pairing import Paired
from controller.service.running import Plan, Preparation, Wishes, plan_for, running_session
from controller.service.scanning import Found, ScanResult
from controller.service.simulation import Simulator
from controller.sessions import Request
from controller.stopping import StopResult
from firmware_profiles.capabilities import Role, Side
from firmware_profiles.errors import PercussError
from routines import planner
from routines.library import find_routine
from routines.loader import Routine
from routines.script import parse_routine_text
from routines.timeline import Timeline

__all__ = [
    "Device",
    "LiveSession",
    "Request",
    "Routine",
    "Simulator",
    "What",
    "devices",
    "hold",
    "pair",
    "plan",
    "routine",
    "scan",
    "script",
    "session",
    "simulator",
    "stop",
]

Device = str | Simulator | Binding
"""The name of a paired device, or a simulator."""

What = str | Routine | Plan
"""The name of a routine or the path of its file; or what `routine`, `script` or `hold` gives."""


async def scan(for_s: float = 5.0, *, adapter: str | None = None) -> ScanResult:
    """Look around for so many real seconds: ``found`` is what is there, ``problems`` what could not be searched.

    ``adapter`` is a Bluetooth adapter; without one everything is searched.
    """
    return await scanning.scan(for_s, adapter=adapter)


async def pair(
    target: str | Found | None = None,
    *,
    name: str | None = None,
    profile: str | None = None,
    parameters: Mapping[str, str] | None = None,
    adapter: str | None = None,
) -> Paired:
    """Connect to a device, see that it stops, and remember it under ``name``.

    ``target`` is something that `scan` found, or a URL, address or name to look for; without one it is the only device
    that is found. A serial port needs a ``profile``; with one, a URL is not looked for. Raises MatchError,
    TransportError, DeviceFaultError, StopUnconfirmedError and RegistryError; nothing is remembered then.
    """
    chosen = await pairing.look_for(target, profile_id=profile, adapter=adapter)
    return await pairing.pair(
        chosen.url, chosen.profile, name=name or chosen.name, emit=lambda _: None, parameters=parameters
    )


def devices() -> dict[str, PairedDevice]:
    """The paired devices by name. Raises RegistryError."""
    return dict(Registry().devices())


async def stop(name: str) -> StopResult:
    """Stop a paired device that another process drives, or nobody; ``proof`` says whether it confirmed.

    Raises DeviceNotFoundError, RegistryError and TransportError.
    """
    result = (await emergency.stop_devices([bind_paired(name)], emit=lambda _: None))[name]
    if isinstance(result, PercussError):
        raise result
    return result


def simulator(profile: str, *, speed: float = 1.0) -> AbstractAsyncContextManager[Simulator]:
    """Run a simulator of a profile for a block, as a process of its own whose time runs ``speed`` times as fast.

    Raises DeviceNotFoundError when it does not start.
    """
    return simulation.started_simulator(profile, speed=speed)


def routine(name_or_path: str) -> Routine:
    """The routine with this name, or in this file. Raises RoutineError, and PlanRefusedError for a refused place."""
    return find_routine(name_or_path)


def script(text: str) -> Routine:
    """The routine that a script says, such as ``calves:each 40% 45s; rest 10s``, or the text of a routine's file.

    Raises RoutineError, and PlanRefusedError for a refused place.
    """
    return parse_routine_text(text.encode())


def hold(percent: float, duration_s: float, *, region: str | None = None, side: Side | None = None) -> Plan:
    """One intensity for some seconds. Without a ``region``, for simulators only, the strictest limits of all hold."""
    return lambda devices, bounds: planner.plan_hold(
        percent, duration_s, devices, region=region, side=side, bounds=bounds
    )


def plan(
    what: What, *, massager: Device | None = None, massager2: Device | None = None, timer: Device | None = None
) -> Timeline:
    """What `session` would run now, screening aside. Nothing is connected. Raises as `session` does."""
    return plan_for(_plan_of(what), _bindings(massager, massager2, timer))


def session(
    what: What,
    *,
    massager: Device | None = None,
    massager2: Device | None = None,
    timer: Device | None = None,
    speed: float = 1.0,
    pain_before: int | None = None,
    asks_pain: bool = False,
    waits_for_key: bool = False,
    can_be_resumed: bool = False,
    tell: Callable[[Preparation], None] = lambda _: None,
) -> AbstractAsyncContextManager[LiveSession]:
    """Connect, and run a routine for a block; with no device it is a guided timer.

    Leaving the block stops the session where it has not ended, and waits until the motor's stop is confirmed. Nobody
    may block the event loop meanwhile: after 1.2 s the guardian takes the program for hung, ends it and stops the
    motor. ``speed`` is for simulators. ``pain_before``, 0 to 10, is how much it hurts. ``asks_pain`` lets the session
    wait for answers before and after, ``waits_for_key`` for `Request.RESUME` at each place, and ``can_be_resumed`` for
    the same after a lost link came back. ``tell`` hears of sessions that were left over, and of the plan, before
    anything is connected.

    Raises RoutineError, PlanRefusedError, RefusedError (the emergency stop, no valid screening), RegistryError,
    JournalError, GuardianError, TransportError, IdentityError and DeviceFaultError on entering: nothing has moved
    then. Leaving raises StopUnconfirmedError: press the button of the device.
    """
    wishes = Wishes(
        speed=speed,
        waits_for_key=waits_for_key,
        can_be_resumed=can_be_resumed,
        asks_pain=asks_pain,
        pain_before=pain_before,
    )
    return running_session(_plan_of(what), _bindings(massager, massager2, timer), wishes=wishes, tell=tell)


def _plan_of(what: What) -> Plan:
    if callable(what):
        return what
    chosen = find_routine(what) if isinstance(what, str) else what
    return lambda devices, bounds: planner.plan(chosen, devices, bounds)


def _bindings(massager: Device | None, massager2: Device | None, timer: Device | None) -> dict[Role, Binding]:
    if massager is None and massager2 is not None:
        raise RefusedError("there is a second massager and no first.", fix="Bind it as the massager.")
    given: dict[Role, Device | None] = {"massager": massager, "massager2": massager2, "timer": timer}
    return told_apart({role: _bind(device) for role, device in given.items() if device is not None})


def _bind(device: Device) -> Binding:
    match device:
        case Binding():
            return device
        case Simulator():
            return bind_simulator(device)
        case _:
            return bind_paired(device)
