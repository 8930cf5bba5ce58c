"""The serial line over TCP, through plain sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from simulators.adapters.tcp import MAX_UNREAD_BYTES, TcpAdapter
from tests.simulators.bench import is_sent_away, until
from tests.simulators.test_pty import Ears


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
async def tcp(ears: Ears) -> AsyncIterator[TcpAdapter]:
    adapter = TcpAdapter(ears, max_connections=2)
    await adapter.start()
    yield adapter
    await adapter.close()


class Host:
    """A host on the line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def leave(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def _open(adapter: TcpAdapter) -> Host:
    reader, writer = await asyncio.open_connection("127.0.0.1", _port(adapter))
    return Host(reader, writer)


def _port(adapter: TcpAdapter) -> int:
    return int(adapter.url.rsplit(":", 1)[1])


async def _until_connected(adapter: TcpAdapter, count: int) -> None:
    await until(lambda: adapter.connection_count == count)


async def test_it_is_a_socket_url_on_this_computer_only(tcp: TcpAdapter) -> None:
    assert tcp.url.startswith("socket://127.0.0.1:")
    assert tcp._server is not None
    assert [sock.getsockname()[0] for sock in tcp._server.sockets] == ["127.0.0.1"]


async def test_bytes_go_both_ways(tcp: TcpAdapter, ears: Ears) -> None:
    host = await _open(tcp)
    host.writer.write(b"M4128\r")
    await ears.until(b"M4128\r")
    tcp.send(b"hello")
    assert await host.reader.readexactly(5) == b"hello"
    await host.leave()


async def test_hosts_come_one_after_the_other(tcp: TcpAdapter, ears: Ears) -> None:
    for number in range(5):
        host = await _open(tcp)
        host.writer.write(b"%d" % number)
        await host.leave()
        await ears.until(b"01234"[: number + 1])
    await _until_connected(tcp, 0)


async def test_hosts_side_by_side_hear_the_same_and_one_too_many_is_sent_away(tcp: TcpAdapter) -> None:
    first, second = await _open(tcp), await _open(tcp)
    await _until_connected(tcp, 2)
    third = await _open(tcp)
    assert await is_sent_away(third.reader)
    tcp.send(b"all")
    assert await first.reader.readexactly(3) == await second.reader.readexactly(3) == b"all"
    for host in (first, second, third):
        await host.leave()


async def test_a_dropped_link_sends_hosts_away_and_refuses_new_ones_until_it_is_back(tcp: TcpAdapter) -> None:
    host, url = await _open(tcp), tcp.url
    await _until_connected(tcp, 1)
    await tcp.drop_link(3600)
    assert await is_sent_away(host.reader)
    await host.leave()
    with pytest.raises(ConnectionRefusedError):
        await _open(tcp)
    await tcp.restore_link()
    assert tcp.url == url
    await (await _open(tcp)).leave()


async def test_a_dropped_link_comes_back_by_itself(tcp: TcpAdapter) -> None:
    await tcp.drop_link(0.01)
    await until(lambda: tcp._server is not None)
    await (await _open(tcp)).leave()


async def test_a_host_that_resets_its_connection_leaves_the_line_free(tcp: TcpAdapter) -> None:
    rude = socket.create_connection(("127.0.0.1", _port(tcp)))
    await _until_connected(tcp, 1)
    rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    rude.close()
    await _until_connected(tcp, 0)


async def test_a_host_that_never_reads_is_sent_away_before_it_fills_the_memory(tcp: TcpAdapter) -> None:
    deaf = socket.create_connection(("127.0.0.1", _port(tcp)))
    await _until_connected(tcp, 1)
    while tcp.connection_count:
        tcp.send(bytes(MAX_UNREAD_BYTES))
        await asyncio.sleep(0)
    deaf.close()


async def test_a_taken_port_is_an_error(tcp: TcpAdapter, ears: Ears) -> None:
    with pytest.raises(OSError, match="in use"):
        await TcpAdapter(ears, port=_port(tcp)).start()


async def test_closing_twice_is_harmless(tcp: TcpAdapter) -> None:
    await tcp.close()
    await tcp.close()
    tcp.send(b"to nobody")
