"""Every record that is made while a task runs names the task, whoever made it and where."""

from __future__ import annotations

import asyncio
import importlib
import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.cli.logs import TaskFormatter
from qtasks.logs import TaskFilter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Harness

log = logging.getLogger("shop")

in_memory = pytest.mark.parametrize("url", ["memory"], indirect=True)


class Kept(logging.Handler):
    """Keeps what the records say of tasks."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def of(self, logger: str) -> list[tuple[Any, Any]]:
        """Name and id of the tasks, for each record of a logger."""
        found = [vars(record) for record in self.records if record.name == logger]
        return [(values.get("task_name"), values.get("task_id")) for values in found]


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler = Kept()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


@in_memory
def test_records_of_both_kinds_of_task_name_them(harness: Harness, kept: Kept) -> None:
    @harness.app.task
    def plain() -> None:
        log.warning("in a thread")

    @harness.app.task(name="shop.coroutine")
    async def coroutine() -> None:
        await asyncio.sleep(0)
        log.warning("on the loop")

    ids = [harness.do(task.add_task()).id for task in (plain, coroutine)]

    harness.work()

    assert sorted(kept.of("shop")) == [("plain", ids[0]), ("shop.coroutine", ids[1])]


@in_memory
def test_tasks_that_run_at_once_are_told_apart(harness: Harness, kept: Kept) -> None:
    meeting = threading.Barrier(2, timeout=30)

    @harness.app.task
    def meet(word: str) -> None:
        meeting.wait()
        log.warning(word)

    ids = {word: harness.do(meet.add_task(word)).id for word in ("a", "b")}

    harness.work()

    told = {record.getMessage(): vars(record)["task_id"] for record in kept.records}
    assert {word: told[word] for word in ids} == ids


@in_memory
def test_what_the_worker_says_of_a_failure_names_the_task(harness: Harness, kept: Kept) -> None:
    @harness.app.task
    def fail() -> None:
        raise ValueError

    handle = harness.do(fail.add_task())

    harness.work()

    assert ("fail", handle.id) in kept.of("qtasks.worker")


@in_memory
def test_outside_of_tasks_the_attributes_are_empty(
    harness: Harness, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "qtasks.worker")

    @harness.app.task
    def nothing() -> None: ...

    harness.do(nothing.add_task())
    harness.work()

    assert kept.of("qtasks.worker")[0] == ("", "")


@in_memory
def test_attributes_of_the_users_own_stay(harness: Harness, kept: Kept) -> None:
    @harness.app.task
    def speak() -> None:
        log.warning("mine", extra={"task_id": 5})

    harness.do(speak.add_task())
    harness.work()

    assert kept.of("shop") == [("speak", 5)]


@in_memory
def test_handlers_are_left_as_they_were(harness: Harness, kept: Kept) -> None:
    own = TaskFilter()
    other = Kept()
    other.addFilter(own)
    log.addHandler(other)

    async def twice() -> None:
        async with harness.app.worker():
            async with harness.app.worker():
                assert len(kept.filters) == 1
                assert other.filters == [own]
            assert len(kept.filters) == 1

    asyncio.run(twice())
    log.removeHandler(other)

    assert kept.filters == []
    assert other.filters == [own]


@in_memory
def test_records_of_pool_processes_name_the_task(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "worker")
    functions = importlib.import_module("process_tasks")
    harness.app.config.max_processes = 1
    ready = harness.app.task(pool="process")(functions.log_from_child)
    speak = harness.app.task(pool="process")(functions.log_more)
    first = harness.do(ready.options(priority=-1).add_task(str(tmp_path / "log")))
    second = harness.do(speak.add_task(""))
    harness.work()

    assert harness.do(first.result(timeout=10)) == "ready"
    assert (tmp_path / "log").read_text() == f"log_more {second.id}: hello\n"


def test_the_command_line_shows_the_task_where_the_text_does_not() -> None:
    task = {"task_id": "01993a5c-1111-7222-8333-7d1f5f6f2a10", "task_name": "resize"}
    usual = {"levelname": "INFO", "levelno": 20, "created": 0.0, "msg": "%s there", "args": ("is",)}

    def shown(name: str, **more: Any) -> str:
        record = logging.makeLogRecord({**usual, "name": name, **more})
        return TaskFormatter().format(record)[len("00:00:00 ") :]

    assert shown("shop", **task) == "INFO    shop [resize 7d1f5f6f2a10]: is there"
    assert shown("qtasks.plugins", **task).startswith("INFO    qtasks.plugins [resize ")
    assert shown("qtasks.worker", **task) == "INFO    qtasks.worker: is there"
    assert shown("shop", task_id="", task_name="") == "INFO    shop: is there"
    assert shown("shop") == "INFO    shop: is there"
