"""A PostgreSQL server that belongs to one test run: a socket in a private folder, no port."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

OWNER = "percuss"


@dataclass
class Postgres:
    """A running server. ``databases`` numbers those that tests asked for."""

    folder: Path
    databases: count[int]

    def new_database(self, *, encoding: str = "UTF8") -> str:
        """The URL of an empty database."""
        name = f"test_{next(self.databases)}"
        with psycopg.connect(host=str(self.folder), user=OWNER, dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}'".encode())
        return f"postgresql+psycopg://{OWNER}@/{name}?host={self.folder}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server for the whole run; without the programs of one its tests are skipped."""
    programs = server_programs()
    if programs is None:
        pytest.skip("needs a PostgreSQL server: apt-get install postgresql")
    with server(programs) as running:
        yield running


def server_programs() -> Path | None:
    """The folder with initdb and postgres; Debian keeps it off the PATH."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda bin_: bin_.parent.name, reverse=True)
    return next((folder for folder in folders if (folder / "postgres").exists() and (folder / "initdb").exists()), None)


@contextmanager
def server(programs: Path) -> Iterator[Postgres]:
    """Run a server for the block."""
    # Not under pytest's folders: the path of a socket is short, and another user must get there.
    with tempfile.TemporaryDirectory(prefix="pg-") as name:
        folder = Path(name)
        somebody = _somebody_else(folder)
        data = folder / "data"
        environment = {"LC_ALL": "C", "PATH": os.environ["PATH"], "HOME": name}
        made = subprocess.run(
            [programs / "initdb", "-D", data, "-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            **somebody,
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        with subprocess.Popen(
            [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"],
            **somebody,
            env=environment,
            cwd=folder,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            said = []
            for line in process.stderr:
                said.append(line)
                if "ready to accept connections" in line:
                    break
            else:
                raise AssertionError("".join(said))
            # Its talk is read all the time, so that a full pipe never blocks it.
            reader = threading.Thread(target=process.stderr.read, daemon=True)
            reader.start()
            try:
                yield Postgres(folder, count(1))
            finally:
                process.send_signal(signal.SIGQUIT)
                process.wait()
                reader.join()


def _somebody_else(folder: Path) -> dict[str, Any]:
    """How to start the server, which refuses to run as root: as somebody without power, who gets the folder."""
    if os.getuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
