"""``qtasks run``."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

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
    assert "knows         resize, scan, send, skip" in done.stderr
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


def test_json_stands_alone_whatever_the_code_prints(shop: Shop, tmp_path: Path) -> None:
    with (tmp_path / "shop.py").open("a", encoding="utf-8") as file:
        file.write('print("on import")\n@app.task\ndef shout():\n    print("in the task")\n')
    shop.add("shout")

    done = shop.run("run", "--burst", "--json")

    assert json.loads(done.stdout)["settled"] == 1
    assert "on import" in done.stderr
    assert "in the task" in done.stderr


def test_the_log_level_can_be_set(shop: Shop) -> None:
    shop.run("run", "--burst", "--log-level", "error")

    assert logging.getLogger().level == logging.ERROR


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--queues", " ,"], "--queues ' ,': name one queue or several"),
        (["--queues", "mail,a:b"], "--queues: 'a:b' is not a queue name: use letters"),
        (["--concurrency", "0"], "--concurrency '0': write a whole number of 1 or more"),
        (["--concurrency", "many"], "--concurrency 'many': write a whole number of 1 or more"),
        (["--log-level", "loud"], "--log-level 'loud': write one of debug, info, warning, error"),
        (["--log-level", "warn"], "error. Did you mean 'warning'?"),
    ],
)
def test_what_cannot_be_is_refused(shop: Shop, arguments: list[str], said: str) -> None:
    done = shop.run("run", "--burst", *arguments)

    assert done.exit_code == 2
    assert said in done.stderr
