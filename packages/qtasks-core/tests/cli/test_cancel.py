"""``qtasks tasks cancel``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qtasks._core.client import Client
from qtasks._runtime.bridge import drive
from qtasks.schemas import Claim, Page, RecordQuery, Retry, Settlement

if TYPE_CHECKING:
    from conftest import Shop

UNKNOWN = "6a0b7a5e-7c1b-4b43-8d5e-3f6a0f0e9c11"


def status(shop: Shop, task_id: str) -> tuple[str, str]:
    """Returns where a task stands, and why."""
    task = shop.queue.get(task_id)
    assert task is not None
    return str(task.status), task.reason


def start(shop: Shop) -> None:
    """Hands the oldest task of the default queue to a worker."""
    twin = shop.queue.broker.client()
    assert twin is not None
    assert len(drive(twin.claim(Claim(("default",), 1, 60.0, "here-1")))) == 1


def test_a_waiting_task_is_cancelled(shop: Shop) -> None:
    task_id = shop.add("resize", "cat.jpg")

    done = shop.run("tasks", "cancel", task_id, "--reason", "not wanted")

    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[1].split() == [task_id, "cancelled", "it", "will", "not", "run"]
    assert status(shop, task_id) == ("cancel", "not wanted")


def test_each_id_has_its_answer(shop: Shop) -> None:
    running, waiting, over = (shop.add("resize", name) for name in ("a", "b", "c"))
    start(shop)
    shop.queue.cancel(over)

    done = shop.run("tasks", "cancel", running, waiting, over, UNKNOWN)

    assert done.exit_code == 1
    answers = [line.split()[:2] for line in done.stdout.splitlines()[1:]]
    assert answers == [
        [running, "requested"],
        [waiting, "cancelled"],
        [over, "finished"],
        [UNKNOWN, "unknown"],
    ]


def test_answers_are_counted_for_programs(shop: Shop) -> None:
    task_id = shop.add("resize", "cat.jpg")

    document = shop.json("tasks", "cancel", task_id, task_id)

    assert document == {
        "cancelled": 1,
        "requested": 0,
        "finished": 0,
        "unknown": 0,
        "answers": {task_id: "cancelled"},
    }


def test_the_end_of_an_id_is_enough(shop: Shop) -> None:
    task_id = shop.add("resize", "cat.jpg")

    assert shop.json("tasks", "cancel", task_id[-8:])["answers"] == {task_id: "cancelled"}


def test_all_cancels_what_is_not_over(shop: Shop) -> None:
    shop.add("resize", "first")
    shop.work()
    running, waiting = shop.add("resize", "cat.jpg"), shop.add("send", "a@b")
    start(shop)

    done = shop.run("tasks", "cancel", "--all", "--yes")

    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        f"cancelled 1 in {shop.queue.broker.url}",
        "asked the workers of 1 running ones to stop them",
    ]
    assert status(shop, waiting) == ("cancel", "cancelled from the command line")
    assert status(shop, running)[0] == "process"


@pytest.mark.parametrize(
    "filters", [["--task", "send"], ["--queue", "mail"], ["--status", "new", "--task", "send"]]
)
def test_filters_leave_a_part(shop: Shop, filters: list[str]) -> None:
    one, other = shop.add("send", "a@b"), shop.add("resize", "cat.jpg")

    document = shop.json("tasks", "cancel", "--all", "--yes", "--since", "1h", *filters)

    assert document["answers"] == {one: "cancelled"}
    assert status(shop, other)[0] == "new"


def test_a_task_that_moves_on_meanwhile_is_found(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = shop.add("resize", "cat.jpg")
    start(shop)
    looked: list[object] = []

    async def page(client: Client, query: RecordQuery) -> Page:
        """Lets the task fail between the look at retries and that at running tasks."""
        looked.append(query.status)
        if query.status == "process" and looked.count("process") == 1:
            twin = shop.queue.broker.client()
            assert twin is not None
            drive(twin.settle([Settlement(task_id, 1, Retry(60.0), attempts=1)]))
        return await client._storage.list(query)

    monkeypatch.setattr(Client, "page", page)

    document = shop.json("tasks", "cancel", "--all", "--yes")

    assert document["answers"] == {task_id: "cancelled"}


def test_thousands_are_cancelled(shop: Shop) -> None:
    for number in range(1203):
        shop.add("send", str(number))

    done = shop.run("tasks", "cancel", "--all", "--yes")

    assert done.stdout.startswith("cancelled 1,203 in ")
    assert shop.json("tasks", "list", "--status", "new") == []


def test_all_needs_a_yes(shop: Shop) -> None:
    task_id = shop.add("resize", "cat.jpg")

    refused = shop.run("tasks", "cancel", "--all")

    assert refused.exit_code == 2
    assert "error: cancel --all ends tasks for good: add --yes" in refused.stderr
    assert status(shop, task_id)[0] == "new"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name the ids of tasks, or say --all; not both"),
        ([UNKNOWN, "--all"], "name the ids of tasks, or say --all; not both"),
        (["--task", "resize"], "--task needs --all"),
        ([UNKNOWN, "--task", "a", "--status", "new"], "--task and --status need --all"),
        (["--all", "--status", "done"], "--status 'done': write one of new, process, retry,"),
        (["--all", "--status", "error"], "--status error: such tasks are over; only new, process"),
        (["--all", "--since", "soon"], "--since 'soon': write a span"),
        (["12"], "'12' is not the id of a task"),
    ],
)
def test_what_makes_no_sense_is_refused(shop: Shop, arguments: list[str], words: str) -> None:
    done = shop.run("tasks", "cancel", *arguments)

    assert done.exit_code == 2
    assert f"error: {words}" in done.stderr
