"""The service as a process: it owns the devices, opens the doors, and ends in order: the motor first.

It needs a POSIX system: signals, and a pair of sockets that its door inherits.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from controller.errors import StopUnconfirmedError
from controller.http import opened_door, service_app
from controller.http.wire import SWITCH_S
from controller.service.emergency import BY_A_PROCESS, SESSION_STOP
from controller.service.notifying import keep_telling, notify
from controller.service.ownership import owned
from controller.service.settings import HttpSettings, MqttSettings, Settings
from controller.service.token import load_token
from controller.station import Station, open_station
from controller.station.log import log_happenings
from firmware_profiles.errors import PercussError

logger = logging.getLogger("percuss")

END_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)
"""A closed terminal too; and Ctrl-Z, because a suspended service could not stop the motor."""

WILDCARDS = frozenset({"0.0.0.0", "::"})

UNHEARD = "nobody could be heard over HTTP any more"


async def serve(settings: Settings, *, announce: Callable[[str, str], None] = lambda _url, _token: None) -> None:
    """Run the service until a signal ends it. ``announce`` is called with its URL and its token when it can be used.

    Raises DeviceBusyError while another service runs, RefusedError when a port, the token or a file for TLS cannot be
    had or nobody can be heard over HTTP any more, and StopUnconfirmedError when a device did not confirm its stop at
    the end.
    """
    sys.setswitchinterval(SWITCH_S)
    with owned() as ownership, _asked_to_end() as end:
        token = load_token()
        async with open_station() as station, opened_door(settings, token, own_names(settings.http)) as door:
            _heed_stop_signal(station)
            app = service_app(station)
            app.openapi()  # takes a moment, and is kept: not while a motor runs
            await _settle(station)
            http = asyncio.create_task(door.serve(app, station.happenings), name="percuss http")
            watchdog = asyncio.create_task(keep_telling(), name="percuss watchdog")
            log = asyncio.create_task(log_happenings(station.happenings), name="percuss log")
            bridge: asyncio.Task[None] | None = None
            try:
                phone = phone_url(door.url, settings.http)
                ownership.tell(door.url, tls_cert=settings.http.tls_cert, phone_url=phone)
                bridge = _bridge(station, settings.mqtt)
                _tell_ready(door.url, settings.http)
                announce(door.url, token)
                await _first_of(http, asyncio.create_task(end.wait()))
            finally:
                try:
                    await _end(station, bridge, UNHEARD if http.done() else "the service ended")
                finally:
                    watchdog.cancel()
                    await door.end()
                    await asyncio.wait({http, log})
                    logger.info("the service has ended")
            await http


def own_names(settings: HttpSettings) -> set[str]:
    """The names by which a browser may know this computer."""
    name = socket.gethostname()
    return {*settings.allowed_hosts, name, f"{name}.local"} | ({settings.host} - WILDCARDS)


def phone_url(url: str, settings: HttpSettings) -> str | None:
    """The URL by which another computer here reaches the service; None when none can.

    With TLS it has the first of ``allowed_hosts``, for which the certificate is likelier than for an address.
    """
    if settings.tls_cert is not None and settings.allowed_hosts and not _is_loopback(settings.host):
        return f"https://{settings.allowed_hosts[0]}:{urlsplit(url).port}"
    if settings.host not in WILDCARDS:
        return None if _is_loopback(settings.host) else url
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.connect(("192.0.2.1", 9))  # sends nothing; it only chooses the way out
        return url.replace(f"[{settings.host}]" if ":" in settings.host else settings.host, link.getsockname()[0])
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def _asked_to_end() -> Iterator[asyncio.Event]:
    """An event that is set by the signals that end it; a second one changes nothing."""
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    # With nohup it is meant to outlive its terminal.
    signals = set(END_SIGNALS) - ({signal.SIGHUP} if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else set())
    for each in signals:
        loop.add_signal_handler(each, end.set)
    try:
        yield end
    finally:
        for each in signals:
            loop.remove_signal_handler(each)


def _heed_stop_signal(station: Station) -> None:
    """Let another process stop the session, such as `percuss stop`, past every door; the service lives on."""
    stops: set[asyncio.Task[Any]] = set()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        stops.add(task := loop.create_task(station.stop(BY_A_PROCESS)))
        task.add_done_callback(over)

    def over(task: asyncio.Task[Any]) -> None:
        stops.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            logger.error("the session broke off: %s", problem)

    loop.add_signal_handler(SESSION_STOP, stop)


async def _first_of(*tasks: asyncio.Task[Any]) -> None:
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def _settle(station: Station) -> None:
    """Look after what an earlier run left behind; the doors open whatever is found."""
    try:
        for left_over in await station.settle():
            stops = "; ".join(f"{name}: {what}" for name, what in left_over.stops.items())
            logger.warning("session %s was cut off. %s", left_over.session.routine, stops)
    except PercussError as problem:
        logger.error("what an earlier session left behind could not be looked after: %s", problem)


def _bridge(station: Station, settings: MqttSettings | None) -> asyncio.Task[None] | None:
    if settings is None:
        return None
    from controller.mqtt import run_bridge

    task = asyncio.create_task(run_bridge(station, settings), name="percuss mqtt")
    task.add_done_callback(_tell_broken_bridge)
    return task


def _tell_broken_bridge(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (problem := task.exception()) is not None:
        logger.error("MQTT is off until the service starts again: %s", problem, exc_info=problem)


def _tell_ready(url: str, settings: HttpSettings) -> None:
    notify("READY=1")
    logger.info("listening at %s", url)
    if not _is_loopback(settings.host) and settings.tls_cert is None:
        logger.warning("without TLS anybody in this network can read along, the token too")


async def _end(station: Station, bridge: asyncio.Task[None] | None, reason: str) -> None:
    """The motor first; then MQTT says that the service is offline; HTTP is the last, so that it can tell of it."""
    notify("STOPPING=1")
    logger.info("the service ends")
    ended, broken = None, None
    try:
        ended = await station.close(reason)
    except PercussError as problem:
        logger.error("the session broke off: %s", problem)
        broken = problem
    if bridge is not None:
        bridge.cancel()
        await asyncio.wait({bridge})
    if isinstance(broken, StopUnconfirmedError):
        raise broken
    if ended is not None and ended.outcome == "stop_unconfirmed":
        raise StopUnconfirmedError(ended.reason, fix="Press its button. Then: percuss stop --all")
