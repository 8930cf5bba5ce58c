"""Stop devices from outside: through the process that drives them, and then by connecting to them here."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterable
from contextlib import suppress

from controller.clock import SystemClock
from controller.devices import Device
from controller.errors import DeviceFaultError
from controller.events import Listener
from controller.safety import holds, latch
from controller.service import ownership
from controller.service.binding import Binding, bind_paired
from controller.stopping import STOP_BUDGET_S, StopResult
from controller.transports import open_url
from firmware_profiles.errors import PercussError

BY_A_PROCESS = "another process asked for it, such as `percuss stop`"

LET_GO_S = STOP_BUDGET_S + 2.0
"""Real seconds that the process which drives a device has to stop it and let go of it."""

LOOK_S = 0.02

SESSION_STOP = getattr(signal, "SIGUSR1", signal.SIGTERM)
"""What tells the service to stop its session and to live on; where there is no such signal, it ends with the session.

A signal, and not a request: it needs nothing of the doors, which may be flooded or stuck.
"""


def stop_sessions() -> set[int]:
    """Tell every process that drives something to stop; at once back. The processes that were told.

    Raises OSError when nobody can see who drives what.
    """
    told = holds.holders() - {os.getpid()}
    return {pid for pid in told if _tell(pid)}


async def stop_devices(bindings: Iterable[Binding], *, emit: Listener) -> dict[str, StopResult | PercussError]:
    """Stop devices, all at once; the result, or the error, by name. One failure hides no other.

    Whoever drives a device is told to stop it first, and when it has let go of it Stop is sent from here too, until the
    device confirms it.
    """
    targets = list(bindings)
    told = {pid for binding in targets if (pid := holds.holder(binding.url)) and pid != os.getpid() and _tell(pid)}
    results = await asyncio.gather(*(_stop(binding, is_driven=bool(told), emit=emit) for binding in targets))
    return {binding.name: result for binding, result in zip(targets, results, strict=True)}


async def stop_named(names: Iterable[str], *, emit: Listener) -> dict[str, StopResult | PercussError]:
    """The same for paired devices by name; one that cannot be understood keeps no other from being stopped."""
    bindings, unbound = list[Binding](), dict[str, StopResult | PercussError]()
    for name in names:
        try:
            bindings.append(bind_paired(name))
        except PercussError as problem:
            unbound[name] = problem
    return {**await stop_devices(bindings, emit=emit), **unbound}


async def _stop(binding: Binding, *, is_driven: bool, emit: Listener) -> StopResult | PercussError:
    if is_driven:
        with suppress(TimeoutError):
            async with asyncio.timeout(LET_GO_S):
                # It is another process: only looking tells.
                while holds.holder(binding.url) is not None:  # noqa: ASYNC110
                    await asyncio.sleep(LOOK_S)
    device: Device | None = None
    try:
        # Whoever answers at that address is stopped: a stop asks for no identity, and takes no port for itself alone.
        transport = open_url(binding.url, binding.profile, is_exclusive=False)
        device = Device(binding.name, binding.profile, transport, clock=SystemClock(), emit=emit)
        await device.connect()  # nothing is asked: what does not answer is stopped all the same
        return await device.stop()
    except DeviceFaultError as problem:
        # It is there, and something went wrong before Stop: from here on Stop goes first, on new links.
        result = await device.stop() if device is not None else None
        return result if result is not None and result.proof != "unconfirmed" else problem
    except PercussError as problem:
        return problem
    except Exception as problem:  # noqa: BLE001 - whatever it is, it keeps no other device from being stopped
        return DeviceFaultError(f"cannot be stopped from here ({problem!r}).", where=binding.name)
    finally:
        if device is not None:
            with suppress(Exception):
                await device.close()


def _tell(pid: int) -> bool:
    try:
        os.kill(pid, SESSION_STOP if pid == ownership.service_pid() else signal.SIGTERM)
    except OSError:
        return False
    return True


def engage() -> None:
    """Keep everything from starting until `clear`. Raises RefusedError when that cannot be written down."""
    latch.engage()


def is_engaged() -> bool:
    """Whether nothing may start."""
    return latch.engaged() is not None


def clear() -> latch.EmergencyStop | None:
    """Let things start again, on purpose; the stop that kept them from it, None when nothing did."""
    return latch.clear()
