"""The agent that BlueZ asks while it pairs: bleak brings none, and without one even a device without keys is refused.

D-Bus is spoken in plain messages: dbus-fast's service classes want to be imported at definition time, and this module
must stay light and load where there is no D-Bus.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Self

from controller.errors import AdapterError

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

AGENT_PATH = "/org/percuss/agent"
AGENT_INTERFACE = "org.bluez.Agent1"
REJECTED = "org.bluez.Error.Rejected"

GOODBYE_TIMEOUT_S = 2.0
"""How long leaving may take: BlueZ drops the agent anyway when the connection closes."""

_WHERE = "Bluetooth pairing"
_NO_BUS_FIX = "Start D-Bus and bluetoothd; in a container, pass in /run/dbus/system_bus_socket."

_log = logging.getLogger(__name__)


class PairingAgent:
    """Answers BlueZ's questions about pairing for the time of an ``async with``.

    ``passkey`` asks a person for the digits that the device shows; without it, or when it raises or gives no number,
    the request is refused. ``confirm`` asks whether a number is the one that the device shows; without it the answer
    is yes, because the person has just started the pairing. Both may block: each call gets a thread of its own, and
    a question that is still open when the agent leaves is forgotten.

    Raises AdapterError on entering when BlueZ cannot be reached.
    """

    def __init__(
        self, passkey: Callable[[], str] | None = None, *, confirm: Callable[[int], bool] | None = None
    ) -> None:
        self._passkey = passkey
        self._confirm = confirm
        self._bus: MessageBus | None = None
        self._asking: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        bus = self._bus = await _connect()
        try:
            bus.add_message_handler(self._on_message)
            # bleak pairs on another connection than this one, so only the default agent is asked.
            await _tell_bluez(bus, "RegisterAgent", "os", AGENT_PATH, "KeyboardDisplay")
            await _tell_bluez(bus, "RequestDefaultAgent", "o", AGENT_PATH)
        except BaseException:
            await self._leave(bus)
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        bus, self._bus = self._bus, None
        if bus is None:
            return
        try:
            if bus.connected:  # dbus-fast never answers on a connection that has ended
                async with asyncio.timeout(GOODBYE_TIMEOUT_S):
                    await _tell_bluez(bus, "UnregisterAgent", "o", AGENT_PATH)
        except (AdapterError, TimeoutError) as problem:
            _log.info("BlueZ was not told that the pairing agent leaves: %s", problem)
        finally:
            await self._leave(bus)

    async def _leave(self, bus: MessageBus) -> None:
        self._forget()
        bus.disconnect()
        # What ended the connection is no news any more.
        with contextlib.suppress(Exception):
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]

    def _forget(self) -> None:
        for task in self._asking:
            task.cancel()

    def _on_message(self, call: Message) -> Message | bool:
        """Answer one call of BlueZ; True when the answer follows. Everything else on the bus is not ours."""
        from dbus_fast import Message, MessageType

        is_ours = call.message_type is MessageType.METHOD_CALL and call.interface == AGENT_INTERFACE
        if not is_ours or call.path != AGENT_PATH:
            return False
        match call.member:
            case "RequestPasskey" if self._passkey is not None:
                return self._answer_later(call, "u", self._passkey, _passkey_number)
            case "RequestPinCode" if self._passkey is not None:
                return self._answer_later(call, "s", self._passkey, str.strip)
            case "RequestConfirmation" if self._confirm is not None:
                confirm, number = self._confirm, int(call.body[1])
                return self._answer_later(call, "", lambda: confirm(number), _assent)
            case "DisplayPasskey" | "DisplayPinCode":
                _log.warning("Type %s on the device.", str(call.body[1]).zfill(6))
                return Message.new_method_return(call)
            case "RequestConfirmation" | "RequestAuthorization" | "Release":
                return Message.new_method_return(call)
            case "Cancel":
                self._forget()
                return Message.new_method_return(call)
            case _:
                # A number without anybody to ask; AuthorizeService, which belongs to headsets and the like.
                return Message.new_error(call, REJECTED, "Nobody is here to answer.")

    def _answer_later(
        self, call: Message, signature: str, question: Callable[[], Any], understand: Callable[[Any], object]
    ) -> bool:
        task = asyncio.create_task(self._answer(call, signature, question, understand))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        return True

    async def _answer(
        self, call: Message, signature: str, question: Callable[[], Any], understand: Callable[[Any], object]
    ) -> None:
        from dbus_fast import Message

        try:
            answer = understand(await _ask(question))
        except Exception as problem:  # noqa: BLE001  # whatever the question fails with, BlueZ must not be left waiting
            _log.info("%s was not answered: %r", call.member, problem)
            reply = Message.new_error(call, REJECTED, "The person did not answer.")
        else:
            reply = Message.new_method_return(call, signature, [answer] if signature else [])
        if self._bus is not None:
            with contextlib.suppress(OSError, EOFError):  # BlueZ has gone, and with it the question
                await self._bus.send(reply)


async def _connect() -> MessageBus:
    """Connect to the system bus exactly as bleak does: DBUS_SYSTEM_BUS_ADDRESS, BLEAK_DBUS_AUTH_UID."""
    from dbus_fast import AuthError, BusType, InvalidAddressError
    from dbus_fast.aio import MessageBus
    from dbus_fast.auth import AuthExternal

    uid = os.environ.get("BLEAK_DBUS_AUTH_UID", "")
    try:
        bus = MessageBus(bus_type=BusType.SYSTEM, auth=AuthExternal(uid=int(uid)) if uid.isdecimal() else None)
        return await bus.connect()
    except AuthError as problem:
        what = f"The system's message bus (D-Bus) does not let this user in: {problem}."
        raise AdapterError(what, where=_WHERE, fix="Run it as the user who is logged in.") from problem
    except (OSError, InvalidAddressError) as problem:
        said = (problem.strerror if isinstance(problem, OSError) else None) or str(problem)
        what = f"The system's message bus (D-Bus), which leads to Bluetooth, cannot be reached: {said}."
        raise AdapterError(what, where=_WHERE, fix=_NO_BUS_FIX) from problem


async def _tell_bluez(bus: MessageBus, member: str, signature: str, *body: str) -> None:
    """Call BlueZ's agent registry. Raises AdapterError."""
    from dbus_fast import Message, MessageType

    call = Message(
        destination="org.bluez",
        path="/org/bluez",
        interface="org.bluez.AgentManager1",
        member=member,
        signature=signature,
        body=list(body),
    )
    try:
        reply = await bus.call(call)
    except (OSError, EOFError) as problem:
        what = "The connection to the system's message bus (D-Bus) was lost."
        raise AdapterError(what, where=_WHERE, fix=_NO_BUS_FIX) from problem
    if reply.message_type is not MessageType.ERROR:
        return
    said = f"{reply.body[0]}" if reply.body else f"{reply.error_name}"
    match reply.error_name:
        case "org.freedesktop.DBus.Error.ServiceUnknown" | "org.freedesktop.DBus.Error.NameHasNoOwner":
            what = "The Bluetooth service of this computer (bluetoothd) is not running."
            fix = "Install BlueZ and start it: sudo systemctl start bluetooth"
        case "org.freedesktop.DBus.Error.AccessDenied":
            what = "This user may not pair over Bluetooth."
            fix = "Join the group: sudo usermod -aG bluetooth $USER, then log in again."
        case _:
            what = f"BlueZ takes no pairing agent: {said}."
            fix = "Restart it: sudo systemctl restart bluetooth"
    raise AdapterError(what, where=_WHERE, fix=fix)


async def _ask(question: Callable[[], Any]) -> Any:
    """Ask in a daemon thread: a prompt that nobody answers must not keep the program from ending."""
    answered: Future[Any] = Future()

    def ask() -> None:
        try:
            answer = question()
        except BaseException as problem:  # noqa: BLE001  # a SystemExit would end the loop from within
            answered.set_exception(RuntimeError(f"asking failed: {problem!r}"))
        else:
            answered.set_result(answer)

    answered.set_running_or_notify_cancel()
    threading.Thread(target=ask, name="pairing-question", daemon=True).start()
    return await asyncio.wrap_future(answered)


def _passkey_number(typed: str) -> int:
    """The number in what a person typed, who may have grouped the digits. Raises ValueError."""
    digits = "".join(typed.split())
    if not digits.isdecimal() or len(digits) > 6:
        raise ValueError(f"{typed!r} is no passkey of six digits")
    return int(digits)


def _assent(is_confirmed: bool) -> None:
    if not is_confirmed:
        raise ValueError("the numbers differ")
