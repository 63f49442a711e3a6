"""``qtasks call``."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from typer.testing import CliRunner

from qtasks.cli.commands import cli

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Shop

#: What is added to a queue in memory is lost with the command.
pytestmark = pytest.mark.usefixtures("shop_in_a_file")

ID = "6a0b7a5e-7c1b-4b43-8d5e-3f6a0f0e9c11"


@pytest.fixture
def working(shop: Shop) -> Iterator[Shop]:
    """A shop in which somebody works."""
    from qtasks.cli.loading import load_app

    worker = load_app("shop:app").worker(queues=["default", "mail"])
    thread = threading.Thread(target=asyncio_run, args=(worker,))
    thread.start()
    yield shop
    worker.stop()
    thread.join()


def asyncio_run(worker: object) -> None:
    import asyncio

    asyncio.run(worker.run())  # type: ignore[attr-defined]  # the app of the tests is of either kind


def test_it_prints_the_id(shop: Shop) -> None:
    done = shop.run("call", "resize", "--args", '["cat.jpg"]', "--kwargs", '{"width": 9}')

    task = shop.queue.get(UUID(done.stdout.strip()))
    assert task is not None
    assert (task.args, task.kwargs) == (("cat.jpg",), {"width": 9})


def test_the_options_of_a_call(shop: Shop) -> None:
    options = ["--queue", "slow", "--delay", "1h", "--priority", "-5", "--task-id", ID]

    document = shop.json("call", "resize", "--args", '["cat.jpg"]', *options)

    task = shop.queue.get(ID)
    assert document == {"id": ID, "task": "resize", "status": "new"}
    assert task is not None
    assert (task.queue, task.priority) == ("slow", -5)
    assert task.record.due_at - task.record.created_at == pytest.approx(3600, abs=5)


def test_a_wait_prints_the_result(working: Shop) -> None:
    done = working.run("call", "resize", "--args", '["cät.jpg"]', "--wait", "30")

    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"path": "cät.jpg", "size": [256, 256]}
    assert "is queued in SQLite file " in done.stderr


def test_a_wait_as_json(working: Shop) -> None:
    document = working.json("call", "resize", "--args", '["cat.jpg"]', "--wait", "30")

    assert document["status"] == "success"
    assert document["result"] == {"path": "cat.jpg", "size": [256, 256]}


def test_a_failed_task_is_exit_code_1(working: Shop) -> None:
    done = working.run("call", "send", "--args", '["me"]', "--wait", "30", "--task-id", ID)

    assert done.exit_code == 1
    assert done.stdout == ""
    assert "builtins.ValueError: 'me' is no address" in done.stderr
    assert f"qtasks -A shop:app tasks show {ID}" in done.stderr


def test_a_failed_task_as_json(working: Shop) -> None:
    done = working.run("call", "send", "--args", '["me"]', "--wait", "30", "--json")

    assert done.exit_code == 1
    assert json.loads(done.stdout)["error"] == {
        "type": "builtins.ValueError",
        "message": "'me' is no address",
    }


def test_a_cancelled_task_is_exit_code_1(working: Shop) -> None:
    done = working.run("call", "skip", "--wait", "30")

    assert done.exit_code == 1
    assert "ended as cancel: not today" in done.stderr


def test_a_wait_that_runs_out_is_exit_code_3(shop: Shop) -> None:
    done = shop.run("call", "resize", "--args", '["cat.jpg"]', "--wait", "0.01", "--task-id", ID)

    assert done.exit_code == 3
    assert f"{ID} was not over after 0.01 s; it goes on" in done.stderr


def test_a_wait_says_if_nobody_works(shop: Shop) -> None:
    done = shop.run("call", "resize", "--args", '["cat.jpg"]', "--wait", "0", "--json")

    assert "no worker is alive; start one: qtasks -A shop:app run" in done.stderr
    assert json.loads(done.stdout)["status"] == "new"


def test_a_wait_says_nothing_of_workers_if_one_is_alive(shop: Shop) -> None:
    shop.report()

    done = shop.run("call", "resize", "--args", '["cat.jpg"]', "--wait", "0")

    assert "no worker" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["resise"],
            "no task 'resise'. Did you mean 'resize'? Its tasks: resize, scan, send, skip.",
        ),
        (["resize"], "missing a required argument: 'path'; the task is resize(path: str, width:"),
        (["resize", "--args", "cat.jpg"], "--args 'cat.jpg' is not JSON"),
        (["resize", "--args", '{"x": 1}'], "is no JSON array"),
        (["resize", "--kwargs", "[1]"], "is no JSON object"),
        (["resize", "--delay", "soon"], "--delay 'soon': write a span of time"),
        (["resize", "--task-id", "7"], "'7' is not the id of a task"),
        (
            ["resize", "--priority", "999"],
            "--priority '999': write a whole number from -128 to 127",
        ),
        (["resize", "--priority", "high"], "--priority 'high': write a whole number"),
        (["resize", "--wait", "-1"], "--wait '-1': write a number of seconds, 0 or more"),
        (["resize", "--wait", "nan"], "--wait 'nan': write a number of seconds, 0 or more"),
        (["resize", "--wait", "long"], "--wait 'long': write a number of seconds, 0 or more"),
        (["resize", "--queue", "a:b"], "--queue: 'a:b' is not a queue name"),
    ],
)
def test_what_cannot_be_is_refused(shop: Shop, arguments: list[str], said: str) -> None:
    done = shop.run("call", *arguments)

    assert done.exit_code == 2
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert shop.queue.list_tasks() == ([], None)


def test_a_task_of_another_program_can_be_added(shop: Shop) -> None:
    done = shop.run("call", "elsewhere", "--unknown")

    task = shop.queue.get(done.stdout.strip())
    assert task is not None
    assert task.task_name == "elsewhere"


def test_a_queue_in_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "from qtasks import QueueTasks\napp = QueueTasks(broker_url='memory://')\n"
    (tmp_path / "warehouse.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    done = CliRunner().invoke(
        cli, ["-A", "warehouse:app", "call", "skip", "--unknown", "--wait", "1"]
    )

    assert (done.exit_code, done.stdout) == (2, "")
    assert "memory:// is a queue in the memory of one process, so the task would be lost" in (
        done.stderr
    )
    assert "no worker is alive" not in done.stderr


TYPED = """
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from qtasks import QueueTasks

