"""``qtasks bench``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qtasks._runtime.bridge import drive
from qtasks.cli.benching import QUEUE, Figure
from qtasks.schemas import Claim, Message

if TYPE_CHECKING:
    from conftest import Shop

SMALL = ("bench", "--tasks", "20", "--rounds", "2")


def message(number: int) -> Message:
    """A task that an earlier measurement has left."""
    return Message(id=f"00000000-0000-7000-8000-{number:012}", task="old", queue=QUEUE, payload=b"")


def test_a_measurement_is_a_table(shop: Shop) -> None:
    done = shop.run(*SMALL, "--concurrency", "5")

    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].split() == [
        *("measurement", "tasks", "per", "second", "µs", "each", "µs", "of", "CPU")
    ]
    assert [line.split("  ")[0] for line in lines[1:5]] == [
        *("add one by one", "add 20 in a call", "run coroutines", "run functions in threads")
    ]
    assert lines[5].startswith("from adding to the result: p50 ")
    assert "at once       5 tasks" in done.stderr


def test_programs_get_every_round(shop: Shop) -> None:
    document = shop.json(*SMALL)

    assert [(row["tasks"], row["rounds"]) for row in document] == [(20, 2)] * 5
    assert all(row["per_second"] > 0 for row in document[:-1])
    assert 0 < document[-1]["p50"] <= document[-1]["p99"]


def test_it_leaves_the_other_queues_alone_and_its_own_empty(shop: Shop) -> None:
    task_id = shop.add("send", "a@b")
    drive(shop.queue.broker.publish([message(1), message(2)]))

    done = shop.run(*SMALL, "--sleep", "0.001")

    assert done.exit_code == 0, done.output
    left = drive(shop.queue.broker.stats(QUEUE))
    assert (left.ready, left.delayed, left.leased, left.dead) == (0, 0, 0, 0)
    kept = shop.queue.get(task_id)
    assert kept
    assert kept.status == "new"


def test_two_measurements_at_once_are_refused(shop: Shop) -> None:
    drive(shop.queue.broker.publish([message(1)]))
    drive(shop.queue.broker.claim(Claim(queues=(QUEUE,), worker="other", limit=1, lease=60)))

    done = shop.run(*SMALL)

    assert done.exit_code == 2
    assert f"1 tasks of {QUEUE} run" in done.stderr


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--tasks", "9", "whole number from 10 to 1000000"),
        ("--rounds", "0", "whole number from 1 to 100"),
        ("--sleep", "-1", "number of seconds, 0 or more"),
        ("--concurrency", "none", "whole number of 1 or more"),
    ],
)
def test_odd_options_are_refused(shop: Shop, option: str, value: str, words: str) -> None:
    done = shop.run("bench", option, value)

    assert done.exit_code == 2
    assert option in done.stderr
    assert words in done.stderr


def test_percentiles_are_of_all_rounds() -> None:
    figure = Figure("waits", 100, waits=[number / 100 for number in range(200, 0, -1)])

    assert (figure.percentile(50), figure.percentile(99), figure.percentile(1)) == (1.0, 1.98, 0.02)
