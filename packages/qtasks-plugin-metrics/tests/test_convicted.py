"""Dead letters without a run: which task they are, as far as anybody knows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.enums import TaskStatusEnum
from qtasks.exc import ServerUnavailableError
from qtasks.schemas import Record
from qtasks_plugin_metrics.convicted import count_convicted
from qtasks_plugin_metrics.shared import SharedLedger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks_plugin_metrics.cells import Addition

APP = SimpleNamespace(
    config=SimpleNamespace(queues=("default",)), tasks={"crash": SimpleNamespace(queue="default")}
)


def worker_with(answer: Record | Exception | None) -> Any:
    """Returns a worker whose storage answers so."""

    async def get(ids: Sequence[str]) -> list[Record | None]:
        assert ids == ["7"]
        if isinstance(answer, Exception):
            raise answer
        return [answer]

    broker = SimpleNamespace(storage=SimpleNamespace(get=get))
    return SimpleNamespace(id="w", app=APP, broker=broker)


@pytest.mark.parametrize(
    ("answer", "labels"),
    [
        (Record("7", "crash", "default", TaskStatusEnum.ERROR), ("default", "crash")),
        (Record("7", "of-others", "theirs", TaskStatusEnum.ERROR), ("_unknown", "_unknown")),
        (None, ("_unknown", "_unknown")),
        (ServerUnavailableError("away"), ("_unknown", "_unknown")),
    ],
)
async def test_it_is_counted_under_the_name_that_its_record_says(
    answer: Record | Exception | None, labels: tuple[str, str]
) -> None:
    shared = SharedLedger()

    await count_convicted(shared, worker_with(answer), "7", "worker_lost")

    taken: list[Addition] = shared.ledger.take()
    assert [(one.metric, one.labels, one.amount) for one in taken] == [
        ("tasks_finished", (*labels, "fail"), 1),
        ("dead_letters", (*labels, "worker_lost"), 1),
    ]
