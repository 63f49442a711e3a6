"""What somebody did to the row of one task costs that task, and no other."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any, Final

import pytest

from qtasks.asyncio import QueueTasks
from qtasks.schemas import (
    Claim,
    Delivery,
    Fail,
    Held,
    Message,
    Presence,
    RecordQuery,
    Settlement,
    Success,
    TaskError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qtasks.adapters.sqlite import SqliteBroker
    from qtasks.testing import FakeClock

    Run = Callable[..., Any]

GOOD: Final = tuple(f"good{number}" for number in range(4))
#: What names the row, and where it is, is left alone: a row that is elsewhere is another task.
COLUMNS: Final = (
    "status", "task", "priority", "turn", "due", "token", "attempts", "deliveries", "lost",
    "snoozes", "requeues", "dead", "away", "created_at", "started_at", "finished_at",
    "lease_until", "expires_at", "gc_at", "worker", "cancel", "reason", "delay", "eta", "expires",
    "unique_key", "parent_id", "root_id", "error_type", "error_message", "error_traceback",
    "headers", "payload", "result", "history", "progress",
)  # fmt: skip
VALUES: Final = {
    "no text": "CAST(x'fffe' AS TEXT)",
    "bytes": "x'ff91'",
    "a number": "5e300",
    "nothing": "NULL",
    "deep": "CAST(replace(hex(zeroblob(5000)), '00', 'x') AS BLOB)",
}


@pytest.mark.parametrize("column", ["headers", "payload"])
@pytest.mark.parametrize("value", [5, 1.5, "text", b"\x81\xa1\xff\xa1a", b"\x91" * 10_000])
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


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("claimed", [False, True])
def test_any_column_may_hold_anything(
    twin: SqliteBroker, clock: FakeClock, path: Path, run: Run, value: str, *, claimed: bool
) -> None:
    for column in COLUMNS:
        first, second, *rest = (Message(id_, "t", "q", b"p") for id_ in GOOD)
        run(twin.publish([first, second, Message("bad", "t", "q", b"p", expires=90.0), *rest]))
        if claimed:
            run(twin.claim(Claim(("q",), 3, 15.0, "dead")))
        damaged(path, f"UPDATE task SET {column} = {VALUES[value]} WHERE id = 'bad'")

        look(twin, run)
        work(twin, clock, run)

        ends = [(it.status.value, it.dead) for it in run(twin.storage.get(GOOD)) if it]
        assert ends == [("success", False)] * 4, column
        run(twin.purge("q"))
        run(twin.flush())


def test_a_report_that_cannot_be_read_hides_no_other(
    twin: SqliteBroker, path: Path, run: Run
) -> None:
    for name in ("fine", "poisoned"):
        run(twin.report(Presence(name, "host", 1, ("q",)), 60.0))
    damaged(path, "UPDATE presence SET data = x'81ff' WHERE worker = 'poisoned'")

    assert [presence.worker for presence in run(twin.workers())] == ["fine"]


def damaged(path: Path, statement: str) -> None:
    """Changes the file as a program does that is none of ours."""
    conn = sqlite3.connect(path)
    conn.execute("PRAGMA ignore_check_constraints = ON")
    try:
        conn.execute(statement)
        conn.commit()
    except sqlite3.IntegrityError:
        conn.rollback()  # the file does not take that from anybody
    finally:
        conn.close()


def look(broker: SqliteBroker, run: Run) -> None:
    """Reads and changes what people do."""
    storage = broker.storage
    run(storage.get(["bad"]))
    run(storage.wait(["bad"], 0.0))
    run(storage.list(RecordQuery()))
    run(storage.list(RecordQuery(dead=True, since=1.0)))
    run(broker.stats("q"))


def work(broker: SqliteBroker, clock: FakeClock, run: Run) -> None:
    """Does for a minute what workers do."""
    for _ in range(4):
        found = run(broker.claim(Claim(("q",), 10, 15.0, "w")))
        run(broker.extend([Held(d.id, d.token, "q") for d in found], 15.0))
        run(broker.settle([settled(delivery) for delivery in found]))
        clock.advance(16.0)
        run(broker.sweep())
        run(broker.expire("dead"))


def settled(delivery: Delivery) -> Settlement:
    failed = Fail(TaskError("x", "y"), "malformed")
    outcome = Success(b"r") if delivery.malformed is None else failed
    return Settlement(delivery.id, delivery.token, outcome, receipt=delivery.receipt, ttl=1000.0)
