"""``qtasks plugins trace``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.contracts.triggers import CATALOGUE

if TYPE_CHECKING:
    from conftest import Shop

PLUGINS = """
import asyncio
from qtasks.plugins import Plugin, on


class Slow(Plugin):
    @on("task_executor_run_task")
    async def wrap(self, result):
        await asyncio.sleep(0)
        return {"wrapped": result}

    @on("worker_execute_before")
    def look(self): ...


class Bad(Plugin):
    @on("worker_outcome")
    def fail(self):
        raise OSError("no socket")

    @on("worker_start")
    async def late(self):
        raise OSError("no time")


app.add_plugin(Slow("slow"))
app.add_plugin(Bad("bad"))
print("the module prints")
"""


@pytest.fixture
def traced(shop: Shop) -> Shop:
    shop.extend(PLUGINS)
    return shop


def calls(document: Any) -> list[tuple[str, str, bool, str]]:
    """Returns what was asked, without times."""
    return [
        (each["trigger"], each["plugin"], each["answered"], each["error"])
        for each in document["triggers"]
    ]


def test_a_task_is_run_here_and_every_plugin_that_is_asked_is_printed(traced: Shop) -> None:
    done = traced.run("plugins", "trace", "resize", "--args", '["cat.jpg"]', "--json")
    document = json.loads(done.stdout)

    assert done.exit_code == 0
    assert document["status"] == "success"
    assert calls(document) == [
        ("worker_execute_before", "slow", False, ""),
        ("task_executor_run_task", "slow", True, ""),
        ("worker_outcome", "bad", False, "OSError: no socket"),
    ]
    assert {each["task"] for each in document["triggers"]} == {document["task"]}
    assert all(each["microseconds"] > 0 for each in document["triggers"])
    assert traced.queue.get(document["task"]) is None


def test_it_is_a_table_for_people(traced: Shop) -> None:
    done = traced.run("plugins", "trace", "resize", "--args", '["cat.jpg"]')

    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[1] == ["trigger", "plugin", "µs", "task", "answer"]
    assert [line[:2] for line in lines[2:]] == [
        ["worker_execute_before", "slow"],
        ["task_executor_run_task", "slow"],
        ["worker_outcome", "bad"],
    ]
    assert lines[4][-3:] == ["OSError:", "no", "socket"]
    assert "slow: asked 2 times, " in done.stderr
    assert "the task ended as success" in done.stderr


def test_a_worker_runs_what_is_ready(traced: Shop) -> None:
    ids = [traced.add("resize", "cat.jpg") for _ in range(2)]

    document = traced.json("plugins", "trace")

    assert document["settled"] == 2
    assert calls(document)[0] == ("worker_start", "bad", False, "OSError: no time")
    assert {each["task"] for each in document["triggers"]} == {"", *ids}
    assert traced.queue.get(ids[0]).status == "success"  # type: ignore[union-attr]  # it is there


def test_only_some_queues(traced: Shop) -> None:
    traced.add("resize", "cat.jpg")

    document = traced.json("plugins", "trace", "--queues", "mail")

    assert document["settled"] == 0


def test_triggers_that_nobody_hears_are_shown_on_request(traced: Shop) -> None:
    arguments = ("plugins", "trace", "resize", "--args", '["cat.jpg"]')

    every = traced.json(*arguments, "--all")
    nobody = traced.run(*arguments, "-p", "no:slow", "-p", "no:bad")

    unheard = [each["trigger"] for each in every["triggers"] if not each["plugin"]]
    assert {"qtasks_add_task_before_broker", "task_executor_run_task"} <= set(unheard)
    assert set(unheard) <= CATALOGUE.keys()
    assert {each["plugin"] for each in every["triggers"]} == {"", "slow", "bad"}
    assert nobody.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["send", "--args", '["me"]'], 1, "ended as error: builtins.ValueError: 'me' is no addr"),
        (["skip"], 1, "the task ended as cancel: not today"),
        (["resiz"], 2, "has no task 'resiz', did you mean 'resize'?"),
        (["resize"], 2, "missing a required argument: 'path'"),
        (["resize", "--args", "cat"], 2, "--args 'cat' is not JSON"),
    ],
)
def test_what_does_not_succeed(traced: Shop, arguments: list[str], code: int, message: str) -> None:
    done = traced.run("plugins", "trace", *arguments)

    assert done.exit_code == code
    assert message in done.stderr


def test_an_app_without_plugins(shop: Shop) -> None:
    done = shop.run("plugins", "trace", "resize", "--args", '["cat.jpg"]')

    assert done.exit_code == 0
    assert "no plugin was asked; --all shows the triggers all the same" in done.stderr
