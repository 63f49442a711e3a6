"""Rows that somebody changed by hand, so that the counts of a queue are wrong."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from qtasks import QueueTasks

if TYPE_CHECKING:
    from pathlib import Path


def test_a_task_moved_by_hand_does_not_stop_the_stats(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    app = QueueTasks(broker_url=f"sqlite:///{path}")

    @app.task
    def echo(text: str) -> str:
        return text

    moved, other = echo.add_task("a"), echo.add_task("b")
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("UPDATE task SET queue = 'elsewhere' WHERE id = ?", (moved.id,))
    other.cancel()

    (stats,) = app.stats("default")

    assert stats.oldest_ready_age is None
