from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from qtasks.adapters.sqlite import schema
from qtasks.adapters.sqlite.database import Database
from qtasks.adapters.sqlite.url import parse_url
from qtasks.exc import ServerError
from qtasks.testing.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

OLD = (("CREATE TABLE token (last INTEGER)", "CREATE TABLE a (x)", "INSERT INTO a VALUES (1)"),)
NEW = (*OLD, ("ALTER TABLE a ADD COLUMN y DEFAULT 2",), ("CREATE INDEX a_y ON a (y)",))
BROKEN = (*OLD, ("ALTER TABLE a ADD COLUMN y", "no such statement"))


def open_and_close(url: str, migrations: Sequence[Sequence[str]]) -> None:
    database = Database(parse_url(url), FakeClock(), lambda _: None, migrations)
    try:
        database.open()
    finally:
        database.close()


def content(path: Path) -> tuple[int, int, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as conn:
        (owner,) = conn.execute("PRAGMA application_id").fetchone()
        (version,) = conn.execute("PRAGMA user_version").fetchone()
        return owner, version, conn.execute("SELECT * FROM a").fetchall()


def test_an_older_file_is_brought_up_to_date(path: Path, url: str) -> None:
    open_and_close(url, OLD)
    assert content(path) == (schema.APPLICATION_ID, 1, [(1,)])
    open_and_close(url, NEW)
    assert content(path) == (schema.APPLICATION_ID, 3, [(1, 2)])
    open_and_close(url, NEW)
    assert content(path) == (schema.APPLICATION_ID, 3, [(1, 2)])


def test_a_migration_that_fails_changes_nothing(path: Path, url: str) -> None:
    open_and_close(url, OLD)
    with pytest.raises(ServerError, match="syntax error"):
        open_and_close(url, BROKEN)
    assert content(path) == (schema.APPLICATION_ID, 1, [(1,)])
    open_and_close(url, NEW)
    assert content(path)[1] == 3


def test_a_creation_that_fails_leaves_an_empty_file(path: Path, url: str) -> None:
    with pytest.raises(ServerError, match="syntax error"):
        open_and_close(url, BROKEN)
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("SELECT * FROM sqlite_master").fetchall() == []
    open_and_close(url, NEW)
    assert content(path)[1] == 3
