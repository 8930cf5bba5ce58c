from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from controller.errors import JournalError
from controller.journal import open_journal, tables
from controller.journal.places import find_place, make_engine
from controller.journal.revisions import HEAD, KNOWN, upgrade
from tests.controller.journal.contents import begin, file_of, rows, run, started
from tests.helpers.processes import HANG_S

OLD = Path(__file__).parent / "old" / "0001.sql"
OPEN = "from controller.journal import open_journal; open_journal().close()"


@contextmanager
def engine_for(url: str) -> Iterator[Engine]:
    engine = make_engine(find_place(url))
    try:
        yield engine
    finally:
        engine.dispose()


def restore(url: str) -> None:
    with closing(sqlite3.connect(file_of(url))) as connection:
        connection.executescript(OLD.read_text(encoding="utf-8"))


def test_the_known_revisions_are_those_of_the_scripts() -> None:
    import controller.journal.migrations as package

    scripts = ScriptDirectory(package.__path__[0])
    assert tuple(reversed([script.revision for script in scripts.walk_revisions()])) == KNOWN
    assert scripts.get_current_head() == HEAD


def test_the_migrations_lead_to_the_tables(url: str) -> None:
    open_journal(url).close()
    with engine_for(url) as engine, engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, tables.metadata) == []


def test_a_comparison_would_see_a_difference(url: str) -> None:
    with engine_for(url) as engine:
        with engine.begin() as connection:
            upgrade(connection, "0001")
        with engine.begin() as connection:
            differences = compare_metadata(MigrationContext.configure(connection), tables.metadata)
    added = {difference[0] for difference in differences if isinstance(difference, tuple)}
    assert added == {"add_table", "add_column", "add_index"}


def test_every_revision_can_be_taken_back(url: str) -> None:
    from alembic import command
    from alembic.config import Config

    open_journal(url).close()
    with engine_for(url) as engine, engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", "controller.journal:migrations")
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    journal = open_journal(url)
    begin(journal)
    journal.close()


def test_an_old_journal_is_brought_up_to_date_with_all_that_is_in_it(file_url: str) -> None:
    restore(file_url)
    journal = open_journal(file_url)
    (unfinished,) = journal.unfinished()
    assert (unfinished.id, unfinished.routine, unfinished.pid) == (3, "it's mine; -- ü", 4712)
    assert unfinished.started_utc == datetime(2026, 2, 2, 18, 0, 0, 500_000, tzinfo=UTC)
    assert unfinished.devices == {"massager": "elite", "timer": "lamp"}
    driven = journal.driven_since(datetime(2026, 2, 1, tzinfo=UTC))
    assert [(span.session, span.region, span.side, span.driven_s) for span in driven] == [
        (1, "calves", "left", 45.5),
        (3, "hamstrings", "left", 90.0),
        (3, "hamstrings", "right", 90.0),
    ]
    assert journal.pain_since(datetime(2026, 2, 1, tzinfo=UTC)) == []
    assert begin(journal).id == 4
    journal.close()
    assert rows(file_url, 'SELECT session, device, proof, attempts, "by" FROM stops') == [
        (1, "elite", "confirmed", 2, "session"),
        (None, "elite", "unconfirmed", 3, "session"),
    ]
    assert rows(file_url, "SELECT count(*) FROM commands, reports, refusals") == [(1,)]
    assert rows(file_url, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_an_upgrade_that_breaks_off_leaves_the_old_journal_whole(file_url: str) -> None:
    restore(file_url)
    run(file_url, "CREATE TABLE pain_answers (somebody_elses)")  # stands in the way of the last thing that 0002 does
    with pytest.raises(JournalError, match="pain_answers"):
        open_journal(file_url)
    assert rows(file_url, "SELECT version_num FROM alembic_version") == [("0001",)]
    assert not [name for _, name, *_ in rows(file_url, "PRAGMA table_info(stops)") if name == "by"]
    run(file_url, "DROP TABLE pain_answers")
    open_journal(file_url).close()


def test_a_journal_of_a_newer_percuss_is_left_alone(url: str) -> None:
    open_journal(url).close()
    run(url, "UPDATE alembic_version SET version_num = '0099'")
    with pytest.raises(JournalError, match=f"revision 0099; this one knows up to {HEAD}") as caught:
        open_journal(url)
    assert "Install the newer percuss" in caught.value.fix
    assert rows(url, "SELECT version_num FROM alembic_version") == [("0099",)]


def test_alembic_is_loaded_only_for_a_journal_that_is_not_up_to_date() -> None:
    ask = f"import sys; {OPEN}; print('alembic' in sys.modules)"
    said = [
        subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout for _ in range(2)
    ]
    assert said == ["True\n", "False\n"]


def test_processes_that_open_a_new_journal_at_once_do_not_break_each_other(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERCUSS_JOURNAL", url)
    # All wait for the same line, with everything loaded.
    code = f"import sys, controller.journal, alembic.command; print(flush=True); sys.stdin.readline(); {OPEN}"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    assert [(child.communicate(timeout=HANG_S)[1], child.returncode) for child in children] == [("", 0)] * 4
    journal = open_journal(url)
    begin(journal).record(started())
    journal.close()
    assert rows(url, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert rows(url, "SELECT count(*) FROM steps") == [(1,)]
