from __future__ import annotations

from pathlib import Path

import pytest

from controller.errors import JournalError
from controller.journal import open_journal
from controller.journal.places import find_place
from tests.controller.journal.contents import begin, rows

SECRET = "hush-1234"


def test_without_a_word_it_is_a_file_of_this_user(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_place(None).path == home / "journal.sqlite"
    monkeypatch.setenv("PERCUSS_JOURNAL", "")
    assert find_place(None).path == home / "journal.sqlite"


def test_the_environment_names_another_and_an_argument_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = tmp_path / "not yet/there #1?%20" / "ü.sqlite"
    monkeypatch.setenv("PERCUSS_JOURNAL", "postgresql://me:hush@host/percuss")
    assert find_place(None).where == "postgresql://host/percuss"
    assert find_place("sqlite:////elsewhere.sqlite").path == Path("/elsewhere.sqlite")
    monkeypatch.setenv("PERCUSS_JOURNAL", f"sqlite:///{tmp_path}/mine.sqlite")
    journal = open_journal()
    begin(journal)
    journal.close()
    assert rows(f"sqlite:///{tmp_path}/mine.sqlite", "SELECT count(*) FROM sessions") == [(1,)]
    monkeypatch.setenv("PERCUSS_HOME", str(named.parent))
    monkeypatch.delenv("PERCUSS_JOURNAL")
    open_journal().close()
    assert [path.name for path in named.parent.iterdir()] == ["journal.sqlite"], "a folder's name is only a name"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_name_of_postgresql_means_the_one_driver(scheme: str) -> None:
    place = find_place(f"{scheme}://me:{SECRET}@host.example:5433/percuss?sslpassword=more&sslmode=require")
    assert place.url.drivername == "postgresql+psycopg"
    assert place.where == "postgresql://host.example:5433/percuss"
    assert place.path is None
    assert place.secrets == (SECRET, "more")


@pytest.mark.parametrize("url", ["postgresql://me@[2001:db8::1]:5433/percuss", "postgresql:///percuss?host=/run/pg"])
def test_a_host_may_be_a_number_or_a_socket(url: str) -> None:
    assert find_place(url).path is None


@pytest.mark.parametrize(
    ("url", "what"),
    [
        (f"me:{SECRET}", "is no URL"),
        (f"/home/{SECRET}/journal.sqlite", "is no URL"),
        (f"postgresql://me:a@b:{SECRET}@host/percuss", "is no URL"),
        (f"postgresql://me:a@{SECRET}@host/percuss", "ambiguous"),
        (f"postgresql://m/e:{SECRET}@host/percuss", "ambiguous"),
        (f"mysql://me:{SECRET}@host/percuss", "'mysql'"),
        (f"postgresql+asyncpg://me:{SECRET}@host/percuss", "asyncpg"),
        ("sqlite+aiosqlite:///file.sqlite", "aiosqlite"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///file:x?mode=memory&uri=true", "names no file"),
    ],
)
def test_a_place_that_cannot_be_is_told_without_a_password(url: str, what: str) -> None:
    with pytest.raises(JournalError, match=what) as caught:
        open_journal(url)
    assert caught.value.where == "PERCUSS_JOURNAL"
    assert caught.value.fix
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
