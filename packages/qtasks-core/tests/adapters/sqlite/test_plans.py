"""Every statement goes through an index, and costs the same however much is queued."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.adapters import sqlite as room
from qtasks.adapters.sqlite import schema
from qtasks.schemas import RecordQuery, Retry, Settlement, Success

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qtasks.adapters.sqlite import SqliteBroker
    from qtasks.testing.clock import FakeClock

STATEMENT = re.compile(r"\s*(SELECT|UPDATE|DELETE|INSERT)\s")


def statements() -> Iterator[tuple[str, str]]:
    """Yields every SQL statement of the room with its name."""
    for found in pkgutil.iter_modules(room.__path__):
        module = importlib.import_module(f"{room.__name__}.{found.name}")
        for name, value in sorted(vars(module).items()):
            values = [value]
            if isinstance(value, tuple):
                values = list(value)
                if values and isinstance(values[0], tuple):
                    values = [text for pair in values for text in pair]
            elif isinstance(value, dict) and name.isupper():
                values = list(value.values())
            for text in values:
                # What ends in FROM task is a part of others.
                if isinstance(text, str) and STATEMENT.match(text) and module is not schema:
                    whole = text.rstrip().rstrip(";")
                    if not whole.endswith(("FROM task", "SET", "INDEXED BY")) and (
                        " WHERE " in " ".join(whole.split()) or "INSERT" in whole
                    ):
                        yield f"{found.name}.{name}", whole


def parameters(statement: str) -> Any:
    names = re.findall(r":(\w+)", statement)
    if names:
        return dict.fromkeys(names)
    numbers = [int(number) for number in re.findall(r"\?(\d+)", statement)]
    return (None,) * (max(numbers) if numbers else statement.count("?"))


@pytest.fixture
def conn() -> Iterator[sqlite3.Connection]:
    conn = sqlite3.connect(":memory:")
    for migration in schema.MIGRATIONS:
        for statement in migration:
            conn.execute(statement)
    yield conn
    conn.close()


def test_statements_are_found() -> None:
    names = {name for name, _ in statements()}
    assert {"claim._READY", "settle._SUCCEED", "records._GET", "queues._HEADS"} <= names
    assert len(names) > 40


@pytest.mark.parametrize(("name", "statement"), list(statements()))
def test_no_statement_reads_all_tasks(conn: sqlite3.Connection, name: str, statement: str) -> None:
    if statement.endswith(" IN"):
        statement += " (?)"
    plan = [
        row[3].replace("TABLE ", "")
        for row in conn.execute(f"EXPLAIN QUERY PLAN {statement}", parameters(statement))
    ]
    # Leased tasks are as many as there are slots, the others would be without bounds.
    scans = [step for step in plan if step.startswith("SCAN task") and "task_leased" not in step]
    # A bucket is small, and a queue is not.
    sorts = [step for step in plan if "TEMP B-TREE" in step and not name.startswith("buckets.")]
    assert (scans, sorts) == ([], []), name


class Meter:
    """Counts the steps of SQLite's machine on a broker's writing connection."""

    def __init__(self, broker: SqliteBroker) -> None:
        self.steps = 0
        conn = broker._engine._database._writer.conn
        assert conn is not None
        conn.set_progress_handler(self.step, 100)

    def step(self) -> int:
        self.steps += 1
        return 0


def cost_of_a_round(
    twin: SqliteBroker, request_for: Callable[..., Any], run: Callable[..., Any]
) -> int:
    deliveries = run(twin.claim(request_for(100)))
    assert len(deliveries) == 100
    meter = Meter(twin)
    settlements = [
        Settlement(one.id, one.token, Success(b"result"), receipt=one.receipt) for one in deliveries
    ]
    exchange = run(twin.exchange(settlements, request_for(100)))
    assert (len(exchange.deliveries), exchange.refused) == (100, ())
    return meter.steps


def test_a_round_costs_the_same_however_much_is_queued(
    twin: SqliteBroker,
    clock: FakeClock,
    message: Callable[..., Any],
    request_for: Callable[..., Any],
    run: Callable[..., Any],
) -> None:
    run(twin.publish([message() for _ in range(300)]))
    few = cost_of_a_round(twin, request_for, run)
    # A crowd of suspects, and of tasks whose time has not come, all before the others.
    run(twin.publish([message(priority=-9) for _ in range(3000)]))
    lost = run(twin.claim(request_for(3000)))
    assert run(twin.expire("w1")) >= 3000
    run(twin.publish([message(priority=-5, delay=9999) for _ in range(20000)]))
    run(twin.publish([message() for _ in range(20000)]))
    assert len(lost) == 3000
    many = cost_of_a_round(twin, request_for, run)
    assert many < few * 1.2
    clock.advance(1)
    assert run(twin.stats("q")).delayed == 20000


def test_what_expired_is_stepped_over_once(
    twin: SqliteBroker,
    clock: FakeClock,
    message: Callable[..., Any],
    request_for: Callable[..., Any],
    run: Callable[..., Any],
) -> None:
    run(twin.publish([message(expires=1) for _ in range(5000)]))
    run(twin.publish([message() for _ in range(100)]))
    clock.advance(2)
    rounds = 0
    while not run(twin.claim(request_for(100))):
        rounds += 1
    assert 0 < rounds < 10
    run(twin.publish([message() for _ in range(100)]))
    meter = Meter(twin)
    assert len(run(twin.claim(request_for(100)))) == 100
    assert meter.steps < 300
    swept = run(twin.sweep(10000))
    assert len(swept.expired) == 5000


def test_a_burst_of_due_tasks_is_taken_in_portions(
    twin: SqliteBroker,
    clock: FakeClock,
    message: Callable[..., Any],
    request_for: Callable[..., Any],
    run: Callable[..., Any],
) -> None:
    run(twin.publish([message(delay=1) for _ in range(12000)]))
    clock.advance(2)
    assert run(twin.stats("q")).ready == 12000
    meter = Meter(twin)
    first = run(twin.claim(request_for(10)))
    assert len(first) == 10
    assert meter.steps < 4000
    ids = [one.id for one in first]
    while deliveries := run(twin.claim(request_for(3000))):
        ids += [one.id for one in deliveries]
    assert len(set(ids)) == 12000
    assert ids == sorted(ids)


def test_counting_costs_the_same_however_much_is_queued(
    twin: SqliteBroker, message: Callable[..., Any], run: Callable[..., Any]
) -> None:
    def cost() -> int:
        run(twin.stats("q"))
        conn = twin._engine._database._reader.conn
        assert conn is not None
        steps = 0

        def step() -> int:
            nonlocal steps
            steps += 1
            return 0

        conn.set_progress_handler(step, 1)
        run(twin.stats("q"))
        conn.set_progress_handler(None, 1)
        return steps

    run(twin.publish([message(priority=number % 3) for number in range(10)]))
    few = cost()
    run(twin.publish([message(priority=number % 3) for number in range(10000)]))
    run(twin.publish([message(delay=99) for number in range(10000)]))
    assert cost() < few * 1.2


@pytest.mark.parametrize(
    "settled", [Success(b"result"), Retry(delay=1.0, counted=True), Retry(delay=0.0)]
)
def test_a_batch_is_a_handful_of_statements(
    settled: Any,
    twin: SqliteBroker,
    message: Callable[..., Any],
    request_for: Callable[..., Any],
    run: Callable[..., Any],
) -> None:
    run(twin.publish([message() for _ in range(200)]))
    deliveries = run(twin.claim(request_for(100)))
    conn = twin._engine._database._writer.conn
    assert conn is not None
    texts: list[str] = []
    conn.set_trace_callback(texts.append)
    settlements = [
        Settlement(one.id, one.token, settled, receipt=one.receipt) for one in deliveries
    ]
    run(twin.exchange(settlements, request_for(100)))
    conn.set_trace_callback(None)
    assert sum(text.lstrip().startswith("SELECT") for text in texts) < 10


def test_pages_go_on_where_the_last_one_ended(
    twin: SqliteBroker, message: Callable[..., Any], run: Callable[..., Any]
) -> None:
    messages = [message() for _ in range(25)]
    run(twin.publish(messages))
    ids: list[str] = []
    query = RecordQuery(limit=10)
    for size in (10, 10, 5):
        page = run(twin.storage.list(query))
        assert len(page.records) == size
        ids += [record.id for record in page.records]
        query = RecordQuery(limit=10, cursor=page.cursor)
    assert page.cursor is None
    assert ids == [one.id for one in reversed(messages)]
