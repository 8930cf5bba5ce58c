"""The serial link over real ptys, real sockets and pyserial's own loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import grp
import os
import pty
import select
import socket
import threading
import tty
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import serial
from serial.rfc2217 import PortManager
from serial.tools import list_ports

from controller.errors import AdapterError, DeviceBusyError, DeviceNotFoundError, LinkLostError, TransportError
from controller.transports import open_url
from controller.transports.ble import BleTransport
from controller.transports.serial import SerialPort, SerialTransport, list_serial_ports
from firmware_profiles.library import BUNDLED
from firmware_profiles.loader import load_profile
from firmware_profiles.schema import Profile
from tests.helpers.profile_text import profile_from

STOP = b"M00\r"
NOBODY = 65534


@pytest.fixture
def profile() -> Profile:
    return load_profile(BUNDLED / "nlr-hf8.toml")


class Heard:
    """What a link told: its bytes and its loss."""

    def __init__(self) -> None:
        self.data = b""
        self.losses: list[TransportError] = []
        self._changed = asyncio.Event()

    def on_bytes(self, data: bytes) -> None:
        self.data += data
        self._changed.set()

    def on_lost(self, error: TransportError) -> None:
        self.losses.append(error)
        self._changed.set()

    async def until(self, is_reached: Callable[[], bool]) -> None:
        while not is_reached():
            self._changed.clear()
            await self._changed.wait()


class Pty:
    """A pseudo-terminal: the device's end as a descriptor, the computer's as a port with a path."""

    def __init__(self) -> None:
        self.device, self.port_fd = pty.openpty()
        tty.setraw(self.device)
        os.set_blocking(self.device, False)
        self.path = os.ttyname(self.port_fd)

    async def read(self, count: int) -> bytes:
        """Read exactly ``count`` bytes at the device's end."""
        data = b""
        while len(data) < count:
            await readable(self.device)
            data += os.read(self.device, count - len(data))
        return data

    def unplug(self) -> None:
        for fd in (self.device, self.port_fd):
            with contextlib.suppress(OSError):
                os.close(fd)


async def readable(fd: int) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)


@pytest.fixture
def cable() -> Iterator[Pty]:
    made = Pty()
    yield made
    made.unplug()


@pytest.fixture
async def heard() -> Heard:
    return Heard()


@pytest.fixture
async def link(cable: Pty, profile: Profile, heard: Heard) -> AsyncIterator[SerialTransport]:
    transport = SerialTransport(cable.path, profile)
    await transport.open(heard.on_bytes, heard.on_lost)
    yield transport
    await transport.close()


# ---- ptys


async def test_a_frame_reaches_the_device_and_its_answer_comes_back(
    cable: Pty, link: SerialTransport, heard: Heard
) -> None:
    await link.write(STOP, with_response=False)
    assert await cable.read(len(STOP)) == STOP
    os.write(cable.device, b"ok\r")
    await heard.until(lambda: heard.data == b"ok\r")


async def test_a_board_that_starts_anew_is_given_its_time(cable: Pty, heard: Heard) -> None:
    text = '[level]\nunit = "level"\nfull = 1\n[channels.a]\n[commands.set_level]\nframes = ["{level:u8}"]\n'
    text += '[commands.stop]\nframes = ["00"]\n'
    link = SerialTransport(cable.path, profile_from(text, "[serial]\nbaud = 9600\nsettle_s = 0.3\n"))
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    await link.open(lambda _: None, lambda _: None)
    assert loop.time() - begun_s >= 0.3
    await link.close()


async def test_every_byte_value_passes_in_both_directions(cable: Pty, link: SerialTransport, heard: Heard) -> None:
    every = bytes(range(256))
    await link.write(every, with_response=True)
    assert await cable.read(256) == every
    os.write(cable.device, every)
    await heard.until(lambda: heard.data == every)


async def test_an_answer_that_comes_in_pieces_is_passed_on_in_order(
    cable: Pty, link: SerialTransport, heard: Heard
) -> None:
    for piece in (b"A", b"", b"BC", b"D"):
        os.write(cable.device, piece)
        await heard.until(lambda: heard.data.endswith(piece))  # noqa: B023
    assert heard.data == b"ABCD"


