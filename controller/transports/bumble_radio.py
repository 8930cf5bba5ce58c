"""An HCI controller through bumble: opened once per process, shared by scans and connections.

bumble is the optional extra ``sim``. What it raises becomes bleak's errors here, or a ConnectionFailedError.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import weakref
from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakError,
    BleakGATTProtocolError,
)

from controller.errors import AdapterError
from controller.transports.ble_errors import ConnectionFailedError

try:
    from bumble import att, core, hci
    from bumble.device import Advertisement, Connection, Device, DeviceConfiguration
    from bumble.host import Host
    from bumble.pairing import PairingConfig, PairingDelegate
    from bumble.transport import open_transport
    from bumble.transport.common import Transport
except ImportError as problem:
    raise AdapterError(
        "Bluetooth through an HCI moniker needs bumble, which is not installed.", fix="pip install 'percuss[sim]'"
    ) from problem

OPEN_TIMEOUT_S = 5.0
"""How long a controller may take to open and answer its reset."""

_T = TypeVar("_T")

# What bumble warns of reaches the caller as an error; on the terminal it is noise. (It cannot be left to the handlers:
# a stray logging.debug() inside bumble configures the root logger to print.)
if logging.getLogger("bumble").level == logging.NOTSET:
    logging.getLogger("bumble").setLevel(logging.CRITICAL)


class Radio:
    """One HCI controller, opened once per moniker and event loop, and closed when its last user releases it."""

    _open: ClassVar[weakref.WeakKeyDictionary[AbstractEventLoop, _Radios]] = weakref.WeakKeyDictionary()

    def __init__(self, moniker: str, transport: Transport, device: Device) -> None:
        self.moniker = moniker
        self.device = device
        self.is_lost = False
        self._transport = transport
        self._held: dict[Connection, _Held] = {}
        self._connecting = asyncio.Lock()
        self._scanning = asyncio.Lock()
        self._scanner_count = 0
        self._user_count = 0
        device.pairing_config_factory = self._pairing_config
        transport.source.terminated.add_done_callback(self._on_terminated)

    @classmethod
    async def acquire(cls, moniker: str) -> Radio:
        """Open the controller or share the open one; every acquire needs its release.

        Raises BleakBluetoothNotAvailableError when it cannot be opened.
        """
        radios = cls._open.setdefault(asyncio.get_running_loop(), _Radios())
        async with radios.lock:
            radio = radios.by_moniker.get(moniker)
            if radio is None or radio.is_lost:
                radio = radios.by_moniker[moniker] = await _open_radio(moniker)
            radio._user_count += 1
            return radio

    async def release(self) -> None:
        """Give it back."""
        radios = self._open[asyncio.get_running_loop()]
        self._user_count -= 1
        async with radios.lock:
            if self._user_count:
                return
            if radios.by_moniker.get(self.moniker) is self:
                del radios.by_moniker[self.moniker]
            await self._transport.close()

    async def start_scanning(self, on_advertisement: Callable[[Advertisement], None]) -> None:
        """Hand every advertisement to ``on_advertisement`` until `stop_scanning`."""
        async with self._scanning:
            self.device.on(Device.EVENT_ADVERTISEMENT, on_advertisement)
            self._scanner_count += 1
            if self._scanner_count == 1:
                with bleak_errors():
                    await self.device.start_scanning(active=True, filter_duplicates=False)

    async def stop_scanning(self, on_advertisement: Callable[[Advertisement], None]) -> None:
        """Undo one `start_scanning`."""
        async with self._scanning:
            self.device.remove_listener(Device.EVENT_ADVERTISEMENT, on_advertisement)
            self._scanner_count -= 1
            if self._scanner_count == 0 and not self.is_lost:
                with bleak_errors():
                    await self.device.stop_scanning()

    async def connect(self, address: hci.Address) -> Connection:
        """Connect to a device that is advertising; waits for it until cancelled. `hold` what comes back.

        Raises ConnectionFailedError.
        """
        if any(held.peer_address == address for held in self.device.connections.values()):
            reason = hci.HCI_ErrorCode.CONNECTION_ALREADY_EXISTS_ERROR
            raise ConnectionFailedError("this process is connected to it already", reason)
        async with self._connecting:
            return await self._attempt(address)

    def hold(
        self, connection: Connection, on_end: Callable[[int | None], None], passkey: Callable[[], str] | None
    ) -> None:
        """Watch over a connection.

        ``on_end`` gets the HCI reason when it ends, None when the controller is gone; at once if it has ended already.
        """
        self._held[connection] = _Held(on_end, passkey)
        connection.on(Connection.EVENT_DISCONNECTION, lambda reason: self._on_ended(connection, reason))
        if connection.handle not in self.device.connections:
            # It ended before anybody could listen: what a refusal looks like.
            self._on_ended(connection, hci.HCI_ErrorCode.CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR)

    async def _attempt(self, address: hci.Address) -> Connection:
        # Without bumble's own timeout: after it bumble waits for an answer that some controllers never give.
        attempt = asyncio.create_task(
            self.device.connect_le(address, own_address_type=hci.OwnAddressType.RANDOM, timeout=None)
        )
        try:
            with bleak_errors():
                return await asyncio.shield(attempt)
        except asyncio.CancelledError:
            if attempt.cancelled() and not _is_cancelling():
                raise ConnectionFailedError("the controller is gone", None) from None
            await self._give_up(attempt)
            raise

    async def _give_up(self, attempt: asyncio.Task[Connection]) -> None:
        """End an attempt to connect, so that neither the controller nor a late answer disturbs the next one."""
        if not attempt.done() and not self.is_lost:
            with contextlib.suppress(core.BaseBumbleError):
                await self.device.cancel_connection()  # type: ignore[no-untyped-call]  # bumble
            await asyncio.wait({attempt}, timeout=1.0)
        if not attempt.done():
            attempt.cancel()
            await asyncio.wait({attempt})
        if not attempt.cancelled() and attempt.exception() is None:
            await attempt.result().disconnect()

    def _pairing_config(self, connection: Connection) -> PairingConfig:
        held = self._held.get(connection)
        ask = held.passkey if held else None
        return PairingConfig(sc=True, mitm=ask is not None, bonding=True, delegate=_Keypad(ask))

    def _on_ended(self, connection: Connection, reason: int | None) -> None:
        if held := self._held.pop(connection, None):
            held.on_end(reason)

    def _on_terminated(self, terminated: asyncio.Future[None]) -> None:
        if not terminated.cancelled():
            terminated.exception()
        self.is_lost = True
        for connection in list(self._held):
            self._on_ended(connection, None)


@dataclass(frozen=True, slots=True)
class _Held:
    """Whom to tell of a connection's end, and who is asked for its device's number."""

    on_end: Callable[[int | None], None]
    passkey: Callable[[], str] | None


@dataclass
class _Radios:
    """The open radios of one event loop. The lock is held while one opens or closes."""

    by_moniker: dict[str, Radio] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


async def _open_radio(moniker: str) -> Radio:
    """Open a controller and reset it. Raises BleakBluetoothNotAvailableError."""
    transport: Transport | None = None
    try:
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            transport = await open_transport(moniker)
            # A random address: bumble's own virtual link loses the data of a central that uses a public one.
            config = DeviceConfiguration(
                name="percuss", address=hci.Address.generate_static_address(), irk=secrets.token_bytes(16)
            )
            device = Device(config=config, host=Host(transport.source, transport.sink))
            await device.power_on()
    except (Exception, asyncio.CancelledError) as problem:
        if transport:
            await transport.close()
        if isinstance(problem, asyncio.CancelledError):
            raise
        match problem:
            case TimeoutError():
                said = "it does not answer"
            case OSError():
                said = problem.strerror or str(problem)
            case ValueError() | AssertionError():
                said = f"it is no moniker that bumble knows ({problem})"
            case _:
                said = str(problem) or type(problem).__name__
        reason = BleakBluetoothNotAvailableReason.NO_BLUETOOTH
        raise BleakBluetoothNotAvailableError(f"{moniker} cannot be opened: {said}", reason) from problem
    return Radio(moniker, transport, device)


class _Keypad(PairingDelegate):
    """The computer's side of pairing: a keypad where somebody can be asked, else just works."""

    def __init__(self, ask: Callable[[], str] | None) -> None:
        super().__init__(self.KEYBOARD_INPUT_ONLY if ask else self.NO_OUTPUT_NO_INPUT)
        self._ask = ask

    async def get_number(self) -> int | None:
        """Ask for the six digits, in a thread because a person answers; None refuses the pairing."""
        if self._ask is None:
            return None
        digits = (await asyncio.to_thread(self._ask)).strip()
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 6 else None


@contextlib.contextmanager
def bleak_errors() -> Iterator[None]:
    """Turn what bumble raises into what bleak's users expect."""
    try:
        yield
    except att.ATT_Error as problem:
        raise BleakGATTProtocolError(problem.error_code) from problem
    except (core.TimeoutError, core.CommandTimeoutError) as problem:
        raise TimeoutError(str(problem) or "no answer") from problem
    except core.ConnectionError as problem:
        raise ConnectionFailedError(f"no connection ({problem.error_name})", problem.error_code) from problem
    except core.BaseBumbleError as problem:
        raise BleakError(str(problem) or type(problem).__name__) from problem


async def to_the_end(operation: Coroutine[Any, Any, _T]) -> _T:
    """Run an ATT operation to its end even when the caller is cancelled.

    Given up half way, its late answer would be taken for the answer to the next one. Raises BleakError when the link
    is lost meanwhile, where bumble cancels.
    """
    task = asyncio.create_task(operation)
    try:
        with bleak_errors():
            return await asyncio.shield(task)
    except asyncio.CancelledError:
        if task.cancelled() and not _is_cancelling():
            raise BleakError("the link was lost") from None
        raise


def _is_cancelling() -> bool:
    """Whether this task itself is being cancelled, rather than what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
