"""``qtasks run``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Shop


def test_a_burst_runs_what_is_queued_and_ends(shop: Shop) -> None:
    task_id = shop.add("resize", "cat.jpg")

    done = shop.run("run", "--burst")

    task = shop.queue.get(task_id)
    assert done.exit_code == 0
    assert task is not None
    assert task.returning == {"path": "cat.jpg", "size": (256, 256)}


def test_it_says_what_it_does(shop: Shop) -> None:
    done = shop.run("run", "--burst", "--concurrency", "3", "--queues", "mail, default")

    assert "runs shop:app" in done.stderr
    assert f"tasks are in  {shop.queue.broker.url}" in done.stderr
    assert "queues        mail, default" in done.stderr
    assert "at once       3 tasks, 3 threads" in done.stderr
    assert "knows         resize, send, skip" in done.stderr
    assert done.stdout == ""


def test_only_the_named_queues_are_worked_on(shop: Shop) -> None:
    mail, image = shop.add("send", "me@example.org"), shop.add("resize", "cat.jpg")

    shop.run("run", "--burst", "--queues", "mail")

    statuses = [task and task.status for task in map(shop.queue.get, (mail, image))]
    assert statuses == ["success", "new"]


def test_json_says_how_much_was_done(shop: Shop) -> None:
    shop.add("resize", "cat.jpg")

    document = shop.json("run", "--burst")

    assert document["settled"] == 1
    assert document["queues"] == ["default"]


def test_the_log_level_can_be_set(shop: Shop) -> None:
    shop.run("run", "--burst", "--log-level", "error")

    assert logging.getLogger().level == logging.ERROR


def test_no_queue_is_refused(shop: Shop) -> None:
    done = shop.run("run", "--queues", " ,")

    assert done.exit_code == 2
    assert "name one queue or several" in done.stderr
