"""Rows into which others wrote what no column should hold.

Nothing looks for them, so that nothing is paid for it: they make a job fail. Then they are put
right, as tasks that only fail, and the job runs again. So one of them costs itself, and not the
queue it stands in.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Final

from qtasks.exc import ServerError

if TYPE_CHECKING:
    from qtasks.adapters.sqlite.unit import Unit

__all__ = ["DamagedRowError", "mend", "suspected"]

#: What jobs raise when they reckon with values of wrong types.
_REASONS: Final = (TypeError, ValueError, KeyError, OverflowError)
#: What the driver says of text that is not UTF-8; there is no code for it.
_NO_TEXT: Final = "Could not decode to UTF-8"

#: What a column gets instead, by the type it has.
_INSTEAD: Final = {
    "integer": {
        "priority": "0", "turn": "1", "token": "0", "attempts": "0", "deliveries": "0",
        "lost": "0", "snoozes": "0", "requeues": "0", "dead": "0", "away": "0",
    },
    "real": {
        "due": "0.0", "created_at": "0.0", "lease_until": "0.0", "gc_at": "0.0",
        "started_at": "NULL", "finished_at": "NULL", "expires_at": "NULL", "delay": "NULL",
        "eta": "NULL", "expires": "NULL",
    },
    "text": {
        "id": "'damaged-' || seq", "status": "'new'", "task": "''", "worker": "NULL",
        "cancel": "NULL", "reason": "NULL", "unique_key": "NULL", "parent_id": "NULL",
        "root_id": "NULL", "error_type": "NULL", "error_message": "NULL",
        "error_traceback": "NULL",
    },
    "blob": {
        "payload": "x''", "result": "NULL", "history": "NULL", "progress": "NULL",
        "headers": "x'c1'",
    },
}  # fmt: skip

#: Headers that cannot be read make a delivery that only fails; no other mark is needed.
_MARK: Final = "headers = x'c1'"
_SOUND: Final = "qtasks_is_text"


def _wrong(column: str, kind: str) -> str:
    """Returns the condition that a column holds what it should not."""
    wrong = f"typeof({column}) NOT IN ('{kind}', 'null')"
    return f"({wrong} OR NOT {_SOUND}(CAST({column} AS BLOB)))" if kind == "text" else wrong


_WRONG: Final = {
    column: (value, _wrong(column, kind))
    for kind, columns in _INSTEAD.items()
    for column, value in columns.items()
}
_ANY: Final = " OR ".join(wrong for _, wrong in _WRONG.values())
_MEND: Final = [
    f"UPDATE task SET {column} = {value}, {_MARK} WHERE seq = ? AND {wrong}"  # noqa: S608 - all of it stands above
    for column, (value, wrong) in _WRONG.items()
]


class DamagedRowError(ValueError):
    """A row has values that no task of ours can have."""


def suspected(result: Any) -> bool:
    """Tells whether a job may have failed because of such a row."""
    if isinstance(result, _REASONS):
        return True
    cause = result.__cause__ if isinstance(result, ServerError) else None
    return isinstance(cause, sqlite3.Error) and _NO_TEXT in str(cause)


def mend(unit: Unit) -> bool:
    """Puts right all such rows, which takes a look at every row; a job.

    Returns:
        whether there were any.
    """
    conn = unit.conn
    conn.create_function(_SOUND, 1, _is_text)
    damaged = conn.execute(f"SELECT seq FROM task WHERE {_ANY}").fetchall()  # noqa: S608 - likewise
    for statement in _MEND:
        conn.executemany(statement, damaged)
    return bool(damaged)


def _is_text(value: bytes | None) -> bool:
    try:
        (value or b"").decode()
    except UnicodeDecodeError:
        return False
    return True
