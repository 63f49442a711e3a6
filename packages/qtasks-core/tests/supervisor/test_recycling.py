"""Children that have served long enough are replaced, and nothing is lost or run twice."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Crew

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the signals are those of Unix")


def test_children_are_replaced_after_so_many_tasks(crew: Crew) -> None:
    crew.env["QTASKS_MAX_TASKS_PER_CHILD"] = "5"
    handles = [crew.queue.add_task("sleep", 0.001) for _ in range(20)]

    crew.start("--burst", "--json", "--concurrency", "1")
    document = crew.document()

    assert document["processes"] == 1  # one too is a child, because it is to be replaced
    assert document["settled"] == 20
    assert len(set(crew.noted("S"))) == 4
    assert {handle.refresh().record.deliveries for handle in handles} == {1}
    assert "1 child of this one, replaced after 5 tasks" in crew.said
    assert "is replaced: 5 tasks, max_tasks_per_child is 5" in crew.said


def test_a_replacement_works_while_the_old_child_finishes(crew: Crew) -> None:
    crew.env["QTASKS_MAX_TASKS_PER_CHILD"] = "1"
    process = crew.start("--concurrency", "2")
    long = crew.queue.add_task("first_time_only")
    (old,) = crew.until_noted("S")

    assert crew.queue.add_task("where").result(60) == old
    others = {crew.queue.add_task("where").result(60) for _ in range(3)}

    assert old not in others
    assert long.refresh().status == "process"
    process.send_signal(signal.SIGTERM)
    crew.until_said("Stopping: 1 tasks still run")
    process.send_signal(signal.SIGTERM)
    assert crew.end() == 0
    assert long.refresh().status == "new"


def test_children_that_take_too_much_memory_are_replaced(crew: Crew) -> None:
    crew.env["QTASKS_MAX_MEMORY_PER_CHILD"] = str(150 * 1024 * 1024)
    crew.start()
    crew.queue.add_task("grow", 200_000_000).result(60)
    (big,) = crew.noted("S")

    crew.until_said("MiB of memory, max_memory_per_child is 150 MiB")

    crew.until_gone([big])
    assert crew.queue.add_task("where").result(60) != big


def test_a_child_with_too_many_abandoned_threads_is_replaced(crew: Crew) -> None:
    crew.start("--processes", "2", "--concurrency", "1")
    handle = crew.queue.add_task("overrun", 600)

    crew.until_said("1 threads run on after the max_time of their tasks")

    assert handle.wait(60).reason == "exhausted"
    assert {crew.queue.add_task("where").wait(60).status for _ in range(4)} == {"success"}
