"""No class that a message or a result names is ever imported, looked up or called."""

from __future__ import annotations

import asyncio
import json
import pickle
import sys
from typing import TYPE_CHECKING, Any

import pytest

from qtasks import QueueTasks
from qtasks.adapters.memory import MemoryBroker
from qtasks.contracts.codec import encode
from qtasks.exc import TaskFailedError
from qtasks.schemas import Claim, Fail, Message, TaskError
from qtasks.testing.conformance.lines import settlement

if TYPE_CHECKING:
    from pathlib import Path

ID = "00000000-0000-7000-8000-000000000001"
TRAP = "import pathlib; pathlib.Path(__file__).with_name('sprung').touch()\nclass Trap: pass\n"


class Bomb:
    """Has pickle call something."""

    def __reduce__(self) -> Any:
        """Imports the trap when it is unpickled."""
        return (__import__, ("trap_of_messages",))


HOSTILE = {
    "pickle": pickle.dumps(Bomb()),
    "pickle as a value": encode([[pickle.dumps(Bomb())], {}]),
    "json": json.dumps({"__class__": "trap_of_messages.Trap", "py/object": "x"}).encode(),
    "named class": encode([[], {"__class__": "trap_of_messages.Trap"}]),
    "nested": encode([[{"py/reduce": [{"py/type": "trap_of_messages.Trap"}]}], {}]),
    "yaml": b"!!python/object/apply:importlib.import_module ['trap_of_messages']",
}


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that leaves a trace when somebody imports it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "trap_of_messages.py").write_text(TRAP, encoding="utf-8")
    return tmp_path / "sprung"


def assert_not_sprung(trap: Path) -> None:
    assert not trap.exists()
    assert "trap_of_messages" not in sys.modules


def test_the_trap_works(trap: Path) -> None:
    pickle.loads(HOSTILE["pickle"])
    assert trap.exists()
    del sys.modules["trap_of_messages"]


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("task", ["keep", "trap_of_messages.Trap", "trap_of_messages:Trap"])
def test_payloads_and_task_names_import_nothing(trap: Path, task: str, payload: bytes) -> None:
    broker = MemoryBroker()
    app = QueueTasks(broker=broker, plugins=())

    @app.task("keep")
    def keep(*values: object) -> None:
        """Takes anything."""

    async def run() -> None:
        app.config.unknown_task_grace = 0
        await broker.publish([Message(ID, task, "default", payload)])
        await app.worker(burst=True).run()

    asyncio.run(run())

    handle = app.get(ID)
    assert handle is not None
    assert handle.finished
    assert_not_sprung(trap)


def test_an_error_travels_as_data(trap: Path) -> None:
    broker = MemoryBroker()
    app = QueueTasks(broker=broker, plugins=())
    error = TaskError("trap_of_messages.Trap", "boom", "Traceback: boom")

    async def fail() -> None:
        await broker.publish([Message(ID, "keep", "default", encode([[], {}]))])
        (delivery,) = await broker.claim(Claim(("default",), 1, 60.0, "w"))
        await broker.settle([settlement(delivery, Fail(error))])

    asyncio.run(fail())
    handle = app.get(ID)
    assert handle is not None

    with pytest.raises(TaskFailedError, match=r"trap_of_messages\.Trap: boom") as caught:
        handle.result(timeout=1)

    assert type(caught.value) is TaskFailedError
    assert caught.value.__cause__ is None
    assert handle.error == error
    assert_not_sprung(trap)
