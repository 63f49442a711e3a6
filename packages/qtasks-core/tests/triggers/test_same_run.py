"""What plugins keep for a run stays theirs, also when others replace what is run."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from qtasks.contracts import runs
from qtasks.plugins import Plugin, on

if TYPE_CHECKING:
    from conftest import Answering, Stage

pytestmark = pytest.mark.parametrize("url", ["memory"], indirect=True)


class Keeping(Plugin):
    """Counts the triggers of a run in its memory of it."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: list[int] = []

    def count(self, task_broker: Any) -> int:
        state = self.state(task_broker)
        state.count = getattr(state, "count", 0) + 1
        return int(state.count)

    @on("worker_run_task_before", order="first")
    @on("worker_execute_before", order="first")
    @on("worker_remove_finished_task", order="last")
    def one_more(self, task_broker: Any) -> None:
        self.count(task_broker)

    @on("worker_outcome")
    def sum_up(self, task_broker: Any) -> None:
        self.counts.append(self.count(task_broker))


def changed(delivery: Any) -> Any:
    return msgspec.structs.replace(delivery, enqueued_at=delivery.enqueued_at + 1)


def test_the_memory_of_a_run_survives_its_delivery(
    answering: type[Answering], stage: Stage
) -> None:
    replacing = answering(
        "replacing",
        broker_add_worker={"priority": 7},
        storage_add_process={"priority": 8},
        worker_run_task_before=lambda task_broker, **_: {"task_broker": changed(task_broker)},
        worker_execute_before=lambda model, **_: changed(model),
        worker_remove_finished_task=lambda task_broker, **_: {"task_broker": changed(task_broker)},
    )
    keeping = Keeping()
    stage.app.add_plugin(replacing, replacing.answers)
    stage.app.add_plugin(keeping)

    ids = {stage.run().id for _ in range(2)}

    assert keeping.counts == [4, 4]
    replacing.calls.clear()
    del replacing
    gc.collect()
    assert not [first for _, first in runs._FIRST.values() if first.id in ids]
    assert vars(keeping)["_states"] == {}


def test_a_plugin_cache_survives_it_too(answering: type[Answering], stage: Stage) -> None:
    seen: list[Any] = []

    def keep(**_: Any) -> Any:
        return {"plugin_cache": {"kept": True}}

    caching = answering(
        "caching",
        worker_run_task_before=keep,
        worker_outcome=lambda plugin_cache=None, **_: seen.append(plugin_cache),
    )
    replacing = answering("replacing", worker_execute_before=lambda model, **_: changed(model))
    stage.app.add_plugin(caching, caching.answers)
    stage.app.add_plugin(replacing, replacing.answers)

    stage.run()

    assert seen == [{"kept": True}]
