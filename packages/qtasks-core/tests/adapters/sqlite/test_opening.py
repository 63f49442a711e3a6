from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Coroutine
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.adapters.sqlite import SqliteBroker, SqliteStorage, opening
from qtasks.exc import ConfigError, ServerError, ServerUnavailableError

if TYPE_CHECKING:
    from pathlib import Path

    from qtasks.schemas import Message


Run = Callable[[Coroutine[Any, Any, Any]], Any]
Refused = Callable[..., None]


@pytest.fixture
def refused(run: Run) -> Refused:
    """Checks that neither broker nor storage start, and that they say why."""

    def check(path: Path, kind: type[Exception], *words: str) -> None:
        for make in (SqliteBroker, SqliteStorage):
            server = make(f"sqlite:///{path}").client()
            with pytest.raises(kind) as caught:
                run(server.start())
            run(server.stop())
            assert type(caught.value) is kind
            for word in (str(path), *words):
                assert word in str(caught.value)

    return check


def created(url: str, run: Run, *messages: Message) -> None:
    """Makes a proper database."""
    twin = SqliteBroker(url).client()
    run(twin.start())
    run(twin.publish(messages))
    run(twin.stop())


def files(directory: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in directory.iterdir()}


def test_files_are_private(twin: SqliteBroker, path: Path, message: Any, run: Run) -> None:
    run(twin.publish([message()]))
    for name in ("queue.db", "queue.db-wal", "queue.db-shm"):
        assert stat.S_IMODE((path.parent / name).stat().st_mode) == 0o600


def test_an_empty_file_becomes_a_queue(path: Path, url: str, run: Run) -> None:
    path.touch()
    created(url, run)
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("SELECT count(*) FROM task").fetchone() == (0,)


def test_a_missing_directory(tmp_path: Path, refused: Refused) -> None:
    refused(tmp_path / "no" / "such" / "q.db", ConfigError, "mkdir -p")
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_the_directory_should_be(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "file").write_text("text")
    refused(tmp_path / "file" / "q.db", ConfigError, "mkdir -p")


def test_a_directory(tmp_path: Path, refused: Refused) -> None:
    refused(tmp_path, ConfigError, "is a directory")


@pytest.mark.parametrize(
    "content",
    [b"not a database, but a text that is longer than the header of one" * 20, b"short"],
)
def test_a_file_that_is_not_sqlite(path: Path, content: bytes, refused: Refused) -> None:
    path.write_bytes(content)
    refused(path, ConfigError, "not a SQLite database")
    assert files(path.parent) == {"queue.db": content}


def test_a_database_of_another_application(path: Path, refused: Refused) -> None:
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("CREATE TABLE customers (name TEXT)")
        conn.commit()
    before = files(path.parent)
    refused(path, ConfigError, "another application", "customers", "choose another file")
    assert files(path.parent) == before


def test_a_database_with_another_application_id(path: Path, refused: Refused) -> None:
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA application_id = 4711")
        conn.commit()
    refused(path, ConfigError, "4711")


def test_a_newer_schema(path: Path, url: str, run: Run, refused: Refused) -> None:
    created(url, run)
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA user_version = 99")
        conn.commit()
    refused(path, ConfigError, "version 99", "upgrade qtasks-core")


def test_a_truncated_database(
    path: Path, url: str, message: Any, run: Run, refused: Refused
) -> None:
    created(url, run, *(message() for _ in range(100)))
    os.truncate(path, 8192)
    refused(path, ServerError, "damaged", ".recover")


def test_a_truncated_header(path: Path, url: str, run: Run, refused: Refused) -> None:
    created(url, run)
    os.truncate(path, 60)
    refused(path, ServerError, "damaged", ".recover")


def test_a_log_that_cannot_be_used(
    path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    class Stubborn(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            return super().execute(sql.replace("journal_mode = WAL", "journal_mode"), *args)

    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *args, **kw: connect(*args, factory=Stubborn, **kw)
    )
    refused(path, ConfigError, "write-ahead log", "local disk")


def test_an_old_sqlite(path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 22, 0))
    with pytest.raises(ConfigError, match=r"needs 3\.24"):
        run(SqliteBroker(f"sqlite:///{path}").client().start())
    assert list(path.parent.iterdir()) == []


def test_a_file_that_somebody_holds(
    path: Path, url: str, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    created(url, run)
    twin = SqliteBroker(url).client()
    monkeypatch.setattr(opening.patiently, "__defaults__", (0.01,))
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
        conn.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ServerUnavailableError, match="busy"):
            run(twin.start())
        conn.execute("ROLLBACK")
    run(twin.start())
    run(twin.stop())


UNPRIVILEGED = """
import asyncio, os, sys
from qtasks.adapters.sqlite import SqliteBroker
from qtasks.exc import ConfigError
if os.geteuid() == 0:
    os.setegid(65534)
    os.seteuid(65534)

async def main():
    broker = SqliteBroker(sys.argv[1])
    try:
        await broker.start()
    except ConfigError as error:
        print(error)
    else:
        print("started")
    await broker.stop()

asyncio.run(main())
"""


@pytest.mark.parametrize("what", ["directory", "file", "both", "new file", "closed directory"])
def test_without_the_right_to_write(
    what: str, path: Path, url: str, program: Callable[..., Any], run: Run
) -> None:
    if what not in {"new file", "closed directory"}:
        created(url, run)
        path.chmod(0o666 if what == "directory" else 0o444)
    for parent in list(path.parents)[:-2]:
        if parent.stat().st_uid == os.geteuid():
            parent.chmod(0o755)
    before = files(path.parent)
    path.parent.chmod({"file": 0o777, "closed directory": 0o444}.get(what, 0o555))
    said = program(UNPRIVILEGED, url).hear()
    path.parent.chmod(0o755)
    assert str(path) in said
    assert "write access" in said
    assert files(path.parent) == before


CREATOR = """
import asyncio, sys
from qtasks.adapters.sqlite import SqliteBroker
from qtasks.schemas import Message

async def main():
    broker = SqliteBroker(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    await broker.start()
    await broker.publish([Message(sys.argv[2], "t", "q", b"")])
    await broker.stop()

asyncio.run(main())
"""


def test_many_processes_may_create_it_at_once(
    url: str, program: Callable[..., Any], run: Run
) -> None:
    twin = SqliteBroker(url).client()
    crowd = [program(CREATOR, url, f"id-{number}") for number in range(6)]
    for one in crowd:
        assert one.hear() == "ready"
    for one in crowd:
        one.tell()
    assert [one.end() for one in crowd] == [0] * 6
    run(twin.start())
    assert run(twin.stats("q")).ready == 6
    run(twin.stop())