async def test_concurrent_writes_larger_than_the_buffer_never_mix(cable: Pty, link: SerialTransport) -> None:
    frames = [bytes([letter]) * 20_000 for letter in b"abcd"]
    writes = [asyncio.create_task(link.write(frame, with_response=False)) for frame in frames]
    assert await cable.read(80_000) == b"".join(frames)
    await asyncio.gather(*writes)


async def test_a_frame_cancelled_half_way_is_completed_before_the_next(cable: Pty, link: SerialTransport) -> None:
    begun = asyncio.create_task(link.write(b"x" * 50_000, with_response=False))
    waiting = asyncio.create_task(link.write(b"never sent", with_response=False))
    await readable(cable.device)
    for task in (waiting, begun):
        task.cancel()
    await asyncio.gather(begun, waiting, return_exceptions=True)
    stop = asyncio.create_task(link.write(STOP, with_response=False))
    assert await cable.read(50_000 + len(STOP)) == b"x" * 50_000 + STOP
    await stop


async def test_a_device_that_takes_nothing_counts_as_lost(cable: Pty, profile: Profile, heard: Heard) -> None:
    link = SerialTransport(cable.path, profile, write_timeout_s=0.05)
    await link.open(heard.on_bytes, heard.on_lost)
    writes = [asyncio.create_task(link.write(b"x" * 50_000, with_response=False)) for _ in range(3)]
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(result) for result in results] == [LinkLostError] * 3
    assert "takes no more bytes" in str(results[0])
    assert len(heard.losses) == 1
    assert not link.is_open
    await link.close()


