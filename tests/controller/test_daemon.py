"""The service as a process, in the test's own loop: what it owns, what systemd hears, how it ends."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from controller import daemon
from controller.cli.serve import serve as serve_command
from controller.errors import DeviceBusyError, RefusedError
from controller.service import notifying
from controller.service.logs import JsonLines, start_logging
from controller.service.ownership import find_service, owned
from controller.service.settings import HttpSettings, LogSettings, MqttSettings, Settings
from controller.service.token import load_token

FREE = Settings(http=HttpSettings(port=0))


@asynccontextmanager
async def serving(settings: Settings = FREE) -> AsyncIterator[tuple[str, str]]:
    """The service for the block: its URL and token. It is ended as a signal ends it."""
    ready: asyncio.Future[tuple[str, str]] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(daemon.serve(settings, announce=lambda url, token: ready.set_result((url, token))))
    waits: set[asyncio.Future[Any]] = {ready, task}
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    try:
        yield ready.result()
    finally:
        os.kill(os.getpid(), 15)
        await task


async def test_it_can_be_found_while_it_runs_and_is_gone_after(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving() as (url, token), httpx.AsyncClient(base_url=url) as client:
        found = find_service()
        assert found is not None
        assert (found.pid, found.url) == (os.getpid(), url)
        assert token == load_token()
        answer = await client.get("/api/v1/session", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200
        with pytest.raises(DeviceBusyError, match=f"process {os.getpid()}"), owned():
            pass
    assert find_service() is None
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(url)
    assert token not in caplog.text
    assert caplog.messages[-1] == "the service has ended"


async def test_systemd_hears_that_it_is_ready_lives_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "100000")
        loop = asyncio.get_running_loop()
        heard: list[str] = []
        async with serving():
            while heard.count("WATCHDOG=1") < 3:
                heard.append((await loop.sock_recv(systemd, 100)).decode())
        while heard[-1] != "STOPPING=1":
            heard.append((await loop.sock_recv(systemd, 100)).decode())
    assert set(heard) == {"READY=1", "WATCHDOG=1", "STOPPING=1"}
    assert heard.index("READY=1") <= 1


def test_without_systemd_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    assert not notifying.notify("READY=1")
    assert notifying.watchdog_s() is None
    monkeypatch.setenv("NOTIFY_SOCKET", "/no/such/socket")
    assert not notifying.notify("READY=1")
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    assert notifying.watchdog_s() == 30
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid() + 1))  # it is meant for another process
    assert notifying.watchdog_s() is None


async def test_a_port_that_is_taken_is_said_and_nothing_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RefusedError, match="cannot be listened to") as caught:
            await daemon.serve(Settings(http=HttpSettings(port=port)))
        assert caught.value.where == f"127.0.0.1:{port}"
    assert find_service() is None


async def test_a_start_that_fails_late_leaves_nothing_running(home: Path) -> None:
    settings = Settings(http=HttpSettings(port=0), mqtt=MqttSettings(host="127.0.0.1", port=1))

    def announce(_url: str, _token: str) -> None:
        raise OSError("nobody reads")

    with pytest.raises(OSError, match="nobody reads"):
        await daemon.serve(settings, announce=announce)
    assert not own_tasks()
    (home / "service.json" / "in-the-way").mkdir(parents=True)
    with pytest.raises(RefusedError, match="cannot be written down"):
        await daemon.serve(settings)
    assert not own_tasks()
    assert find_service() is None


def own_tasks() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("percuss")]


def test_where_it_cannot_run_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = SimpleNamespace(platform="win32", stdout=sys.stdout)
    monkeypatch.setattr(sys.modules["controller.cli.serve"], "sys", windows)
    refused = CliRunner().invoke(serve_command, [])
    assert refused.exit_code == 2
    assert "the service needs Linux or macOS" in refused.output


async def test_files_that_are_no_certificate_are_said(tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate")
    http = HttpSettings(port=0, tls_cert=nonsense, tls_key=nonsense)
    with pytest.raises(RefusedError, match="TLS cannot be had"):
        await daemon.serve(Settings(http=http))
    assert find_service() is None


async def test_a_journal_that_cannot_be_read_is_logged_and_the_doors_open(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "journal.sqlite").write_text("this is no database, and long enough to be taken for one " * 10)
    async with serving() as (url, _), httpx.AsyncClient(base_url=url) as client:
        assert (await client.get("/api/v1/health")).status_code == 200
    assert "could not be looked after" in caplog.text


async def test_the_network_is_warned_of_without_tls(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(Settings(http=HttpSettings(host="0.0.0.0", port=0))):
        pass
    assert "without TLS anybody in this network can read along" in caplog.text


def test_the_names_of_this_computer_are_its_own() -> None:
    name = socket.gethostname()
    assert daemon.own_names(HttpSettings(allowed_hosts=("a.example",))) == {
        "127.0.0.1",
        "a.example",
        name,
        f"{name}.local",
    }
    assert "0.0.0.0" not in daemon.own_names(HttpSettings(host="0.0.0.0"))


def test_a_phone_gets_an_address_that_it_can_reach() -> None:
    assert daemon.phone_url("http://127.0.0.1:1", HttpSettings()) is None
    assert daemon.phone_url("http://localhost:1", HttpSettings(host="localhost")) is None
    assert daemon.phone_url("http://192.0.2.7:1", HttpSettings(host="192.0.2.7")) == "http://192.0.2.7:1"
    here = Path(__file__)
    named = HttpSettings(host="192.0.2.7", allowed_hosts=("gun.example", "other"), tls_cert=here, tls_key=here)
    assert daemon.phone_url("https://192.0.2.7:1", named) == "https://gun.example:1"
    anywhere = daemon.phone_url("http://0.0.0.0:8642", HttpSettings(host="0.0.0.0"))
    assert anywhere is None or (anywhere.endswith(":8642") and "0.0.0.0" not in anywhere)


def test_a_line_of_the_log_is_one_json_object_also_with_a_problem(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        start_logging(LogSettings(level="warning", format="json"))
        logging.getLogger("percuss").info("not told")
        logging.getLogger("percuss").warning("two\nlines, %s", "é")
        try:
            raise ZeroDivisionError("oh")
        except ZeroDivisionError:
            logging.getLogger("percuss").exception("it broke")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (first["level"], first["logger"], first["message"]) == ("warning", "percuss", "two\nlines, é")
    assert "ZeroDivisionError: oh" in second["problem"]
    assert isinstance(JsonLines(), logging.Formatter)
