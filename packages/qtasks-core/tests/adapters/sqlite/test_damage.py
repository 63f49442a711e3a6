"""Rows that somebody else has damaged: a dead letter each, and the worker goes on."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

import pytest

from qtasks.asyncio import QueueTasks

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("column", ["headers", "payload"])
@pytest.mark.parametrize("value", [5, 1.5, "text"])
def test_a_column_of_the_wrong_type_is_a_malformed_message(
    tmp_path: Path, column: str, value: object
) -> None:
    path = tmp_path / "q.db"
    app = QueueTasks(broker_url=f"sqlite:///{path}")
    app.task(name="fine")(lambda: 5)

    async def main() -> tuple[str, object]:
        bad = await app.add_task("fine")
        damage = sqlite3.connect(path)
        damage.execute(f"UPDATE task SET {column} = ?", (value,))
        damage.commit()
        damage.close()
        good = await app.add_task("fine")
        await app.worker(burst=True).run()
        ends = (await bad.refresh()).reason, (await good.refresh()).returning
        await app.close()
        return ends

    assert asyncio.run(main()) == ("malformed", 5)
