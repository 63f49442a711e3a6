"""What those report who are left."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.plugins import schedule_headers
from qtasks.schemas import Record, Schedule, TaskStatusEnum
from qtasks_plugin_sentry import SentryPlugin, watching

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Storage:
    """A storage that knows some records."""

    def __init__(self, *records: Record) -> None:
        self._records = {record.id: record for record in records}

    async def get(self, ids: Sequence[str]) -> list[Record | None]:
        return [self._records.get(task_id) for task_id in ids]


def worker_with(*records: Record) -> Any:
    """Returns what the plugin needs to know of a worker."""
    clock = SimpleNamespace(time=lambda: 100.0)
    broker = SimpleNamespace(url="memory://", storage=Storage(*records))
    return SimpleNamespace(id="w", app=SimpleNamespace(clock=clock), broker=broker)


def record_of(number: int, *, queue: str = "default", **fields: Any) -> Record:
    """Returns the record of a task."""
    task_id = f"00000000-0000-4000-8000-{number:012}"
    return Record(task_id, "crash", queue, TaskStatusEnum.ERROR, worker="gone", **fields)


def test_a_task_that_took_its_workers_down_is_reported_with_its_name(plain_sentry: Any) -> None:
    headers = schedule_headers(Schedule(name="nightly", crontab="0 3 * * *"))
    dead = record_of(1, lost=3, reason="worker_lost", headers=headers, started_at=40.0)

    asyncio.run(
        SentryPlugin().convicted(worker=worker_with(dead), uuid=dead.id, task_broker=None)  # type: ignore[arg-type]  # it is a coroutine then
    )

    [event] = plain_sentry.events
    assert event["message"] == "crash took its worker down 3 times in a row"
    assert event["level"] == "error"
    assert event["fingerprint"] == ["qtasks", "worker_lost", "crash"]
    assert event["tags"]["qtasks.task_id"] == dead.id
    assert event["contexts"]["qtasks"]["worker"] == "gone"
    [check_in] = plain_sentry.check_ins
    assert (check_in["status"], check_in["duration"]) == ("error", 60.0)


def test_tasks_that_were_taken_back_are_one_event_of_each_queue(plain_sentry: Any) -> None:
    records = [record_of(1), record_of(2), record_of(3, queue="slow")]
    ids = [record.id for record in records]

    asyncio.run(SentryPlugin().taken_back(worker=worker_with(*records), uuids=[*ids, "unknown"]))  # type: ignore[arg-type]  # likewise

    first, second = plain_sentry.events
    assert first["message"] == "The leases of 2 tasks in default ran out; they run again"
    assert first["fingerprint"] == ["qtasks", "lease_lost", "default"]
    assert first["contexts"]["qtasks"]["ids"] == ids[:2]
    assert second["fingerprint"] == ["qtasks", "lease_lost", "slow"]
    assert {event["level"] for event in (first, second)} == {"warning"}


def child_with(*held: Record) -> Any:
    """Returns what the plugin needs to know of a process."""

    async def look() -> list[Record]:
        return list(held)

    return SimpleNamespace(state=SimpleNamespace(running=0, settled=5), held=look)


def end(plugin: SentryPlugin, child: Any, code: int, reason: str) -> None:
    """Tells of the end of a process."""
    telling: Any = plugin.child_ended(child=child, worker_id="w", pid=7, code=code, reason=reason)
    if telling is not None:
        asyncio.run(telling)


@pytest.mark.parametrize(
    ("code", "reason", "said"),
    [
        (-9, "signal", "was killed by SIGKILL"),
        (-99, "signal", "was killed by signal 99"),
        (3, "exit", "ended with exit code 3"),
    ],
)
def test_a_process_that_died_is_reported_with_the_task_that_it_held(
    plain_sentry: Any, code: int, reason: str, said: str
) -> None:
    end(SentryPlugin(), child_with(record_of(1)), code, reason)

    [event] = plain_sentry.events
    assert event["message"] == f"A worker process {said} while it held crash"
    assert event["fingerprint"] == ["qtasks", "worker_lost", said]
    assert event["transaction"] == event["tags"]["qtasks.task"] == "crash"
    assert event["contexts"]["qtasks"]["ids"] == [record_of(1).id]


def test_several_tasks_are_counted_and_named(plain_sentry: Any) -> None:
    end(SentryPlugin(), child_with(*(record_of(number) for number in range(3))), -9, "signal")

    [event] = plain_sentry.events
    assert event["message"] == (
        "A worker process was killed by SIGKILL while it held 3 tasks: crash"
    )


def test_where_nobody_knows_what_it_held_nothing_is_said_of_it(plain_sentry: Any) -> None:
    end(SentryPlugin(), child_with(), -9, "signal")

    [event] = plain_sentry.events
    assert event["message"] == "A worker process was killed by SIGKILL"
    assert event["contexts"]["qtasks"]["tasks"] == []


def test_a_broker_that_is_away_keeps_the_report_for_seconds_only(
    plain_sentry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_PATIENCE", 0.0)
    child = child_with()
    child.held = asyncio.Event().wait

    end(SentryPlugin(), child, -9, "signal")

    assert len(plain_sentry.events) == 1


@pytest.mark.parametrize("reason", ["burst", "stopped", "retired", "failed"])
def test_a_process_that_ended_as_it_should_is_not(plain_sentry: Any, reason: str) -> None:
    end(SentryPlugin(), child_with(), 0, reason)

    assert plain_sentry.events == []


def test_a_run_whose_lease_was_lost_is_reported_and_its_span_ends(
    sentry: Any, make_harness: Callable[..., Any], url: str
) -> None:
    harness = make_harness(url=url, colour="async")
    runs: list[int] = []

    @harness.app.task(echo=True)
    async def lose(self: Any) -> None:
        runs.append(1)
        if len(runs) < 2:
            await harness.app.broker.expire(self.ctx.get_component("worker").id)

    harness.run(lose)

    sentry.flush()
    events = [event for event in sentry.events if "was lost while it ran" in event["message"]]
    assert len(events) == 1
    assert events[0]["fingerprint"] == ["qtasks", "lease_lost", "default"]
    assert events[0]["tags"]["qtasks.task"] == "lose"
    outcomes = [span["data"]["qtasks.outcome"] for span in sentry.spans("queue.process")]
    assert len(outcomes) == 2
