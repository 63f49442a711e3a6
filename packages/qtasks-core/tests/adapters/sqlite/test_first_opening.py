"""Several processes open a file that does not exist yet."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from qtasks.adapters.sqlite import opening
from qtasks.adapters.sqlite.url import Target

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_connection_waits_while_another_makes_the_file_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "queue.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    waits = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if other.in_transaction:
            other.execute("ROLLBACK")

    monkeypatch.setattr(opening.time, "sleep", sleep)

    opening.connect(Target(str(path))).close()
    other.close()

    assert waits
