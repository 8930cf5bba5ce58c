"""Layouts, sizes and pieces: how frames reach a device, through the real bleak over virtual air."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from bumble.gatt_server import Server

from controller.errors import DeviceFaultError, DeviceNotFoundError
from controller.transports.ble import BleTransport
from controller.transports.ble_gatt import longest_frame_bytes
from firmware_profiles.schema import Profile
from simulators.adapters.air import BleAir
from tests.controller.transports.bench import Bench
from tests.helpers.profile_text import profile_from

BODY = """
[level]
unit = "level"
full = 100
[channels.head]
[commands.set_level]
frames = ["{level:u8}"]
[commands.stop]
frames = ["00"]
"""
PLAIN = '[ble]\nservice = "FFE0"\nwrite = "FFE1"\nnotify = "FFE2"\n'
THREE_LAYOUTS = """
[ble]
service = "FFE5"
write = "FFE9"
notify = "FFE4"
notify_service = "FFE0"
[[ble.alternatives]]
service = "FFE5"
write = "FFEA"
notify = "FFEA"
[[ble.alternatives]]
service = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
write = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"
notify = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"
"""
STOP = b"\x00"


def made(link: str = PLAIN, more: str = "") -> Profile:
    return profile_from(BODY + more, link)


@pytest.fixture
async def air() -> AsyncIterator[BleAir]:
    air = BleAir()
    await air.start()
    yield air
    await air.close()


def arrived(bench: Bench) -> list[bytes]:
    return [bench.written.get_nowait() for _ in range(bench.written.qsize())]


# ---- layouts


@pytest.mark.parametrize("alternative", [0, 1, 2])
async def test_each_layout_of_a_profile_is_written_and_listened_to(air: BleAir, alternative: int) -> None:
    bench = Bench(air, made(THREE_LAYOUTS))
    async with bench.device(alternative=alternative) as device:
        link = await bench.open()
        await link.write(b"\x32", with_response=True)
        assert await bench.written.get() == b"\x32"
        device.notify(b"heard")
        assert await bench.heard.get() == b"heard"


async def test_of_two_layouts_that_are_there_the_first_counts(air: BleAir) -> None:
    device_profile = made('[ble]\nservice = "FFE0"\nwrite = "FFE1"\nnotify = "FFE2"\nnotify_service = "FFF0"\n')
    ours = made(
        '[ble]\nservice = "FFE0"\nwrite = "FFE1"\n'
        '[[ble.alternatives]]\nservice = "FFE0"\nwrite = "FFE1"\nnotify = "FFE2"\nnotify_service = "FFF0"\n'
    )
    bench = Bench(air, device_profile)
    async with bench.device() as device:
        link = await bench.open(bench.link(ours))
        device.notify(b"the first layout does not listen")
        await link.write(b"\x01", with_response=True)  # what was sent before has arrived with its answer
        assert bench.heard.empty()


async def test_a_device_with_none_of_the_services_is_told_which_were_looked_for(air: BleAir) -> None:
    bench = Bench(air, made('[ble]\nservice = "ABCD"\nwrite = "FFE1"\n'))
    async with bench.device():
        with pytest.raises(DeviceFaultError) as caught:
            await bench.open(bench.link(made(THREE_LAYOUTS)))
    assert "none of the services 0000ffe5-" in caught.value.what
    assert "6e400001-" in caught.value.what
    assert "it has: " in caught.value.what
    assert "0000abcd-" in caught.value.what.partition("it has: ")[2]


async def test_the_layout_that_is_nearly_there_is_the_one_that_is_told(air: BleAir) -> None:
    bench = Bench(air, made('[ble]\nservice = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"\nwrite = "ABCD"\n'))
    async with bench.device():
        with pytest.raises(DeviceFaultError, match=r"service 6e400001-.* has no characteristic 6e400002-"):
            await bench.open(bench.link(made(THREE_LAYOUTS)))


# ---- waking and settling


async def test_wake_bytes_come_with_acknowledgement_before_anybody_listens(air: BleAir) -> None:
    bench = Bench(air, made(PLAIN + 'wake = "5A 0B"\n'))

    def take(data: bytes, /, *, with_response: bool | None) -> bool:
        device.notify(b"while it wakes up")
        return bench.take(data, with_response=with_response)

    async with bench.device(receive=take) as device:
        for _ in range(2):
            link = await bench.open()
            device.notify(b"later")
            assert await bench.heard.get() == b"later"
            await link.close()
    assert arrived(bench) == [b"\x5a\x0b"] * 2, "once for every opening"
    assert bench.ways == [True, True]


async def test_a_device_that_refuses_to_wake_up_is_not_driven_and_still_gets_its_stop(air: BleAir) -> None:
    bench = Bench(air, made(PLAIN + 'wake = "5A 0B"\n'))

    def take(data: bytes, /, *, with_response: bool | None) -> bool:
        return data == STOP and bench.take(data, with_response=with_response)

    async with bench.device(receive=take):
        link = await bench.open()
        with pytest.raises(DeviceFaultError, match="refused"):
            await link.read_identity()
        await link.write(STOP, with_response=True)
        assert await bench.written.get() == STOP


async def test_a_device_that_never_acknowledges_its_wake_bytes_is_not_driven(
    air: BleAir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.transports.ble.WAKE_TIMEOUT_S", 0.1)
    answer = Server.on_att_write_request

    def answer_all_but_wake(server: Server, bearer: Any, request: Any) -> Any:
        return None if request.attribute_value == bytes.fromhex("5A 0B") else answer(server, bearer, request)

    monkeypatch.setattr(Server, "on_att_write_request", answer_all_but_wake)
    bench = Bench(air, made(PLAIN + 'wake = "5A 0B"\n'))
    async with bench.device():
        link = await bench.open()
        with pytest.raises(DeviceNotFoundError, match="did not answer in time"):
            await link.read_identity()


async def test_the_first_byte_waits_until_the_device_has_settled(air: BleAir) -> None:
    bench = Bench(air, made(PLAIN + 'wake = "5A 0B"\nsettle_s = 0.5\n'))
    loop = asyncio.get_running_loop()
    woken_s = []

    def take(_data: bytes, /, *, with_response: bool | None) -> bool:
        woken_s.append(loop.time())
        return True

    async with bench.device(receive=take):
        begun_s = loop.time()
        await bench.open()
    assert woken_s[0] - begun_s >= 0.5


# ---- how much a write carries


async def test_the_mtu_of_the_profile_is_what_is_asked_for(air: BleAir) -> None:
    bench = Bench(air, made())
    async with bench.device():
        link = await bench.open(bench.link(made(PLAIN + "mtu = 100\n")))
        await link.write(bytes(97), with_response=False)
        assert await bench.written.get() == bytes(97)
        for with_response in (True, False):
            with pytest.raises(DeviceFaultError, match="98 bytes does not fit into one write, which carries 97"):
                await link.write(bytes(98), with_response=with_response)
        await link.write(STOP, with_response=True)
        assert await bench.written.get() == STOP, "nothing was cut off and sent all the same"


LONG_VECTOR = f"""
[[vectors]]
source = "made up: 40 bytes"
command = "start"
writes = ["{"AB" * 40}"]
"""


async def test_a_link_that_cannot_carry_the_longest_frame_is_only_good_for_a_stop(
    air: BleAir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.transports.ble_gatt.ROOM_S", 0.1)
    bench = Bench(air, made(PLAIN + "mtu = 23\n"))
    async with bench.device():
        link = bench.link(made(PLAIN + "mtu = 100\n", LONG_VECTOR))
        await bench.open(link)
        with pytest.raises(DeviceFaultError, match="40 bytes does not fit into one write, which carries 20") as caught:
            await link.read_identity()
        assert "MTU of 23; 43 are needed" in caught.value.fix
        await link.write(STOP, with_response=True)
        assert await bench.written.get() == STOP


def test_the_longest_frame_is_that_of_a_command_that_is_really_sent() -> None:
    extra = f'[extra.update]\nframes = ["{"CD" * 60}"]\n[[vectors]]\nsource = "made up"\ncommand = "update"\n'
    assert longest_frame_bytes(made(more=LONG_VECTOR + extra + f'writes = ["{"CD" * 60}"]\n')) == 40


# ---- pieces


FRAME = bytes(range(50))
PIECES = [FRAME[:20], FRAME[20:40], FRAME[40:]]


@pytest.mark.parametrize("with_response", [True, False])
@pytest.mark.parametrize(("chunk_bytes", "device_mtu"), [(20, 247), (100, 23)])
async def test_a_long_frame_arrives_in_pieces_that_the_device_and_the_link_bear(
    air: BleAir, with_response: bool, chunk_bytes: int, device_mtu: int
) -> None:
    bench = Bench(air, made(f"{PLAIN}mtu = {device_mtu}\n"))
    async with bench.device():
        link = await bench.open(bench.link(made(f"{PLAIN}chunk_bytes = {chunk_bytes}\n", LONG_VECTOR)))
        await link.write(FRAME, with_response=with_response)
        assert [await bench.written.get() for _ in PIECES] == PIECES
        assert bench.ways == [with_response] * 3


@pytest.mark.parametrize("with_response", [True, False])
async def test_a_stop_waits_for_the_end_of_the_frame_that_has_begun(air: BleAir, with_response: bool) -> None:
    async with _in_pieces(air) as (bench, link):
        frame = asyncio.create_task(link.write(FRAME, with_response=True))
        await bench.written.get()
        await link.write(STOP, with_response=with_response)
        await frame
        await link.write(b"end", with_response=True)
        assert arrived(bench) == [*PIECES[1:], STOP, b"end"]


async def test_a_cancelled_frame_is_completed_before_the_stop_and_one_that_waited_is_dropped(air: BleAir) -> None:
    async with _in_pieces(air) as (bench, link):
        begun = asyncio.create_task(link.write(FRAME, with_response=True))
        waiting = asyncio.create_task(link.write(b"never sent", with_response=True))
        await bench.written.get()
        for task in (begun, waiting):
            task.cancel()
        await asyncio.gather(begun, waiting, return_exceptions=True)
        await link.write(STOP, with_response=True)
        assert arrived(bench) == [*PIECES[1:], STOP]


async def test_a_stop_on_a_new_link_waits_for_no_frame_that_hung_on_the_old_one(
    air: BleAir, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _in_pieces(air) as (bench, link):
        real = Server.on_att_write_request

        def answers_the_first(self: Server, bearer: Any, pdu: Any) -> Any:
            monkeypatch.setattr(Server, "on_att_write_request", lambda *_args: None)
            return real(self, bearer, pdu)

        monkeypatch.setattr(Server, "on_att_write_request", answers_the_first)
        hung = asyncio.create_task(link.write(FRAME, with_response=True))
        await bench.written.get()
        stop = asyncio.create_task(link.write(STOP, with_response=True))
        await asyncio.sleep(0)
        stop.cancel()  # whoever stops has no more patience
        await link.close()
        assert isinstance((await asyncio.gather(hung, return_exceptions=True))[0], Exception)
        monkeypatch.setattr(Server, "on_att_write_request", real)

        await bench.open(link)
        await link.write(STOP, with_response=True)

        assert arrived(bench) == [STOP]


@asynccontextmanager
async def _in_pieces(air: BleAir) -> AsyncIterator[tuple[Bench, BleTransport]]:
    """An open link to a device that takes 20 bytes at a time."""
    bench = Bench(air, made(PLAIN + "chunk_bytes = 20\n"))
    async with bench.device():
        yield bench, await bench.open()
