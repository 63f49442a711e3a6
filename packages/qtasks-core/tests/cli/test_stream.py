"""``qtasks tasks stream``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Shop

GENERATORS = """
@app.task
def shelves(count: int, fail: bool = False):
    for number in range(count):
        yield {"shelf": number, "name": "Regal für Äpfel\\x1b[31m"}
    if fail:
        raise ValueError("no more shelves")
"""


@pytest.fixture
def generating(shop: Shop) -> Shop:
    shop.extend(GENERATORS)
    return shop


def test_values_are_lines_of_json(generating: Shop) -> None:
    task_id = generating.add("shelves", 3)
    generating.work()
    done = generating.run("tasks", "stream", task_id[-12:])

    assert done.exit_code == 0
    assert [json.loads(line)["shelf"] for line in done.stdout.splitlines()] == [0, 1, 2]
    assert "Regal für Äpfel" in done.stdout
    assert "\x1b" not in done.stdout


def test_as_json_they_are_an_array(generating: Shop) -> None:
    task_id = generating.add("shelves", 2)
    generating.work()
    values = generating.json("tasks", "stream", task_id)

    assert [value["shelf"] for value in values] == [0, 1]


def test_a_failure_follows_the_values(generating: Shop) -> None:
    task_id = generating.add("shelves", 1, True)
    generating.work()
    done = generating.run("tasks", "stream", task_id)

    assert done.exit_code == 1
    assert json.loads(done.stdout)["shelf"] == 0
    assert "ValueError: no more shelves" in done.stderr


def test_giving_up_is_exit_code_3(generating: Shop) -> None:
    task_id = generating.add("shelves", 1)
    done = generating.run("tasks", "stream", task_id, "--wait", "0")

    assert done.exit_code == 3
    assert done.stdout == ""
    assert f"shelves {task_id} was not over after 0 s" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "is not the id of a task"),
        (["0b9be4f2-3c1c-4c4e-9a5c-7d1f5f6f2a10"], "no record of task"),
        (["0b9be4f2", "--wait", "-1"], "--wait '-1': write a number of seconds"),
    ],
)
def test_bad_input(generating: Shop, arguments: list[str], message: str) -> None:
    done = generating.run("tasks", "stream", *arguments)

    assert done.exit_code == 2
    assert message in done.stderr
