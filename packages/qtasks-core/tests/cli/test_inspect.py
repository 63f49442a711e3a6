"""``qtasks inspect``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Shop


def test_the_app_is_shown(shop: Shop) -> None:
    shop.add("resize", "cat.jpg")
    shop.report()

    done = shop.run("inspect")

    assert "Queues   default: 1 ready, 0 delayed" in done.stdout
    assert "         send" in done.stdout
    assert " tasks run, takes from " in done.stdout


def test_a_task_is_shown(shop: Shop) -> None:
    done = shop.run("inspect", "resize")

    assert "resize(path" in done.stdout
    assert "Queues" not in done.stdout


def test_tasks_are_an_array_in_json(shop: Shop) -> None:
    document = shop.json("inspect", "resize", "send")

    assert [task["name"] for task in document] == ["resize", "send"]


def test_a_name_that_is_not_known_gets_a_near_one(shop: Shop) -> None:
    done = shop.run("inspect", "resise")

    assert done.exit_code == 2
    assert "has no task 'resise', did you mean 'resize'?" in done.stderr
