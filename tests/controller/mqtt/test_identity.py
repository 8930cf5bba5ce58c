"""What is kept in the state folder, and what becomes of it when a file is damaged."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.errors import RegistryError
from controller.mqtt.identity import last_start, remember_start

AT = datetime(2026, 11, 21, 15, 0, 1, 250000, tzinfo=UTC)


def test_when_something_was_started_last_is_kept_and_nobody_else_may_read_it(home: Path) -> None:
    assert last_start() is None
    remember_start(AT)
    assert last_start() == AT
    assert (home / "mqtt-last-start").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"yesterday", b"\xff\x00", b"2026-11-21T15:00:01.250000+00:00 and more"])
def test_what_cannot_be_read_is_told_and_not_taken_for_never(home: Path, content: bytes) -> None:
    (home / "mqtt-last-start").write_bytes(content)
    with pytest.raises(RegistryError, match=r"cannot be read.*Remove it"):
        last_start()


def test_what_cannot_be_written_is_told(home: Path) -> None:
    (home / "mqtt-last-start").mkdir()
    with pytest.raises(RegistryError, match="cannot be written"):
        remember_start(AT)
