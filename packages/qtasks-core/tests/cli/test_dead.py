"""``qtasks dead``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Shop


def statuses(shop: Shop, *ids: str) -> list[str]:
    """Returns where the tasks stand; ``gone`` for those without a record."""
    found = [shop.queue.get(task_id) for task_id in ids]
    return ["gone" if task is None else str(task.status) for task in found]


@pytest.fixture
def two(shop: Shop) -> list[str]:
    """Two dead letters: of ``send``, and of ``resize``, which was called badly."""
    ids = [shop.add("send", "me"), shop.add("resize", "cat.jpg", 1, 2)]
    shop.work()
    assert statuses(shop, *ids) == ["error", "error"]
    return ids


def test_dead_letters_are_listed(shop: Shop, two: list[str]) -> None:
    shop.add("resize", "fine.jpg")

    document = shop.json("dead", "list")

    assert {task["id"] for task in document} == set(two)


@pytest.mark.parametrize(
    "options",
    [
        ["--task", "send"],
        ["--error", "ValueError"],
        ["--queue", "mail", "--since", "1h"],
        ["--queue", "mail", "--reason", "exhausted"],
    ],
)
def test_filters(shop: Shop, two: list[str], options: list[str]) -> None:
    document = shop.json("dead", "list", *options)

    assert [task["id"] for task in document] == two[:1]


def test_a_dead_letter_is_shown(shop: Shop, two: list[str]) -> None:
    done, document = shop.run("dead", "show", two[0]), shop.json("dead", "show", two[0])

    assert "'me' is no address" in done.stdout
    assert document["dead"] is True


def test_other_tasks_are_not_dead_letters(shop: Shop) -> None:
    task_id = shop.add("resize", "cat.jpg")

    done = shop.run("dead", "show", task_id)

    assert done.exit_code == 2
    assert f"{task_id} is not a dead letter: its status is new" in done.stderr


def test_dead_letters_go_back_by_id(shop: Shop, two: list[str]) -> None:
    done = shop.run("dead", "requeue", two[0])

    assert done.stdout == f"requeued 1 in {shop.queue.broker.url}\n"
    assert statuses(shop, *two) == ["new", "error"]


def test_dead_letters_go_back_with_a_filter(shop: Shop, two: list[str]) -> None:
    document = shop.json("dead", "requeue", "--all", "--task", "send")

    assert document == {"requeued": 1, "not_dead": []}
    assert statuses(shop, *two) == ["new", "error"]


def test_attempts_start_anew_unless_they_are_kept(shop: Shop, two: list[str]) -> None:
    shop.run("dead", "requeue", two[0], "--keep-attempts")
    shop.run("dead", "requeue", two[1])

    kept, reset = (shop.queue.get(task_id) for task_id in two)
    assert kept is not None
    assert reset is not None
    assert (kept.attempts, reset.attempts) == (1, 0)


def test_they_can_be_spread(shop: Shop, two: list[str]) -> None:
    shop.run("dead", "requeue", "--all", "--spread", "1h")

    due = [task.record.due_at for task in map(shop.queue.get, two) if task]
    assert max(due) - min(due) > 60


def test_thousands_go_back_page_by_page(shop: Shop) -> None:
    for number in range(1203):
        shop.add("send", str(number))
    shop.work()

    done = shop.run("dead", "requeue", "--all")

    assert done.stdout.startswith("requeued 1,203 in ")
    assert shop.json("dead", "list") == []


def test_an_id_that_is_not_dead_is_exit_code_1(shop: Shop, two: list[str]) -> None:
    fine = shop.add("resize", "cat.jpg")

    done = shop.run("dead", "requeue", fine, two[0])

    assert done.exit_code == 1
    assert done.stdout.startswith("requeued 1 in ")
    assert f"not a dead letter: {fine}" in done.stderr


def test_dead_letters_are_discarded_by_id(shop: Shop, two: list[str]) -> None:
    document = shop.json("dead", "discard", two[0])

    assert document == {"discarded": 1, "not_dead": []}
    assert statuses(shop, *two) == ["gone", "error"]


def test_discarding_all_needs_a_yes(shop: Shop, two: list[str]) -> None:
    refused = shop.run("dead", "discard", "--all")
    done = shop.run("dead", "discard", "--all", "--yes")

    assert refused.exit_code == 2
    assert "add --yes" in refused.stderr
    assert done.stdout.startswith("discarded 2 in ")


@pytest.mark.parametrize("command", ["requeue", "discard"])
@pytest.mark.parametrize("ids", [[], ["6a0b7a5e-7c1b-4b43-8d5e-3f6a0f0e9c11"]])
def test_filters_need_all(shop: Shop, command: str, ids: list[str]) -> None:
    one = shop.run("dead", command, *ids, "--task", "add")
    two = shop.run("dead", command, *ids, "--task", "add", "--since", "1h")

    assert (one.exit_code, two.exit_code) == (2, 2)
    assert "error: --task needs --all, of which filters leave a part; or name ids" in one.stderr
    assert "error: --task and --since need --all" in two.stderr


def test_ids_may_be_shortened(shop: Shop, two: list[str]) -> None:
    shown = shop.json("dead", "show", two[0][-6:])
    requeued = shop.json("dead", "requeue", two[0][-8:], two[1])

    assert shown["id"] == two[0]
    assert requeued == {"requeued": 2, "not_dead": []}


def test_all_lists_all(shop: Shop, two: list[str]) -> None:
    document = shop.json("dead", "list", "--limit", "1", "--all")

    assert {task["id"] for task in document} == set(two)


@pytest.mark.parametrize("arguments", [[], ["--all", "6a0b7a5e-7c1b-4b43-8d5e-3f6a0f0e9c11"]])
def test_ids_or_all(shop: Shop, arguments: list[str]) -> None:
    done = shop.run("dead", "requeue", *arguments)

    assert done.exit_code == 2
    assert "name the ids of dead letters, or say --all; not both" in done.stderr