app = QueueTasks(broker_url={url!r})


@dataclass
class Order:
    id: UUID


@app.task
def ship(order: Order, day: date, *parts: UUID, note: UUID | str = "", **more: date) -> str:
    return f"{{order}} {{day!r}} {{parts}} {{note!r}} {{more}}"
"""


def test_text_in_json_becomes_what_the_annotations_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = TYPED.format(url=f"sqlite:///{tmp_path / 'q.db'}")
    (tmp_path / "typed.py").write_text(text, encoding="utf-8")
    arguments = json.dumps([{"id": ID}, "2026-03-01", ID])
    named = json.dumps({"note": "x", "until": "2026-03-02"})

    call = ["-A", "typed", "call", "ship"]
    done = CliRunner().invoke(cli, [*call, "--args", arguments, "--kwargs", named])
    wrong = CliRunner().invoke(cli, [*call, "--args", json.dumps([{"id": ID}, "soon"])])

    assert done.exit_code == 0, done.output
    assert wrong.exit_code == 2
    assert "day must be date, not str" in wrong.stderr
    ran = CliRunner().invoke(cli, ["-A", "typed", "run", "--burst"])
    assert ran.exit_code == 0, ran.output
    shown = CliRunner().invoke(cli, ["-A", "typed", "tasks", "show", done.stdout.strip(), "--json"])
    result = json.loads(shown.stdout)["result"]
    assert f"Order(id=UUID('{ID}'))" in result
    assert "datetime.date(2026, 3, 1)" in result
    assert f"(UUID('{ID}'),) 'x'" in result
    assert "datetime.date(2026, 3, 2)" in result
