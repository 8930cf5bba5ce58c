"""The lock on the HTTP door: nobody without the token, no other name, no other site, nothing large, nothing slow."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from controller.http import lock, server
from controller.http.app import answer, service_app
from controller.http.problems import MEDIA_TYPE
from controller.http.wire import Asked
from tests.controller.http.serving import HANG_S, TOKEN, Served, events, served, until_so
from tests.helpers.certificates import Authority


async def said_to(address: tuple[str, int], *pieces: bytes) -> bytes:
    """Everything that comes back until the other side ends it, on a connection that this side leaves open."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(HANG_S):
            return await reader.read()
    finally:
        writer.close()


def refusals(caplog: pytest.LogCaptureFixture, reason: str) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.name == "percuss.http"]
    return [message for message in found if message.startswith(f"refused: {reason},")]


async def test_every_route_but_health_needs_the_token() -> None:
    async with served() as door:
        document = (await door.client.get("/api/v1/openapi.json")).json()
        open_paths = []
        for path, methods in document["paths"].items():
            for method in methods:
                address = path.replace("{name}", "calves").replace("{number}", "1")
                answer = await door.stranger.request(method, address)
                if answer.status_code == 200:
                    open_paths.append(path)
                    continue
                assert answer.status_code == 401, (method, path)
                assert answer.headers["content-type"] == MEDIA_TYPE
                assert answer.headers["www-authenticate"] == "Bearer"
        assert open_paths == ["/api/v1/health"]
        assert len(document["paths"]) > 20
        assert (await door.stranger.get("/api/v1/openapi.json")).status_code == 401
        health = await door.stranger.get("/api/v1/health")
        assert set(health.json()) == {"ok", "version"}
        assert door.station.happenings.last_id == 0  # nothing was done


@pytest.mark.parametrize(
    "header", ["Bearer", "Basic " + TOKEN, TOKEN, "Bearer " + TOKEN[:-1], f"Bearer {TOKEN}x", "Bearer ÿ"]
)
async def test_what_is_not_quite_the_token_opens_nothing(header: str) -> None:
    async with served() as door:
        answer = await door.stranger.get("/api/v1/session", headers={b"Authorization": header.encode("latin-1")})
        assert answer.status_code == 401


