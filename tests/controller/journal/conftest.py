from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.journal import Journal, open_journal
from tests.helpers.postgres import Postgres, postgres

__all__ = ["postgres"]


@pytest.fixture
def file_url(home: Path) -> str:
    """Where the journal of this test is when nobody says otherwise."""
    return f"sqlite:///{home / 'journal.sqlite'}"


@pytest.fixture
def server_url(postgres: Postgres) -> str:
    return postgres.new_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind."""
    return str(request.getfixturevalue("file_url" if request.param == "sqlite" else "server_url"))


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    opened = open_journal(url)
    yield opened
    opened.close()
