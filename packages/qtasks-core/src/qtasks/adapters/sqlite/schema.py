"""The tables and how older ones become newer ones.

``PRAGMA user_version`` counts the migrations a file has seen. Each of them runs once, in one
transaction with all others that are missing, so that a file is never between two versions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtasks.exc import ConfigError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

__all__ = ["APPLICATION_ID", "MIGRATIONS", "check", "migrate", "rebuild"]

#: "QTSK"; the ``file`` command and other programs tell our databases by it.
APPLICATION_ID: Final = 0x5154534B

_FIRST: Final = (
    """
    CREATE TABLE task (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        state INTEGER NOT NULL,
        status TEXT NOT NULL DEFAULT 'new',
        queue TEXT NOT NULL,
        task TEXT NOT NULL,
        priority INTEGER NOT NULL DEFAULT 0,
        turn INTEGER NOT NULL DEFAULT 1,
        due REAL NOT NULL,
        token INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        deliveries INTEGER NOT NULL DEFAULT 0,
        lost INTEGER NOT NULL DEFAULT 0,
        snoozes INTEGER NOT NULL DEFAULT 0,
        requeues INTEGER NOT NULL DEFAULT 0,
        dead INTEGER NOT NULL DEFAULT 0,
        away INTEGER NOT NULL DEFAULT 0,
        created_at REAL NOT NULL,
        started_at REAL,
        finished_at REAL,
        lease_until REAL,
        expires_at REAL,
        gc_at REAL,
        worker TEXT,
        cancel TEXT,
        reason TEXT,
        delay REAL,
        eta REAL,
        expires REAL,
        unique_key TEXT,
        parent_id TEXT,
        root_id TEXT,
        error_type TEXT,
        error_message TEXT,
        error_traceback TEXT,
        headers BLOB,
        payload BLOB NOT NULL,
        result BLOB,
        history BLOB
    )
    """,
    # The claim walks this index from its start; `turn` 0 are tasks given or taken back.
    "CREATE INDEX task_ready ON task (queue, priority, turn, due) WHERE state = 0",
    # Apart, so that a claim does not step over thousands of suspects to find an innocent task.
    "CREATE INDEX task_suspect ON task (queue, priority, turn, due) WHERE state = 1",
    # Apart, so that a million delayed tasks of a high priority do not stand before a ready one.
    "CREATE INDEX task_scheduled ON task (queue, due) WHERE state = 2",
    "CREATE INDEX task_parked ON task (queue) WHERE state = 3",
    "CREATE INDEX task_outbox ON task (lease_until) WHERE state = 4",
    "CREATE INDEX task_leased ON task (lease_until) WHERE state = 5",
    "CREATE INDEX task_done ON task (gc_at) WHERE state = 6",
    """
    CREATE INDEX task_expiring ON task (expires_at)
    WHERE state <= 4 AND expires_at IS NOT NULL
    """,
    """
    CREATE UNIQUE INDEX task_unique ON task (unique_key)
    WHERE state <= 5 AND unique_key IS NOT NULL
    """,
    "CREATE INDEX task_dead ON task (queue, finished_at) WHERE dead = 1",
    # Of the whole file, so that an id used anew does not get tokens a stale worker may hold.
    "CREATE TABLE token (last INTEGER NOT NULL)",
    "INSERT INTO token (last) VALUES (0)",
    # Counts are kept, because counting a million rows takes longer than a claim.
    """
    CREATE TABLE queue (
        name TEXT PRIMARY KEY,
        published INTEGER NOT NULL DEFAULT 0,
        paused INTEGER NOT NULL DEFAULT 0,
        ready INTEGER NOT NULL DEFAULT 0,
        delayed INTEGER NOT NULL DEFAULT 0,
        leased INTEGER NOT NULL DEFAULT 0,
        finished INTEGER NOT NULL DEFAULT 0,
        dead INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID
    """,
    # The rowid remembers in which order the keys were first set.
    """
    CREATE TABLE state (
        seq INTEGER PRIMARY KEY,
        bucket TEXT NOT NULL,
        key TEXT NOT NULL,
        value BLOB NOT NULL,
        UNIQUE (bucket, key)
    )
    """,
    """
    CREATE TABLE bucket (
        name TEXT PRIMARY KEY,
        expires_at REAL NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE counter (
        key TEXT PRIMARY KEY,
        value INTEGER NOT NULL,
        expires_at REAL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE presence (
        worker TEXT PRIMARY KEY,
        expires_at REAL NOT NULL,
        data BLOB NOT NULL
    ) WITHOUT ROWID
    """,
)

_PROGRESS: Final = ("ALTER TABLE task ADD COLUMN progress BLOB",)

_STREAMS: Final = (
    # A run whose values nobody may read any more has no id.
    """
    CREATE TABLE stream (
        seq INTEGER PRIMARY KEY,
        id TEXT UNIQUE,
        token INTEGER NOT NULL,
        first INTEGER NOT NULL,
        next INTEGER NOT NULL,
        expires_at REAL NOT NULL
    )
    """,
    "CREATE INDEX stream_expiring ON stream (expires_at)",
    """
    CREATE TABLE streamed (
        stream INTEGER NOT NULL,
        number INTEGER NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (stream, number)
    ) WITHOUT ROWID
    """,
)

_LETTERS: Final = ("ALTER TABLE queue ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0",)

_HOLDS: Final = (
    "ALTER TABLE task ADD COLUMN unique_until TEXT",
    "ALTER TABLE task ADD COLUMN unique_window REAL",
    # Without an end the hold depends on the task.
    """
    CREATE TABLE hold (
        key TEXT PRIMARY KEY,
        id TEXT NOT NULL,
        until REAL
    ) WITHOUT ROWID
    """,
    "CREATE INDEX hold_ending ON hold (until) WHERE until IS NOT NULL",
    """
    INSERT INTO hold (key, id)
    SELECT unique_key, id FROM task WHERE state <= 5 AND unique_key IS NOT NULL
    """,
    "DROP INDEX task_unique",
    # A key goes with the row of its task, whoever removes it; or it stays for its window, if the
    # task has ended. So nothing can leak.
    """
    CREATE TRIGGER task_removed AFTER DELETE ON task
    WHEN OLD.unique_key IS NOT NULL
    BEGIN
        UPDATE hold SET until = OLD.finished_at + OLD.unique_window
        WHERE key = OLD.unique_key AND id = OLD.id AND until IS NULL AND OLD.state = 6;
        DELETE FROM hold WHERE key = OLD.unique_key AND id = OLD.id AND until IS NULL;
    END
    """,
)

_TABLES: Final = (
    *("task", "token", "queue", "state", "bucket", "counter", "presence"),
    *("stream", "streamed", "hold"),
)

#: The statements of each version, oldest first; a released entry is never changed again.
MIGRATIONS: Final[tuple[Sequence[str], ...]] = (_FIRST, _PROGRESS, _STREAMS, _LETTERS, _HOLDS)


def check(conn: sqlite3.Connection, path: str, newest: int) -> int:
    """Returns the version of the file, 0 if it is empty; writes nothing.

    Raises:
        ConfigError: the file belongs to another application or to a newer QTasks.
    """
    (owner,) = conn.execute("PRAGMA application_id").fetchone()
    (version,) = conn.execute("PRAGMA user_version").fetchone()
    tables = [name for (name,) in conn.execute("SELECT name FROM sqlite_master ORDER BY name")]
    if owner == 0 and version == 0 and not tables:
        return 0
    if owner != APPLICATION_ID:
        held = ", ".join(tables[:5]) or "no tables"
        msg = (
            f"{path} is a SQLite database of another application (application_id {owner}, with"
            f" {held}): choose another file, for example sqlite:///qtasks.db"
        )
        raise ConfigError(msg)
    if version > newest:
        msg = (
            f"{path} has schema version {version}, and this QTasks knows versions up to {newest}:"
            " upgrade qtasks-core here, or choose another file"
        )
        raise ConfigError(msg)
    return int(version)


def migrate(conn: sqlite3.Connection, path: str, migrations: Sequence[Sequence[str]]) -> None:
    """Brings the file to the newest version, in one transaction.

    Raises:
        ConfigError: see :func:`check`.
    """
    conn.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have been faster.
        version = check(conn, path, len(migrations))
        for statements in migrations[version:]:
            for statement in statements:
                conn.execute(statement)
        _stamp(conn, len(migrations))
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise


def rebuild(conn: sqlite3.Connection, migrations: Sequence[Sequence[str]]) -> None:
    """Drops our tables and makes them anew, inside the caller's transaction; tokens go on.

    Dropping a table takes as long as it has pages; deleting its rows, as long as it has rows.
    """
    last = conn.execute("SELECT last FROM token").fetchone()
    for table in _TABLES:
        conn.execute(f'DROP TABLE IF EXISTS "{table}"')
    for statements in migrations:
        for statement in statements:
            conn.execute(statement)
    conn.execute("UPDATE token SET last = ?", last)
    _stamp(conn, len(migrations))


def _stamp(conn: sqlite3.Connection, version: int) -> None:
    """Writes whose file this is, and its version."""
    conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    conn.execute(f"PRAGMA user_version = {version:d}")
