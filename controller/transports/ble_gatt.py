"""Where a device's GATT table takes and gives frames, and how they are written there.

Nothing here imports bleak when it is loaded; see `controller.transports.ble`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.errors import DeviceFaultError
from firmware_profiles.links import Ble, GattLayout
from firmware_profiles.schema import Profile

if TYPE_CHECKING:
    from bleak import BleakClient
    from bleak.backends.characteristic import BleakGATTCharacteristic
    from bleak.backends.service import BleakGATTServiceCollection

UNTOLD_BYTES = 20
"""What a write carries before both sides have agreed on more: the smallest ATT MTU is 23, and 3 of it are a header."""

ROOM_S = 2.0
"""How long the system may take to tell what was agreed on; Windows does so only after it has connected."""

_ROOM_POLL_S = 0.05
_WRITE = ("write", "write-without-response")
_NOTIFY = ("notify", "indicate")
_WRONG_PROFILE = "Give it the profile that fits it."


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The characteristic that is written to, and the one that is listened to, if any."""

    written: BleakGATTCharacteristic
    notified: BleakGATTCharacteristic | None


def find_endpoints(services: BleakGATTServiceCollection, ble: Ble, url: str) -> Endpoints:
    """The first layout of the profile that the device has. Raises DeviceFaultError that says what is there instead."""
    lacks = []
    for layout in ble.layouts:
        found = _endpoints(services, layout)
        if isinstance(found, Endpoints):
            return found
        lacks.append(found)
    # Of several the one that fits best tells most: its service is there.
    nearest = next((lack for lack in lacks if lack.has_service), None)
    if nearest is None and len(lacks) > 1:
        wanted = ", ".join(layout.service for layout in ble.layouts)
        what = f"The device has none of the services {wanted}; it has: {_listed(s.uuid for s in services)}."
        raise DeviceFaultError(what, where=url, fix=_WRONG_PROFILE)
    raise DeviceFaultError((nearest or lacks[0]).what, where=url, fix=_WRONG_PROFILE)


@dataclass(frozen=True, slots=True)
class _Lack:
    what: str
    has_service: bool


def _endpoints(services: BleakGATTServiceCollection, layout: GattLayout) -> Endpoints | _Lack:
    written = _characteristic(services, layout.service, layout.write, _WRITE)
    if isinstance(written, _Lack):
        return written
    if layout.notify is None:
        return Endpoints(written, None)
    notified = _characteristic(services, layout.notify_service or layout.service, layout.notify, _NOTIFY)
    return notified if isinstance(notified, _Lack) else Endpoints(written, notified)


def _characteristic(
    services: BleakGATTServiceCollection, service: str, uuid: str, ways: Sequence[str]
) -> BleakGATTCharacteristic | _Lack:
    # A table may have a service twice, and a service a characteristic: the first that can do it is meant.
    theirs = [s for s in services if s.uuid == service]
    if not theirs:
        what = f"The device has no service {service}; it has: {_listed(s.uuid for s in services)}."
        return _Lack(what, has_service=False)
    there = [one for s in theirs for one in s.characteristics]
    named = [one for one in there if one.uuid == uuid]
    if not named:
        what = f"The service {service} has no characteristic {uuid}; it has: {_listed(one.uuid for one in there)}."
        return _Lack(what, has_service=True)
    able = next((one for one in named if set(ways) & set(one.properties)), None)
    if able is not None:
        return able
    what = f"The characteristic {uuid} offers {', '.join(named[0].properties)}, not {' or '.join(ways)}."
    return _Lack(what, has_service=True)


def _listed(uuids: Iterable[str]) -> str:
    return ", ".join(uuids) or "none"


def longest_frame_bytes(profile: Profile) -> int:
    """How long the longest frame is that the profile's vectors pin, which are all that it has to write."""
    return max(
        (
            len(bytes.fromhex(write))
            for vector in profile.vectors
            if vector.command is not None and vector.command not in profile.extra
            for write in vector.writes
        ),
        default=0,
    )


class FrameWriter:
    """Writes frames to one characteristic of an open link. Frames never mix.

    A frame that needs no acknowledgement goes out at once, past those that wait for theirs; those go one after the
    other, because BlueZ refuses a write while another is under way. To a device that takes its frames in pieces every
    frame waits for its turn: even a Stop of one byte would be lost *in* a frame, and would spoil that too.

    A frame that has begun is ended though its writer is cancelled; one that still waits is dropped then. So a Stop
    waits for the rest of one frame at most, and comes to nothing only when the link hangs in the middle of that. Then
    whoever stops gives up on it, closes the link and opens it anew: with another writer, which knows no old frame.
    """

    def __init__(self, client: BleakClient, written: BleakGATTCharacteristic, ble: Ble, url: str) -> None:
        self._client = client
        self._written = written
        self._offered = frozenset(written.properties)
        self._piece_bytes = ble.chunk_bytes
        self._url = url
        self._turn = asyncio.Lock()

    async def check_room(self, frame_bytes: int) -> None:
        """See that the link carries a frame of so many bytes. Raises DeviceFaultError."""
        if self._piece_bytes is not None or frame_bytes <= UNTOLD_BYTES:
            return
        waited_s = 0.0
        while self._room_bytes == UNTOLD_BYTES and waited_s < ROOM_S:
            await asyncio.sleep(_ROOM_POLL_S)
            waited_s += _ROOM_POLL_S
        self._check_fits(frame_bytes)

    async def write(self, data: bytes, *, with_response: bool) -> None:
        """Write one frame, in the way that the characteristic knows where it does not know the one asked for.

        Raises DeviceFaultError for a frame that the link does not carry, and what bleak raises.
        """
        response = "write" in self._offered if with_response else "write-without-response" not in self._offered
        if self._piece_bytes is None:
            self._check_fits(len(data))
            if not response:
                await self._client.write_gatt_char(self._written, data, response=False)
                return
            pieces = [data]
        else:
            size = min(self._piece_bytes, self._room_bytes)
            pieces = [data[at : at + size] for at in range(0, len(data), size)]
        await self._turn.acquire()
        writing = asyncio.ensure_future(self._write_pieces(pieces, response))
        writing.add_done_callback(lambda _: self._turn.release())
        await asyncio.shield(writing)

    async def _write_pieces(self, pieces: Sequence[bytes], response: bool) -> None:
        for piece in pieces:
            await self._client.write_gatt_char(self._written, piece, response=response)

    @property
    def _room_bytes(self) -> int:
        return self._written.max_write_without_response_size

    def _check_fits(self, frame_bytes: int) -> None:
        room_bytes = self._room_bytes
        if frame_bytes <= room_bytes:
            return
        what = f"A frame of {frame_bytes} bytes does not fit into one write, which carries {room_bytes} on this link."
        fix = (
            f"The device and this computer agreed on an MTU of {room_bytes + 3}; {frame_bytes + 3} are needed. "
            "Try another Bluetooth adapter, or BlueZ 5.62 or later; or give the profile chunk_bytes."
        )
        raise DeviceFaultError(what, where=self._url, fix=fix)
