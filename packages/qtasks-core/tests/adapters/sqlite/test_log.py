"""The write-ahead log stays short, and is copied without the danger of SQLite's own way."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.adapters.sqlite import SqliteBroker, checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIMIT = 1000 * 4120 + 32


def log_of(path: Path) -> int:
    return path.with_name("queue.db-wal").stat().st_size


def connections(broker: SqliteBroker) -> list[sqlite3.Connection]:
    database = broker._engine._database
    slots = (database._writer, database._reader, database._watcher)
    return [database._connection(slot) for slot in slots]


@pytest.mark.parametrize(("query", "level"), [("", 1), ("?durability=power", 2)])
def test_every_connection_is_set_up_alike(
    url: str, query: str, level: int, run: Callable[..., Any]
) -> None:
    twin = SqliteBroker(url + query).client()
    run(twin.start())
    for conn in connections(twin):
        values = {
            name: conn.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("wal_autocheckpoint", "synchronous", "mmap_size", "temp_store")
        }
        assert values == {
            "wal_autocheckpoint": 0,
            "synchronous": level,
            "mmap_size": 0,
            "temp_store": 2,
        }
        assert conn.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert conn.execute("PRAGMA journal_size_limit").fetchone() == (LIMIT,)
    run(twin.stop())


def test_the_log_stays_short(
    twin: SqliteBroker, path: Path, message: Callable[..., Any], run: Callable[..., Any]
) -> None:
    longest = 0
    for _ in range(100):
        run(twin.publish([message(payload=bytes(1000)) for _ in range(200)]))
        longest = max(longest, log_of(path))
    assert path.stat().st_size > 4 * LIMIT
    assert longest < 1.5 * LIMIT


async def test_the_log_stays_short_in_a_loop(
    broker: SqliteBroker, path: Path, message: Callable[..., Any]
) -> None:
    for _ in range(50):
        await broker.publish([message(payload=bytes(1000)) for _ in range(200)])
        assert log_of(path) < 1.5 * LIMIT


def test_a_long_read_holds_the_log_up_and_then_lets_it_go(
    twin: SqliteBroker, path: Path, message: Callable[..., Any], run: Callable[..., Any]
) -> None:
    run(twin.publish([message()]))
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM task").fetchall()
        for _ in range(40):
            run(twin.publish([message(payload=bytes(1000)) for _ in range(200)]))
        assert log_of(path) > 1.5 * LIMIT
    for _ in range(10):
        run(twin.publish([message(payload=bytes(1000)) for _ in range(200)]))
    assert log_of(path) < 1.5 * LIMIT


def test_nobody_can_write_while_the_log_is_copied(
    twin: SqliteBroker,
    path: Path,
    message: Callable[..., Any],
    run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The way around the bug: somebody holds the write lock, somebody else copies."""
    run(twin.publish([message()]))
    seen: list[object] = []

    class Spy:
        def __init__(self, conn: sqlite3.Connection) -> None:
            self.conn = conn

        def execute(self, text: str) -> sqlite3.Cursor:
            with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as stranger:
                try:
                    stranger.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError as error:
                    seen.append((text, str(error)))
            return self.conn.execute(text)

    run_checkpoint = checkpoint.Checkpointer.run
    monkeypatch.setattr(
        checkpoint.Checkpointer,
        "run",
        lambda self, one, other: run_checkpoint(self, one, Spy(other)),  # type: ignore[arg-type]
    )
    twin._engine._database._checkpointer._next = 0.0
    run(twin.publish([message()]))
    assert seen == [("PRAGMA wal_checkpoint(PASSIVE)", "database is locked")]


def test_even_a_short_log_is_copied_after_a_while(
    twin: SqliteBroker, path: Path, message: Callable[..., Any], run: Callable[..., Any]
) -> None:
    run(twin.publish([message()]))
    before = path.read_bytes()
    twin._engine._database._checkpointer._next = 0.0
    run(twin.sweep())
    assert path.read_bytes() != before


def test_a_copy_that_is_in_the_way_of_others_is_put_off(
    twin: SqliteBroker, path: Path, message: Callable[..., Any], run: Callable[..., Any]
) -> None:
    run(twin.publish([message()]))
    database = twin._engine._database
    writer, reader, _ = connections(twin)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        database._checkpointer.run(writer, reader)
        assert not writer.in_transaction
    database._checkpointer._next = 0.0
    run(twin.publish([message()]))


def test_the_last_one_leaves_one_file(
    twin: SqliteBroker, path: Path, message: Callable[..., Any], run: Callable[..., Any]
) -> None:
    run(twin.publish([message()]))
    run(twin.stop())
    assert [one.name for one in path.parent.iterdir()] == ["queue.db"]
