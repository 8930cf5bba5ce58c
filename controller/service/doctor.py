"""What is wrong with this computer as far as driving a device goes, and how to mend it."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from controller import screening
from controller.guardian.watching import Guardian
from controller.journal import open_journal
from controller.registry import Registry
from controller.safety import latch
from controller.service.ownership import find_service
from controller.service.simulation import running_simulators
from controller.service.token import token_path
from firmware_profiles import library as profile_library
from firmware_profiles.errors import PercussError
from firmware_profiles.folders import config_folder


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it works, what was seen, and what to do when it does not."""

    topic: str
    works: bool
    seen: str
    fix: str = ""


async def examine() -> list[Finding]:
    """Look at everything; nothing is changed."""
    return [
        await _bluetooth(),
        *_serial_ports(),
        _virtual_bluetooth(),
        _configuration(),
        _service(),
        _paired_devices(),
        _emergency_stop(),
        await _guardian(),
        _journal(),
        _screening(),
        *_profiles(),
        _simulators(),
    ]


async def _bluetooth() -> Finding:
    from controller.transports.ble import scan_ble

    try:
        seen = await scan_ble(1.0)
    except PercussError as problem:
        return Finding("Bluetooth", False, problem.what, problem.fix)
    return Finding("Bluetooth", True, f"the adapter works; {len(seen)} device(s) heard in a second.")


def _serial_ports() -> list[Finding]:
    from controller.transports.serial import list_serial_ports, permission_advice

    ports = list_serial_ports()
    if not ports:
        return [Finding("serial ports", True, "none is plugged in.")]
    findings = []
    for port in ports:
        is_usable = os.name == "nt" or os.access(port.url, os.R_OK | os.W_OK)
        seen = f"{port.url} ({port.product or 'unknown product'})"
        if is_usable:
            findings.append(Finding("serial ports", True, f"{seen} can be opened."))
        else:
            findings.append(
                Finding("serial ports", False, f"{seen} may not be opened.", permission_advice(Path(port.url)))
            )
    return findings


def _virtual_bluetooth() -> Finding:
    if importlib.util.find_spec("bumble") is None:
        advice = "Only simulators and USB dongles without BlueZ need it: pip install 'percuss[sim]'."
        return Finding("virtual Bluetooth", False, "bumble is not installed.", advice)
    return Finding("virtual Bluetooth", True, "bumble is installed.")


def _configuration() -> Finding:
    folder = config_folder()
    there = folder if folder.is_dir() else next(parent for parent in folder.parents if parent.is_dir())
    if os.access(there, os.W_OK):
        return Finding("configuration", True, f"{folder} can be written.")
    return Finding("configuration", False, f"{there} cannot be written.", f"Make it yours: sudo chown $USER {there}")


def _service() -> Finding:
    if (service := find_service()) is None:
        return Finding("service", True, "none is running.")
    if not service.url:
        return Finding("service", True, f"process {service.pid} is just starting.")
    return Finding("service", True, f"process {service.pid} serves {service.url}; its token is in {token_path()}.")


def _paired_devices() -> Finding:
    try:
        names = sorted(Registry().devices())
    except PercussError as problem:
        return Finding("paired devices", False, f"{problem.where}: {problem.what}", problem.fix)
    return Finding("paired devices", True, ", ".join(names) or "none yet.")


def _emergency_stop() -> Finding:
    if (stop := latch.engaged()) is not None:
        return Finding("emergency stop", False, f"it is in since {stop.since}: nothing starts.", latch.CLEAR_IT)
    return Finding("emergency stop", True, "it is not in.")


async def _guardian() -> Finding:
    try:
        guardian = Guardian()
        await guardian.guard([])
    except PercussError as problem:
        return Finding("guardian", False, problem.what, "Nothing runs without it. Is there memory left?")
    await guardian.release()
    return Finding("guardian", True, "it starts, and would stop the motor if percuss died.")


def _journal() -> Finding:
    try:
        open_journal().close()
    except PercussError as problem:
        return Finding("journal", False, str(problem), problem.fix)
    return Finding("journal", True, "it can be written.")


def _screening() -> Finding:
    try:
        screening.require(now_utc=datetime.now(UTC))
    except PercussError as problem:
        return Finding("screening", True, f"{problem.what} Simulators need none.")
    return Finding("screening", True, "your answers hold.")


def _profiles() -> list[Finding]:
    known, problems = profile_library.load_profiles()
    if problems:
        return [Finding("profiles", False, f"{problem.where}: {problem.what}", problem.fix) for problem in problems]
    return [Finding("profiles", True, f"{len(known)} are whole.")]


def _simulators() -> Finding:
    running = [f"{simulator.name} ({simulator.profile})" for simulator in running_simulators()]
    return Finding("simulators", True, ", ".join(running) or "none is running.")
