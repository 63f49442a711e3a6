"""What type checkers see of the tools for tests; checked, never run."""

from __future__ import annotations

from typing import Any, assert_type

import pytest

from qtasks import QueueTasks, TaskHandle
from qtasks.asyncio import AsyncTaskHandle
from qtasks.asyncio import QueueTasks as AsyncQueueTasks
from qtasks.plugins import Plugin
from qtasks.testing import (
    FakeClock,
    RaisingPlugin,
    SlowPlugin,
    TriggerRecorder,
    make_app,
    plugin_sandbox,
    run_queue,
    run_task,
)
from qtasks.testing.conformance import PluginConformance


class Mine(Plugin):
    def stop(self) -> None:
        """Does nothing."""


class TestMine(PluginConformance):
    MODIFIES = True

    @pytest.fixture
    def plugin(self) -> type[Mine]:
        return Mine


app = make_app()
assert_type(app, QueueTasks)
assert_type(make_app("sync", clock=FakeClock()), QueueTasks)
assert_type(make_app("async", plugins=[Mine(), "installed"]), AsyncQueueTasks)
assert_type(make_app(plugins=None, max_tasks_process=1), QueueTasks)
make_app("red")  # type: ignore[call-overload]  # no colour
make_app(max_tasks=1)  # type: ignore[call-overload]  # no option


@app.task
def add(x: int, y: int) -> int:
    return x + y


assert_type(run_task(app, add, 1, y=2), TaskHandle[Any])


async def asynchronous() -> None:
    web = make_app("async")
    assert_type(await run_task(web, "add", 1), AsyncTaskHandle[Any])
    await run_queue(web, delays=False)


recorder = TriggerRecorder()
assert_type(recorder.beside("after"), TriggerRecorder)
assert_type(recorder.calls("worker_start"), list[dict[str, Any]])
recorder.assert_sequence(["worker_start", ("worker_outcome", {"final": True})])
RaisingPlugin(on="worker_start", error=OSError)
SlowPlugin(1.5, on=["start"], clock=FakeClock())

with plugin_sandbox("installed", mine=Mine):
    run_queue(app)