async def test_wrong_tokens_are_told_less_logged_seldom_and_never_lock_out_the_right_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with served() as door:
        wrong = {"Authorization": "Bearer this-is-no-token-but-a-guess"}
        statuses = [(await door.stranger.get("/api/v1/session", headers=wrong)).status_code for _ in range(40)]
        assert statuses == [401] * lock.WRONG_TOKENS + [429] * 30
        assert (await door.client.get("/api/v1/session")).status_code == 200
        told = [record for record in caplog.records if "a wrong token" in record.getMessage()]
        first, last = told[0].created, told[-1].created
        assert len(told) <= last - first + 1  # once a second at most
        figures = (await door.client.get("/api/v1/metrics")).text
        assert 'percuss_http_refused_total{reason="a wrong token"} 40.0' in figures


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8642", "127.0.0.1.evil.example", "6.6.6.6.nip.io", "[", ""]
)
async def test_another_name_is_refused_so_that_nobody_can_rebind_one(
    host: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with served() as door:
        answer = await door.client.get("/api/v1/session", headers={"Host": host})
        assert answer.status_code == 421
        assert (await door.client.post("/api/v1/session/stop", headers={"Host": host})).status_code == 421
        assert len(refusals(caplog, "another Host")) == 1
        page = await door.stranger.get("/", headers={"Host": host})
        assert page.status_code == 421


async def test_its_own_names_are_let_in() -> None:
    async with served(allowed_hosts=("gun.local",)) as door:
        port = door.address[1]
        own = (f"127.0.0.1:{port}", f"localhost:{port}", "LOCALHOST", "gun.local", "GUN.local:443")
        behind_a_router = ("192.168.1.7:8642", "[2001:db8::7]:8642")
        for host in own + behind_a_router:
            assert (await door.client.get("/api/v1/session", headers={"Host": host})).status_code == 200, host


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://localhost", "x"])
async def test_another_site_changes_nothing_also_with_the_token(origin: str, caplog: pytest.LogCaptureFixture) -> None:
    async with served() as door:
        for method, path in (("POST", "session/stop"), ("POST", "emergency-stop"), ("DELETE", "emergency-stop")):
            answer = await door.client.request(method, f"/api/v1/{path}", headers={"Origin": origin})
            assert answer.status_code == 403
        assert len(refusals(caplog, "another Origin")) == 1
        assert door.station.happenings.last_id == 0
        own = await door.client.post("/api/v1/session/stop", headers={"Origin": door.url})
        assert own.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/..%2f..%2f..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/app.py",
        "/../app.py",
        "/..\\app.py",
        "//etc/passwd",
        "/%00",
        "/api/v1/routines/..%2f..%2f..%2fetc%2fpasswd",
        "/api/v1/routines/..%2fbundled%2fshort-break.toml",
    ],
)
async def test_no_path_leads_out_of_the_page(path: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with served() as door:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
        answer = await said_to(door.address, head.encode())
        assert re.match(rb"HTTP/1\.1 (400|404|405|422) ", answer), answer[:200]
        assert b"root:" not in answer
        assert b"make_app" not in answer
        assert b"[[steps]]" not in answer
        if not path.startswith("/api/") and b" 404 " in answer[:20]:
            assert len(refusals(caplog, "no such file")) == 1


async def test_somebody_who_tries_many_files_is_told_of_once_a_second_at_most(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with served() as door:
        for number in range(30):
            assert (await door.stranger.get(f"/wp-admin/{number}.php")).status_code == 404
    told = [r for r in caplog.records if r.getMessage().startswith("refused: no such file,")]
    assert 1 <= len(told) <= told[-1].created - told[0].created + 1


async def test_a_body_that_is_too_large_is_refused_before_anybody_reads_it(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as door:
        fits = await door.client.post("/api/v1/plan", content=b" " * lock.BODY_MAX)
        assert fits.status_code == 422
        large = await door.client.post("/api/v1/plan", content=b" " * (lock.BODY_MAX + 1))
        assert large.status_code == 413

        async def pieces() -> object:
            for _ in range(100):
                yield b" " * 10_000

        with suppress(httpx.TransportError):  # it may be cut off while it still sends
            chunked = await door.client.post("/api/v1/plan", content=pieces())  # type: ignore[arg-type]
            assert chunked.status_code == 413
        assert (await door.client.get("/api/v1/metrics")).text.count('reason="a body too large"} 2.0') == 1
        assert refusals(caplog, "a body too large")
        assert (await door.client.get("/api/v1/session")).status_code == 200


async def test_a_body_that_never_comes_is_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lock, "BODY_S", 0.3)
    async with served() as door:
        head = f"POST /api/v1/plan HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n".encode()
        answer = await said_to(door.address, head + b"Content-Length: 10\r\n\r\n", b"{")
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert len(refusals(caplog, "a body too slow")) == 1


@pytest.mark.parametrize("pieces", [(), (b"GET /api/v1/session HTTP/1.1\r\n", b"Host: localhost\r\n")])
async def test_a_head_that_never_comes_is_given_up(
    pieces: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "HEADERS_S", 0.3)
    async with served() as door:
        assert await said_to(door.address, *pieces) == b""
        assert "did not say what it wants" in caplog.text
        assert (await door.client.get("/api/v1/session")).status_code == 200


async def test_a_second_head_on_the_same_connection_is_given_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEADERS_S", 0.3)
    async with served() as door:
        first = b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        answer = await said_to(door.address, first, b"GET /api/v1/health HTT")
        assert answer.count(b"HTTP/1.1 200 ") == 1


async def test_a_head_that_is_too_long_is_refused() -> None:
    async with served() as door:
        answer = await said_to(door.address, b"GET / HTTP/1.1\r\nX: " + b"x" * (server.HEADERS_MAX * 5) + b"\r\n")
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


def request(method: str, path: str, body: str = "", token: str = TOKEN) -> bytes:
    """A whole request; the connection stays."""
    head = f"{method} /api/v1/{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


async def test_half_a_start_starts_nothing_and_half_a_stop_stops(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as door:
        for half in ("{", '{"script": "calves:left gentle 60s"}'):
            _, writer = await asyncio.open_connection(*door.address)
            whole = half + " "
            writer.write(request("POST", "session", whole)[: -len(" " if len(half) > 1 else whole)])
            await writer.drain()
            writer.close()
        metrics = 'percuss_http_refused_total{reason="half a body"} 2.0'
        while metrics not in (await door.client.get("/api/v1/metrics")).text:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)
        assert refusals(caplog, "half a body")
        assert door.station.happenings.last_id == 0  # nothing was handed on

        started = await door.client.post("/api/v1/session", json={"script": "calves:left gentle 60s"})
        assert started.status_code == 201
        _, writer = await asyncio.open_connection(*door.address)
        writer.write(request("POST", "session/stop", '{"number": 1}')[:-1])
        writer.close()
        await until_so(lambda: door.station.running is None)


@asynccontextmanager
async def strangers(door: Served, count: int) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Connections for the block that say nothing, the oldest first."""
    links = [await asyncio.open_connection(*door.address) for _ in range(count)]
    try:
        yield [reader for reader, _ in links]
    finally:
        for _, writer in links:
            writer.close()


def connections(door: Served) -> set[object]:
    found: set[object] = door.server.server_state.connections  # type: ignore[assignment]
    return found


async def is_closed(reader: asyncio.StreamReader) -> bool:
    """Whether the other side ended it."""
    with suppress(ConnectionResetError):
        async with asyncio.timeout(HANG_S):
            assert await reader.read() == b""
    return True


async def test_strangers_who_take_all_connections_keep_nobody_from_stop(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "CONNECTIONS_MAX", 5)
    monkeypatch.setattr(server, "HEADERS_S", 1000.0)
    async with served() as door, strangers(door, 5) as silent:
        reading = events(door.client)
        await anext(reading)
        assert await is_closed(silent[0])  # the oldest of them made room
        assert not any(reader.at_eof() for reader in silent[1:])
        assert (await door.client.post("/api/v1/session/stop")).status_code == 200
        assert await is_closed(silent[1])
        async with strangers(door, 20) as more:  # however many come, those who have shown the token stay
            assert await is_closed(silent[-1])
            assert await is_closed(more[16])
            assert (await door.client.post("/api/v1/session/stop")).status_code == 200
            door.station.happenings.add("still", {})
            while (await anext(reading)).kind != "still":
                pass
            assert not more[17].at_eof()
        await reading.aclose()  # type: ignore[attr-defined]
        assert "the oldest connection without the token" in caplog.text


async def test_more_connections_with_the_token_than_it_bears_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CONNECTIONS_MAX", 5)
    async with served() as door:
        links = [await asyncio.open_connection(*door.address) for _ in range(5)]
        for reader, writer in links:
            writer.write(request("POST", "session/stop"))
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        assert await said_to(door.address) == b""
        for _, writer in links:
            writer.close()
        await until_so(lambda: not connections(door))
        assert (await door.client.get("/api/v1/session")).status_code == 200


async def test_a_connection_is_the_owners_from_the_right_token_to_its_end() -> None:
    async with served() as door:
        reader, writer = await asyncio.open_connection(*door.address)
        writer.write(request("POST", "session/stop"))
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        trusted = door.server.config.loaded_app.state.trusted
        assert trusted == {writer.get_extra_info("sockname")}
        writer.close()
        await until_so(lambda: not trusted)
        wrong = request("POST", "session/stop", token="x" * len(TOKEN))
        reader, writer = await asyncio.open_connection(*door.address)
        writer.write(wrong)
        assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
        assert not trusted
        writer.close()


async def test_tls_that_is_never_agreed_on_is_given_up_and_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("localhost")
    monkeypatch.setattr(server, "CONNECTIONS_MAX", 3)
    context = ssl.create_default_context(cafile=str(authority.path))
    async with (
        served(tls_cert=cert, tls_key=key) as door,
        strangers(door, 3) as silent,
        httpx.AsyncClient(base_url=door.url, headers=door.client.headers, verify=context, timeout=HANG_S) as owner,
    ):
        assert (await owner.post("/api/v1/session/stop")).status_code == 200
        assert await is_closed(silent[0])
        assert not silent[2].at_eof()
    monkeypatch.setattr(server, "HANDSHAKE_S", 0.2)
    async with served(tls_cert=cert, tls_key=key) as door:
        assert await said_to(door.address) == b""
        assert await said_to(door.address, b"\x16\x03\x01\x02") == b""


async def test_what_one_address_asks_takes_nothing_from_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "REQUESTS_PER_S", 0.0)
    monkeypatch.setattr(lock, "ADDRESSES", 3)
    async with served() as door:
        statuses = [(await door.stranger.get("/api/v1/health")).status_code for _ in range(lock.REQUESTS_AT_ONCE + 1)]
        assert statuses == [200] * lock.REQUESTS_AT_ONCE + [429]
        for number in range(2, 5):
            elsewhere = httpx.AsyncHTTPTransport(local_address=f"127.0.0.{number}")
            async with httpx.AsyncClient(base_url=door.url, transport=elsewhere) as other:
                assert (await other.get("/")).status_code == 200
            again = (await door.stranger.get("/api/v1/health")).status_code
            assert again == 429  # whoever asks on is not forgotten before those who have gone


async def test_a_flood_is_turned_away_and_stop_and_start_still_get_through() -> None:
    async with served() as door:
        statuses = [(await door.client.get("/api/v1/health")).status_code for _ in range(lock.REQUESTS_AT_ONCE + 50)]
        assert set(statuses[: lock.REQUESTS_AT_ONCE]) == {200}
        while (await asyncio.gather(*(door.client.get("/api/v1/history/1") for _ in range(50))))[-1].status_code != 429:
            pass
        for path in ("session/stop", "emergency-stop"):
            assert (await door.client.post(f"/api/v1/{path}")).status_code == 200
        assert (await door.client.delete("/api/v1/emergency-stop")).status_code == 200


async def test_a_flood_of_starts_leaves_time_for_what_runs_and_no_stop_is_turned_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lock, "REQUESTS_PER_S", 0.0)
    async with served() as door:
        started = await door.client.post("/api/v1/session", json={"script": "calves:left gentle 60s"})
        assert started.status_code == 201
        again = [(await door.client.post("/api/v1/session")).status_code for _ in range(lock.REQUESTS_AT_ONCE)]
        assert again == [422] * (lock.REQUESTS_AT_ONCE - 1) + [429]
        assert (await door.client.post("/api/v1/session/extra")).status_code == 429
        assert (await door.client.get("/api/v1/history")).status_code == 200, "that is another allowance"
        assert (await door.client.post("/api/v1/devices/gun/stop")).status_code == 404, "it is let in"
        assert (await door.client.post("/api/v1/session/pause")).status_code == 200
        assert (await door.client.post("/api/v1/session/pain", json={"score": 3})).status_code == 200
        assert (await door.client.post("/api/v1/session/nerve-sign")).status_code == 200
        for path in ("session/stop", "emergency-stop"):
            assert (await door.client.post(f"/api/v1/{path}")).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "events",
        "session",
        "health",
        "metrics",
        "devices",
        "history",
        "history/course",
        "routines",
        "screening",
    ],
)
async def test_a_slash_at_the_end_changes_nothing(path: str) -> None:
    async with served() as door, door.client.stream("GET", f"/api/v1/{path}/") as said:
        assert said.status_code == 200
        if path == "events":
            assert (await anext(said.aiter_lines())).startswith("event: snapshot")
        assert (await door.client.post("/api/v1/session/stop/")).status_code == 200
        assert (await door.stranger.get("/api/v1/health/")).status_code == 200


async def test_a_stream_that_is_handed_on_by_mistake_ends_and_holds_up_nobody() -> None:
    async with served() as door:
        app = service_app(door.station)
        asked = Asked("GET", "/api/v1/events", "", "", "", "a test")
        answered = asyncio.create_task(answer(app, asked))
        assert (await door.client.post("/api/v1/session/stop")).status_code == 200
        await asyncio.wait_for(answered, HANG_S)


async def test_a_service_that_gives_no_sign_of_life_is_not_well() -> None:
    async with served(is_heard=lambda: False) as door:
        answer = await door.stranger.get("/api/v1/health")
        assert (answer.status_code, "does not answer" in answer.json()["detail"]) == (503, True)


async def test_no_log_has_a_secret_or_a_query(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with served() as door:
        await door.client.post(f"/api/v1/session/stop?token={TOKEN}&q=private")
        await door.stranger.get(f"/api/v1/session?token={TOKEN}&q=private")
        await door.stranger.get("/api/v1/session", headers={"Authorization": "Bearer my-guess-of-the-secret"})
        await door.stranger.get("/api/v1/x%0aforged: line")
    messages = [r.getMessage() for r in caplog.records if r.name.startswith(("percuss", "uvicorn", "sse_starlette"))]
    assert any("POST /api/v1/session/stop" in message for message in messages)
    for secret in (TOKEN, "private", "my-guess"):
        assert not any(secret in message for message in messages)
    assert not any("\n" in message for message in messages)


@pytest.mark.parametrize("path", ["/", "/api/v1/session", "/api/v1/nothing", "/nothing"])
async def test_every_answer_tells_the_browser_to_be_strict(path: str) -> None:
    async with served() as door:
        headers = (await door.client.get(path)).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


async def test_what_goes_wrong_inside_is_a_sentence_outside_and_a_traceback_in_the_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served() as door:

        def broken(*_: object) -> None:
            raise ZeroDivisionError("inside")

        monkeypatch.setattr(door.station, "ask", broken)
        answer = await door.client.post("/api/v1/session/pause")
        assert answer.status_code == 500
        assert answer.json()["type"] == "internal"
        assert "inside" not in answer.text
        assert any(record.exc_info for record in caplog.records if record.name == "percuss.http")


async def test_upgrades_and_other_protocols_lead_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as door:
        head = b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\n"
        head += b"Upgrade: websocket\r\n\r\n"
        assert (await said_to(door.address, head)).startswith(b"HTTP/1.1 401 ")
        for _ in range(20):
            assert b"400" in await said_to(door.address, b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        told = [r for r in caplog.records if "Invalid HTTP" in r.getMessage()]
        assert len(told) <= told[-1].created - told[0].created + 1
