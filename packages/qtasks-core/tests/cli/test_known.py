"""Names that nobody knows are said to be so, on standard error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Shop

QUEUE = "there is no queue 'maill' in memory://"
TASK = "neither the app nor a record knows a task 'resise'. Did you mean 'resize'?"


@pytest.mark.parametrize(
    "command",
    [
        "tasks list",
        "dead list",
        "tasks cancel --all --yes",
        "dead requeue --all",
        "dead discard --all --yes",
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_misspelt_filters_are_named(shop: Shop, command: str, form: list[str]) -> None:
    done = shop.run(*command.split(), "--queue", "maill", "--task", "resise", *form)

    assert done.exit_code == 0
    assert " match in memory://" in done.stderr
    assert QUEUE in done.stderr
    assert "Did you mean 'mail'?" in done.stderr
    assert TASK in done.stderr
    if form:
        json.loads(done.stdout)


def test_what_is_known_and_empty_is_not_called_unknown(shop: Shop) -> None:
    done = shop.run("tasks", "list", "--queue", "mail", "--task", "resize")

    assert "no tasks match in" in done.stderr
    assert "there is no queue" not in done.stderr
    assert "neither" not in done.stderr


def test_a_task_that_only_a_record_knows_is_known(shop: Shop) -> None:
    shop.queue.add_task("elsewhere", queue="slow")

    done = shop.run("dead", "list", "--task", "elsewhere", "--queue", "slow")

    assert "neither" not in done.stderr
    assert "there is no queue" not in done.stderr


@pytest.mark.parametrize("command", ["dead requeue --all", "dead discard --all --yes"])
def test_an_error_that_no_dead_letter_has_matches_nothing(shop: Shop, command: str) -> None:
    shop.add("send", "me")
    shop.work()

    done = shop.run(*command.split(), "--error", "Nope")

    assert f"no dead letters match in {shop.queue.broker.url}" in done.stderr
    assert shop.queue.stats("mail")[0].dead == 1


def test_a_worker_says_that_it_takes_from_an_unknown_queue(shop: Shop) -> None:
    done = shop.run("run", "--burst", "--queues", "maill,default")

    assert done.exit_code == 0
    assert QUEUE in done.stderr
    assert "'default' in" not in done.stderr


def test_a_worker_of_known_queues_says_nothing(shop: Shop) -> None:
    shop.queue.add_task("resize", "cat.jpg", queue="slow")

    done = shop.run("run", "--burst", "--queues", "mail,slow")

    assert "there is no queue" not in done.stderr
