"""`SyncStats` and `AsyncStats`: what an app consists of, how its tasks are declared, counts."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

import qtasks
import qtasks.asyncio
from qtasks.exc import ConfigError, UnknownTaskError
from qtasks.stats import AsyncStats, SyncStats
from qtasks.stats.inspect import InspectStats

if TYPE_CHECKING:
    from conftest import Harness

in_memory = pytest.mark.parametrize("url", ["memory"], indirect=True)


def inspect(harness: Harness) -> InspectStats:
    kind: Any = SyncStats if harness.colour == "sync" else AsyncStats
    found: InspectStats = harness.do(kind(harness.app).inspect())
    return found


def register(harness: Harness) -> None:
    @harness.app.task(max_time=30, tags=["images"], team="cats", odd=object, worse={1: {2}})
    def resize(path: str, width: int = 256) -> str:
        """Makes a picture smaller."""
        return path * width

    @harness.app.task(queue="mail", decode=str)
    async def send(to: str) -> None:
        raise ValueError(to)


def test_queues_and_workers_are_counted(harness: Harness) -> None:
    register(harness)
    harness.do(harness.app.add_task("send", "ann"))
    harness.work(queues=["mail"])
    harness.do(harness.app.add_task("resize", "cat.jpg"))

    found = json.loads(inspect(harness).app(json=True))

    queues = {queue["queue"]: queue for queue in found["queues"]}
    assert (queues["default"]["ready"], queues["default"]["dead"]) == (1, 0)
    assert (queues["mail"]["ready"], queues["mail"]["dead"]) == (0, 1)
    assert found["workers"] == []
    assert found["method"] == harness.colour
    assert found["version"] == qtasks.__version__


@in_memory
def test_living_workers_are_shown(url: str) -> None:
    async def look() -> tuple[str, InspectStats]:
        app = qtasks.asyncio.QueueTasks(broker_url="memory://")
        async with app, app.worker() as worker:
            while not await app.workers():  # its keeper reports it soon
                await asyncio.sleep(0)
            return worker.id, await AsyncStats(app).inspect()

    worker, found = asyncio.run(look())
    assert f"Workers  {worker}: 0 of 100 tasks run, takes from default" in found.app()
    assert json.loads(found.app(json=True))["workers"][0]["worker"] == worker


@in_memory
def test_the_app_is_told_as_text(harness: Harness) -> None:
    register(harness)

    lines = inspect(harness).app().splitlines()

    assert lines == [
        "Name     QueueTasks",
        f"Method   {harness.colour}",
        f"Version  {qtasks.__version__}",
        "Broker   memory://",
        "Storage  memory://",
        "Tasks    resize: Makes a picture smaller.",
        "         send",
        "Queues   default: 0 ready, 0 delayed, 0 running, 0 dead, 0 finished",
        "Workers  none is alive",
    ]


@in_memory
def test_a_task_is_told_as_text_and_as_json(harness: Harness) -> None:
    register(harness)
    found = inspect(harness)

    text, document = found.task("resize"), json.loads(found.task("resize", json=True))

    assert "Signature     resize(path: 'str', width: 'int' = 256) -> 'str'" in text
    assert "Max time      30" in text
    assert "Extra team    cats" in text
    assert document["tags"] == ["images"]
    assert document["extra"] == {"team": "cats", "odd": "builtins.object", "worse": {"1": [2]}}
    assert json.loads(found.task("send", json=True))["decode"] == "builtins.str"


@in_memory
def test_tasks_are_told_by_name_or_all(harness: Harness) -> None:
    register(harness)
    found = inspect(harness)

    assert [task["name"] for task in json.loads(found.tasks(json=True))] == ["resize", "send"]
    assert [task["name"] for task in json.loads(found.tasks("send", json=True))] == ["send"]
    assert found.tasks() == f"{found.task('resize')}\n\n{found.task('send')}"


@in_memory
def test_an_unknown_name_gets_a_near_one(harness: Harness) -> None:
    empty = inspect(harness)
    with pytest.raises(UnknownTaskError, match=r"the app 'QueueTasks' has no task 'x'$"):
        empty.task("x")
    register(harness)
    found = inspect(harness)

    with pytest.raises(UnknownTaskError, match=r"no task 'resise', did you mean 'resize'\?"):
        found.task("resise")
    with pytest.raises(UnknownTaskError, match="no task 'xyz'; it has resize, send"):
        found.tasks("send", "xyz")


@in_memory
def test_what_cannot_be_told_is_told_by_its_text(harness: Harness) -> None:
    class Odd:
        def __repr__(self) -> str:
            return "<odd>"

    harness.app.task(name="odd", mixed=[Odd(), float("nan")], keyed={(1, 2): 3})(lambda: None)

    extra = json.loads(inspect(harness).task("odd", json=True))["extra"]

    assert extra == {"mixed": ["<odd>", None], "keyed": "{(1, 2): 3}"}


def test_passwords_are_hidden() -> None:
    app = qtasks.QueueTasks(broker_url="redis://user:secret@localhost:1/0")
    found = InspectStats(app, (), ())

    assert "secret" not in found.app() + found.app(json=True)


def test_an_app_of_the_other_colour_is_refused() -> None:
    app: Any = qtasks.asyncio.QueueTasks(broker_url="memory://")

    with pytest.raises(ConfigError, match=r"SyncStats\(.*is for AsyncStats"):
        SyncStats(app)
    with pytest.raises(ConfigError, match=r"AsyncStats\(5\): it takes a qtasks.asyncio.QueueTasks"):
        AsyncStats(5)  # type: ignore[arg-type]  # that it is not an app is under test