async def test_a_port_that_fails_is_told_once(
    cable: Pty, link: SerialTransport, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(fd: int, count: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")  # what Linux says where a USB adapter was

    monkeypatch.setattr(os, "read", fail)
    os.write(cable.device, b"!")
    await heard.until(lambda: bool(heard.losses))
    assert [type(loss) for loss in heard.losses] == [LinkLostError]


async def test_an_unplugged_device_is_told_once(cable: Pty, link: SerialTransport, heard: Heard) -> None:
    cable.unplug()
    await heard.until(lambda: bool(heard.losses))
    assert isinstance(heard.losses[0], LinkLostError)
    assert "Check the cable" in str(heard.losses[0])
    assert not link.is_open
    with pytest.raises(LinkLostError):
        await link.write(STOP, with_response=False)
    await link.close()
    assert len(heard.losses) == 1


async def test_nothing_is_told_after_close(cable: Pty, link: SerialTransport, heard: Heard) -> None:
    os.write(cable.device, b"too late")
    closing = asyncio.create_task(link.close())
    await asyncio.sleep(0)
    cable.unplug()
    await closing
    await link.close()
    assert (heard.data, heard.losses) == (b"", [])


async def test_close_ends_a_write_that_waits(cable: Pty, link: SerialTransport, heard: Heard) -> None:
    stuck = asyncio.create_task(link.write(b"x" * 50_000, with_response=False))
    await readable(cable.device)
    await link.close()
    with pytest.raises(LinkLostError):
        await stuck
    assert heard.losses == []


async def test_a_lost_link_can_be_opened_again(profile: Profile, heard: Heard, tmp_path: Path) -> None:
    port = tmp_path / "port"
    link = SerialTransport(str(port), profile)
    for word in (b"first", b"second"):
        cable = Pty()
        port.unlink(missing_ok=True)
        port.symlink_to(cable.path)
        await link.open(heard.on_bytes, heard.on_lost)
        os.write(cable.device, word)
        await heard.until(lambda: heard.data.endswith(word))  # noqa: B023
        cable.unplug()
        await heard.until(lambda: not link.is_open)
    assert len(heard.losses) == 2
    await link.close()


async def test_another_program_that_flushes_the_port_does_not_end_the_link(
    cable: Pty, link: SerialTransport, heard: Heard
) -> None:
    # The flush, as the guardian's opening does it, hits between the loop's finding bytes there and the reading of them.
    reading, writing = os.pipe()
    flushed = asyncio.Event()

    def flush() -> None:
        serial.Serial(cable.path).close()
        asyncio.get_running_loop().remove_reader(reading)
        flushed.set()

    asyncio.get_running_loop().add_reader(reading, flush)
    os.write(writing, b"!")
    os.write(cable.device, b"lost to the flush")
    select.select([cable.port_fd], [], [])
    await flushed.wait()
    os.write(cable.device, b"?")
    await heard.until(lambda: heard.data.endswith(b"?"))
    assert (heard.data, heard.losses) == (b"?", [])
    for fd in (reading, writing):
        os.close(fd)


async def test_a_second_exclusive_open_is_refused_as_busy(cable: Pty, link: SerialTransport, profile: Profile) -> None:
    error = await refused(SerialTransport(cable.path, profile))
    assert isinstance(error, DeviceBusyError)
    assert "Another program holds this port" in str(error)


async def test_a_missing_port_is_not_found(profile: Profile, tmp_path: Path) -> None:
    error = await refused(SerialTransport(str(tmp_path / "ttyUSB7"), profile))
    assert isinstance(error, DeviceNotFoundError)
    assert "percuss scan" in error.fix


@pytest.mark.parametrize("path", ["/dev/null", "/tmp"])
async def test_what_is_no_serial_port_is_refused(profile: Profile, path: str) -> None:
    error = await refused(SerialTransport(path, profile))
    assert isinstance(error, AdapterError)
    assert "no serial port that can be used" in str(error)


async def test_a_port_without_permission_says_who_may_use_it(cable: Pty, profile: Profile) -> None:
    os.chmod(cable.path, 0)  # noqa: PTH101
    with as_somebody_else():
        error = await refused(SerialTransport(cable.path, profile))
    assert isinstance(error, AdapterError)
    assert "You may not use this port" in str(error)


async def test_a_port_whose_owner_cannot_be_seen_says_where_to_look(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0)
    monkeypatch.chdir("/")
    with as_somebody_else():
        error = await refused(SerialTransport(str(hidden / "ttyUSB0"), profile))
    assert isinstance(error, AdapterError)
    assert error.fix == f"Look at who owns it: ls -l {hidden}/ttyUSB0"


@pytest.mark.skipif(os.getuid() != 0, reason="needs root: only root can give a port to another group")
async def test_a_port_of_a_group_names_the_command_that_joins_it(cable: Pty, profile: Profile) -> None:
    group = next(entry for entry in grp.getgrall() if entry.gr_gid not in (0, NOBODY))
    os.chown(cable.path, 0, group.gr_gid)
    os.chmod(cable.path, 0o660)  # noqa: PTH101
    with as_somebody_else():
        error = await refused(SerialTransport(cable.path, profile))
    assert isinstance(error, AdapterError)
    assert f"sudo usermod -aG {group.gr_name} $USER" in error.fix


async def test_an_open_that_is_cancelled_leaves_the_port_free(cable: Pty, profile: Profile, heard: Heard) -> None:
    link = SerialTransport(cable.path, profile)
    opening = asyncio.create_task(link.open(heard.on_bytes, heard.on_lost))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    for thread in threading.enumerate():
        if thread.name == "serial-close":
            await asyncio.to_thread(thread.join)
    assert not link.is_open


# ---- sockets


class Server:
    """A TCP server that echoes, or just listens; the last connection can be dropped."""

    def __init__(self, *, is_echo: bool = True) -> None:
        self.is_echo = is_echo
        self.writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Server:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.url = f"socket://{host}:{port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for writer in self.writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        if not self.is_echo:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            return
        with contextlib.suppress(OSError):
            while data := await reader.read(1000):
                writer.write(data)
                await writer.drain()


async def test_a_tcp_serial_server_echoes(profile: Profile, heard: Heard) -> None:
    async with Server() as server:
        link = SerialTransport(server.url, profile)
        await link.open(heard.on_bytes, heard.on_lost)
        await link.write(STOP, with_response=False)
        await heard.until(lambda: heard.data == STOP)
        assert (await link.read_identity()).address == server.url
        await link.close()
    assert heard.losses == []


@pytest.mark.parametrize("how", ["close", "abort"])
async def test_a_tcp_peer_that_goes_away_is_told_once(profile: Profile, heard: Heard, how: str) -> None:
    async with Server() as server:
        link = SerialTransport(server.url, profile)
        await link.open(heard.on_bytes, heard.on_lost)
        await link.write(STOP, with_response=False)
        await heard.until(lambda: heard.data == STOP)
        writer = server.writers[0]
        if how == "close":
            writer.close()
        else:
            writer.transport.abort()
        await heard.until(lambda: bool(heard.losses))
        assert [type(loss) for loss in heard.losses] == [LinkLostError]
        await link.close()


async def test_a_tcp_peer_that_never_reads_counts_as_lost(profile: Profile, heard: Heard) -> None:
    async with Server(is_echo=False) as server:
        link = SerialTransport(server.url, profile, write_timeout_s=0.05)
        await link.open(heard.on_bytes, heard.on_lost)
        with pytest.raises(LinkLostError, match="takes no more bytes"):
            await link.write(b"x" * 30_000_000, with_response=False)
        assert len(heard.losses) == 1
        await link.close()


async def test_a_port_where_nobody_listens_is_not_found(profile: Profile) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
    error = await refused(SerialTransport(f"socket://127.0.0.1:{number}", profile))
    assert isinstance(error, DeviceNotFoundError)
    assert "Nothing answers there (Connection refused)" in str(error)


@pytest.mark.parametrize("url", ["socket://127.0.0.1", "socket://127.0.0.1:99999", "rfc2217://127.0.0.1:x"])
async def test_a_url_without_a_good_port_is_refused(profile: Profile, url: str) -> None:
    error = await refused(SerialTransport(url, profile))
    assert isinstance(error, AdapterError)
    assert "socket://HOST:PORT" in error.fix


@pytest.mark.parametrize("url", ["telnet://127.0.0.1:23", "hwgrep://0403", "://", "ble//x://"])
async def test_an_unknown_scheme_is_refused_with_the_known_ones(profile: Profile, url: str) -> None:
    error = await refused(SerialTransport(url, profile))
    assert isinstance(error, AdapterError)
    assert "rfc2217://HOST:PORT" in error.fix


# ---- without a descriptor


async def test_a_loop_hears_itself(profile: Profile, heard: Heard) -> None:
    link = SerialTransport("loop://", profile)
    await link.open(heard.on_bytes, heard.on_lost)
    frames = [b"%d\r" % number for number in range(100)]
    await asyncio.gather(*(link.write(frame, with_response=False) for frame in frames))
    await heard.until(lambda: heard.data == b"".join(frames))
    await link.close()
    with pytest.raises(LinkLostError):
        await link.write(STOP, with_response=False)
    assert heard.losses == []


SETTINGS = """
[level]
unit = "level"
full = 100
[channels.head]
[commands.set_level]
frames = ["{level:u8}"]
[commands.stop]
frames = ["00"]
[serial]
baud = 300
"""


@pytest.mark.parametrize(
    ("keys", "parity", "stop_bits"),
    [
        ("", serial.PARITY_NONE, serial.STOPBITS_ONE),
        ('parity = "even"', serial.PARITY_EVEN, serial.STOPBITS_ONE),
        ('parity = "odd"\nstop_bits = 2', serial.PARITY_ODD, serial.STOPBITS_TWO),
    ],
)
async def test_a_port_is_set_as_the_profile_says(
    heard: Heard, opened: list[serial.SerialBase], keys: str, parity: str, stop_bits: int
) -> None:
    link = SerialTransport("loop://", profile_from(SETTINGS + keys, link=""))
    await link.open(heard.on_bytes, heard.on_lost)
    (port,) = opened
    settings = port.get_settings()
    assert (settings["baudrate"], settings["bytesize"]) == (300, serial.EIGHTBITS)
    assert (settings["parity"], settings["stopbits"]) == (parity, stop_bits)
    await link.close()


async def test_a_pseudo_terminal_has_no_parity_to_set(
    cable: Pty, heard: Heard, opened: list[serial.SerialBase]
) -> None:
    link = SerialTransport(cable.path, profile_from(SETTINGS + 'parity = "even"', link=""))
    await link.open(heard.on_bytes, heard.on_lost)
    await link.write(b"\xff\x01", with_response=False)
    assert await cable.read(2) == b"\xff\x01"
    assert opened[0].get_settings()["parity"] == serial.PARITY_NONE
    await link.close()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[serial.SerialBase]:
    """The ports that pyserial opens, as it opens them."""
    real, ports = serial.serial_for_url, []

    def noted(*arguments: Any, **settings: Any) -> serial.SerialBase:
        ports.append(real(*arguments, **settings))
        return ports[-1]

    monkeypatch.setattr(serial, "serial_for_url", noted)
    return ports


async def test_a_profile_with_both_links_opens_the_one_that_its_url_names(heard: Heard) -> None:
    both = profile_from(SETTINGS.replace("[serial]", '[ble]\nservice = "FFE0"\nwrite = "FFE1"\n[serial]'), link="")
    link = open_url("loop://", both)
    assert isinstance(link, SerialTransport)
    assert isinstance(open_url("ble://F0:F1:00:00:00:01", both), BleTransport)
    await link.open(heard.on_bytes, heard.on_lost)
    await link.write(STOP, with_response=True)
    await heard.until(lambda: heard.data == STOP)
    await link.close()


# pyserial 3.5 calls Thread.setDaemon.
@pytest.mark.filterwarnings("ignore:set(Daemon|Name).. is deprecated:DeprecationWarning")
class TestRfc2217:
    async def test_a_frame_with_telnet_bytes_echoes_until_the_server_goes(self, profile: Profile, heard: Heard) -> None:
        with Rfc2217Server() as server:
            link = SerialTransport(server.url, profile)
            await link.open(heard.on_bytes, heard.on_lost)
            frame = bytes([0xFF, 0xF0, 0, 0xFF, 0xFF])
            await link.write(frame, with_response=False)
            await heard.until(lambda: heard.data == frame)
            assert server.baud == 115200
            server.drop()
            await heard.until(lambda: bool(heard.losses))
            assert [type(loss) for loss in heard.losses] == [LinkLostError]
            await link.close()

    async def test_a_plain_tcp_server_is_told_apart(self, profile: Profile) -> None:
        async with Server(is_echo=False) as server:
            error = await refused(SerialTransport(server.url.replace("socket", "rfc2217") + "?timeout=0.1", profile))
            assert isinstance(error, AdapterError)
            assert "socket://HOST:PORT" in error.fix


class Rfc2217Server:
    """An RFC 2217 server in a thread, on pyserial's own protocol code, in front of an echo."""

    def __enter__(self) -> Rfc2217Server:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"rfc2217://127.0.0.1:{self._listener.getsockname()[1]}"
        self._port = serial.serial_for_url("loop://", timeout=0)
        self._connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.drop()
        self._thread.join()
        self._listener.close()

    @property
    def baud(self) -> int:
        return int(self._port.baudrate)

    def drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        self._connection, _ = self._listener.accept()
        with self._connection as connection:
            manager = PortManager(self._port, SimpleNamespace(write=connection.sendall))
            while data := connection.recv(1000):
                echo = b"".join(manager.filter(data))
                connection.sendall(b"".join(manager.escape(echo)))


# ---- identity and listing


async def test_the_identity_carries_the_serial_number_of_the_usb_adapter(
    cable: Pty, profile: Profile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(list_ports, "comports", lambda: [usb(cable.path, number="A50285BI")])
    by_id = tmp_path / "usb-FTDI_A50285BI"
    by_id.symlink_to(cable.path)
    identity = await SerialTransport(str(by_id), profile).read_identity()
    assert (identity.address, identity.serial, identity.firmware) == (str(by_id), "A50285BI", None)


def test_ports_are_listed_in_the_order_of_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [usb("/dev/ttyUSB10"), usb("/dev/ttyUSB2", vid=None)]
    monkeypatch.setattr(list_ports, "comports", lambda: found)
    assert list_serial_ports() == [
        SerialPort(url="/dev/ttyUSB2", usb_id=None, product="USB Serial", serial_number=None),
        SerialPort(url="/dev/ttyUSB10", usb_id="1A86:7523", product="USB Serial", serial_number=None),
    ]


def test_a_bluetooth_profile_is_no_serial_device() -> None:
    with pytest.raises(AdapterError, match="speaks Bluetooth LE"):
        SerialTransport("/dev/ttyUSB0", load_profile(BUNDLED / "theragun-gen4.toml"))


async def test_pairing_a_wire_does_nothing(profile: Profile) -> None:
    link = SerialTransport("/dev/ttyUSB0", profile)
    await link.pair()
    assert (link.url, link.is_open) == ("/dev/ttyUSB0", False)


def usb(device: str, *, vid: int | None = 0x1A86, number: str | None = None) -> Any:
    from serial.tools.list_ports_common import ListPortInfo

    info = ListPortInfo(device)
    info.vid, info.pid, info.product, info.serial_number = vid, 0x7523, "USB Serial", number
    return info


async def refused(link: SerialTransport) -> TransportError:
    with pytest.raises(TransportError) as caught:
        await link.open(lambda _: None, lambda _: None)
    assert not link.is_open
    return caught.value


@contextlib.contextmanager
def as_somebody_else() -> Iterator[None]:
    """Root passes every permission, so as root the test becomes nobody for a moment."""
    if os.getuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
