"""``DjangoConnections``: which connections are closed, when, and in which thread."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

import qtasks
import qtasks.asyncio
from qtasks import Depends
from qtasks.contrib.django import DjangoConnections

if TYPE_CHECKING:
    from collections.abc import Iterator


class Database:
    """Asks Django's database, and remembers the connections over which it was asked."""

    def __init__(self) -> None:
        self.opened: list[Any] = []
        self.threads: list[int] = []

    def query(self) -> int:
        """Asks over the connection of this thread."""
        wrapper = connections["default"]
        with wrapper.cursor() as cursor:
            cursor.execute("SELECT 7")
            (number,) = cursor.fetchone()
        self.opened.append(wrapper)
        self.threads.append(threading.get_ident())
        return int(number)

    @property
    def left_open(self) -> int:
        """How many connections are still open."""
        return len({id(one) for one in self.opened if one.connection is not None})


@pytest.fixture
def database() -> Iterator[Database]:
    """A database; what is left open is closed behind the back of Django."""
    made = Database()
    yield made
    for one in made.opened:
        if one.connection is not None:
            one.connection.close()
            one.connection = None


class Bench:
    """Runs one task in a worker of its own."""

    def __init__(self, kind: Any, *plugins: Any) -> None:
        self.app = kind(broker_url="memory://", plugins=[], strict_plugins=True)
        for plugin in plugins:
            self.app.add_plugin(plugin)

    def run(self, function: Any, **options: Any) -> Any:
        """Returns the ended task."""
        task = self.app.task(**options)(function)
        if self.app.method == "sync":
            handle = task.add_task()
            self.app.run_forever(burst=True)
            return self.app.get(handle.uuid)

        async def add_and_run() -> Any:
            handle = await task.add_task()
            async with self.app.worker():
                return await handle.wait(timeout=60)

        return asyncio.run(add_and_run())


@pytest.fixture(params=[qtasks.QueueTasks, qtasks.asyncio.QueueTasks], ids=["sync", "async"])
def bench(request: pytest.FixtureRequest) -> Bench:
    return Bench(request.param, DjangoConnections())


def test_without_it_a_connection_stays_open(database: Database) -> None:
    task = Bench(qtasks.QueueTasks).run(database.query)

    assert task.returning == 7
    assert database.left_open == 1


def test_the_connection_of_a_plain_task_is_closed_in_its_thread(
    bench: Bench, database: Database
) -> None:
    task = bench.run(database.query)

    assert task.returning == 7
    assert database.threads != [threading.get_ident()]
    assert (len(database.opened), database.left_open) == (1, 0)


def test_that_of_a_coroutine_is_closed_where_the_orm_works(
    bench: Bench, database: Database
) -> None:
    async def ask() -> int:
        return await sync_to_async(database.query)()

    task = bench.run(ask)

    assert task.returning == 7
    assert (len(database.opened), database.left_open) == (1, 0)


def test_generators_are_looked_after_too(bench: Bench, database: Database) -> None:
    def count() -> Iterator[int]:
        yield database.query()
        yield database.query()

    task = bench.run(count)

    assert task.returning == [7, 7]
    assert (len(database.opened), database.left_open) == (2, 0)


def test_it_is_closed_after_a_failure(bench: Bench, database: Database) -> None:
    def fail() -> None:
        database.query()
        raise ValueError

    task = bench.run(fail)

    assert task.status == "error"
    assert (len(database.opened), database.left_open) == (1, 0)


def test_dependencies_may_use_it_to_their_end(bench: Bench, database: Database) -> None:
    @contextmanager
    def audited() -> Iterator[int]:
        yield database.query()
        assert database.left_open == 1  # nobody has closed it before
        database.query()

    def ask(first: int = Depends(audited)) -> int:
        return first + database.query()

    task = bench.run(ask)

    assert task.returning == 14
    assert len(set(database.threads)) == 1
    assert (len(database.opened), database.left_open) == (3, 0)


def test_a_connection_that_broke_meanwhile_is_replaced_before_the_run(
    bench: Bench, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def close() -> None:
        seen.append((threading.get_ident(), len(database.opened)))

    monkeypatch.setattr("django.db.close_old_connections", close)

    bench.run(database.query)

    (thread,) = database.threads
    assert seen == [(thread, 0), (thread, 1)]


@pytest.mark.parametrize("pool", ["loop", "process"])
def test_tasks_without_connections_in_this_process_are_left_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, pool: str
) -> None:
    seen: list[int] = []
    monkeypatch.setattr("django.db.close_old_connections", lambda: seen.append(1))

    task = bench.run(threading.active_count, pool=pool, name="count")

    assert task.status == "success"
    assert seen == []
