"""One service for each person."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from controller.errors import DeviceBusyError
from controller.service.ownership import RunningService, find_service, owned

OTHER = """
import sys
from controller.service.ownership import owned
with owned() as ownership:
    ownership.tell("http://127.0.0.1:1")
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_a_service_is_found_while_it_runs_and_not_after() -> None:
    assert find_service() is None
    with owned() as ownership:
        assert find_service() == RunningService(os.getpid(), "")
        ownership.tell("http://127.0.0.1:8642")
        assert find_service() == RunningService(os.getpid(), "http://127.0.0.1:8642")
        ownership.tell("https://0.0.0.0:1", tls_cert=Path("/c.pem"), phone_url="https://gun.example:1")
        everything = RunningService(os.getpid(), "https://0.0.0.0:1", "/c.pem", "https://gun.example:1")
        assert find_service() == everything
    assert find_service() is None


def test_a_second_one_is_refused_with_the_process_of_the_first_and_free_once_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", OTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"ready\n"
        with pytest.raises(DeviceBusyError, match=rf"runs already \(process {other.pid}\)"), owned():
            pass
        assert find_service() == RunningService(other.pid, "http://127.0.0.1:1")
        other.kill()
        other.wait()
        assert find_service() is None  # its file is still there, and means nothing
        with owned():
            assert find_service() == RunningService(os.getpid(), "")
