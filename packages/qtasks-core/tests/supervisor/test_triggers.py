"""Plugins in a supervisor: what they are told of it and of its children."""

from __future__ import annotations

import asyncio
import importlib
import os
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from qtasks._supervisor import supervising
from qtasks.app.running import make_supervisor
from qtasks.contracts.triggers import CATALOGUE
from qtasks.plugins import BasePlugin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the signals are those of Unix")

#: The triggers that fire in supervisors.
HERE = {name for name, spec in CATALOGUE.items() if "supervisor" in spec.roles}
#: Those that fire whenever one is stopped: no task has been convicted, and no plugin failed.
ALWAYS = HERE - {"plugin_error", "worker_dead_letter"}


class Recorder(BasePlugin):
    """Remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.roles: list[str] = []
        self.hangs_in = ""
        self.raises = False

    def start(self, *args: Any, **kwargs: Any) -> None:
        self.roles.append(kwargs["role"])

    def stop(self, *args: Any, **kwargs: Any) -> None:
        self.roles.append("stopped")

    async def trigger(self, name: str, *args: Any, **kwargs: Any) -> None:
        self.calls.append((name, kwargs))
        if name == self.hangs_in:
            await asyncio.Event().wait()
        if self.raises:
            raise RuntimeError(name)

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A module with an app, which children load."""
    source = "from qtasks import QueueTasks\n\napp = QueueTasks(broker_url='sqlite:///told.db')\n"
    (tmp_path / "told.py").write_text(source, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("told")
    yield module
    module.app.close()
    del sys.modules["told"]


@pytest.fixture
def recorder(module: Any) -> Recorder:
    """A plugin of this process alone: the children load the module anew."""
    recorder = Recorder()
    module.app.add_plugin(recorder)
    return recorder


async def greeted(made: Any) -> None:
    """Waits until all children have said who they are."""
    while not (made.children and all(child.worker for child in made.children)):
        await asyncio.sleep(0.001)


async def test_the_end_of_children_is_told(module: Any, recorder: Recorder) -> None:
    made = make_supervisor(module.app, 2, burst=True)

    await made.run()

    assert recorder.names() == [
        "starter_start",
        "worker_child_exit",
        "worker_child_exit",
        "starter_stop",
    ]
    for name, arguments in recorder.calls:
        assert tuple(arguments) == CATALOGUE[name].arguments
    ends = [arguments for name, arguments in recorder.calls if name == "worker_child_exit"]
    assert {(end["reason"], end["code"]) for end in ends} == {("burst", 0)}
    assert all(end["worker_id"] and end["pid"] == end["child"].pid for end in ends)
    assert recorder.roles == ["supervisor", "stopped"]


async def test_a_stop_and_a_kill_are_told_before_they_happen(
    module: Any, recorder: Recorder
) -> None:
    made = make_supervisor(module.app, 1)
    running = asyncio.ensure_future(made.run())
    await greeted(made)

    module.app.stop()
    made.stop()
    made.stop()
    await running

    names = recorder.names()
    assert set(names) == ALWAYS
    assert names.index("worker_before_kill") < names.index("worker_child_exit")
    for name, arguments in recorder.calls:
        assert tuple(arguments) == CATALOGUE[name].arguments
        assert arguments.get("starter", made) is made


async def test_a_child_that_is_killed_by_somebody_else_is_told(
    module: Any, recorder: Recorder
) -> None:
    made = make_supervisor(module.app, 1)
    running = asyncio.ensure_future(made.run())
    await greeted(made)

    made.children[0].kill()
    while "worker_child_exit" not in recorder.names():
        await asyncio.sleep(0.001)
    made.stop()
    await running

    first = next(told for name, told in recorder.calls if name == "worker_child_exit")
    assert (first["reason"], first["code"]) == ("signal", -9)
    assert "worker_before_kill" not in recorder.names()


async def test_a_task_that_took_down_its_workers_is_told_of(
    tmp_path: Path, module: Any, recorder: Recorder
) -> None:
    (tmp_path / "told.py").write_text(
        "import os, signal\n"
        "from qtasks import QueueTasks\n\n"
        "app = QueueTasks(broker_url='sqlite:///told.db')\n\n"
        "@app.task\n"
        "def crash():\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n",
        "utf-8",
    )
    handle = await asyncio.to_thread(module.app.add_task, "crash")
    made = make_supervisor(module.app, 1)
    running = asyncio.ensure_future(made.run())

    while "worker_dead_letter" not in recorder.names():
        await asyncio.sleep(0.001)
    made.stop()
    await running

    [told] = [told for name, told in recorder.calls if name == "worker_dead_letter"]
    assert set(told) == set(CATALOGUE["worker_dead_letter"].arguments)
    assert (told["uuid"], told["reason"]) == (str(handle.uuid), "worker_lost")
    assert (told["worker"].app, told["worker"].broker) == (module.app, module.app.broker)
    assert {told["worker"]: 1}[told["worker"]] == 1  # plugins look things up by workers
    exits = [told for name, told in recorder.calls if name == "worker_child_exit"]
    assert told["worker"].id in {end["worker_id"] for end in exits}
    last = next(end for end in exits if end["worker_id"] == told["worker"].id)
    assert [record.task for record in await last["child"].held()] == ["crash"]


@pytest.mark.parametrize("hangs_in", ["", *sorted(ALWAYS)])
async def test_a_plugin_that_does_harm_changes_nothing(
    module: Any, recorder: Recorder, caplog: pytest.LogCaptureFixture, hangs_in: str
) -> None:
    """It raises in every trigger of a supervisor, or never comes back from one of them."""
    module.app.config.plugin_timeout = 0.02
    recorder.raises, recorder.hangs_in = not hangs_in, hangs_in
    made = make_supervisor(module.app, 1)
    running = asyncio.ensure_future(made.run())
    await greeted(made)

    module.app.stop()
    made.stop()
    made.stop()
    await running

    assert set(recorder.names()) - {"plugin_error"} == ALWAYS
    for name in [hangs_in] if hangs_in else {*ALWAYS, "plugin_error"}:
        assert re.search(rf"Plugin Recorder \(.*\) failed in {name}\b", caplog.text)
    assert not made.children


async def test_a_plugin_that_hangs_does_not_keep_a_child_alive(
    module: Any, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "_BEFORE_KILL", 0.0)
    recorder.hangs_in = "worker_before_kill"
    made = make_supervisor(module.app, 1)
    running = asyncio.ensure_future(made.run())
    await greeted(made)

    for _ in range(3):
        made.stop()
    await running

    assert "worker_before_kill" in recorder.names()
    assert "worker_child_exit" in recorder.names()
