"""Triggers of the storage: records on their way in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.contracts.triggers.checks import (
    check_delivery,
    check_message,
    check_record,
    check_records,
    check_written,
)
from qtasks.contracts.triggers.spec import Kind, trigger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qtasks.schemas import Delivery, Message, Record, Settlement


@trigger(Kind.NOTIFY, since="1.0")
def storage_start(storage: Any) -> None:
    """Fires when a client or a worker has connected to the storage.

    Args:
        storage: the storage.

    Changed:
        It fires for clients too.

    Example:
        class Opened(Plugin):
            @on("storage_start")
            def opened(self, storage):
                print("records can be read")
    """


@trigger(Kind.NOTIFY, since="1.0")
def storage_stop(storage: Any) -> None:
    """Fires before a client or a worker leaves the storage.

    Args:
        storage: the storage.

    Example:
        class Closing(Plugin):
            @on("storage_stop")
            def closing(self, storage):
                print("the last moment to read records")
    """


@trigger(
    Kind.FILTER,
    returns=("task_status",),
    since="1.0",
    roles=("client",),
    per_task=True,
    check=check_message,
)
def storage_add(storage: Any, uuid: str, task_status: Message) -> Any:
    """Fires before the record of a new task is written; may change what is written.

    Record and message are written in one step and from one value, so this is the value that
    ``broker_add_before`` left, and what is published is the value that this trigger leaves.

    Args:
        storage: the storage.
        uuid: the task's id.
        task_status: the message: :class:`qtasks.schemas.Message`.

    Returns:
        The message whose record is written, and which is published. Its ``id`` cannot be
        another one.

    Changed:
        ``uuid`` cannot be replaced.

    Example:
        class Dated(Plugin):
            @on("storage_add")
            def date(self, task_status):
                headers = {**task_status.headers, "release": "2026.1"}
                return structs.replace(task_status, headers=headers)
    """


@trigger(
    Kind.FILTER,
    returns=("result",),
    since="1.0",
    roles=("client",),
    per_task=True,
    check=check_record,
)
def storage_get(storage: Any, result: Record) -> Any:
    """Fires once for each user's ``get`` and each finished wait that found a record.

    Args:
        storage: the storage.
        result: the record: :class:`qtasks.schemas.Record`.

    Returns:
        The record to show instead; id, status and token cannot be others.

    Changed:
        It does not fire at each look of a wait any more.

    Example:
        class NoHeaders(Plugin):
            @on("storage_get")
            def hide(self, result):
                return structs.replace(result, headers={})
    """


@trigger(Kind.FILTER, returns=("results",), since="1.0", roles=("client",), check=check_records)
def storage_get_all(storage: Any, results: Sequence[Record]) -> Any:
    """Fires for each page of records that a user lists; may replace it.

    Args:
        storage: the storage.
        results: the records of the page.

    Returns:
        The records to list instead: fewer, changed or others.

    Changed:
        Records are listed page by page, so it fires once for each page.

    Example:
        class Visible(Plugin):
            @on("storage_get_all")
            def hide(self, results):
                return {"results": [record for record in results if record.task != "secret"]}
    """


@trigger(
    Kind.FILTER,
    returns=("kw",),
    since="1.0",
    roles=("worker",),
    per_task=True,
    check=check_written,
)
def storage_update(storage: Any, kw: Mapping[str, Any]) -> Any:
    """Fires after ``broker_update``, with what it left; the last word on what is written.

    Args:
        storage: the storage.
        kw: as in ``broker_update``.

    Returns:
        As in ``broker_update``.

    Changed:
        As in ``broker_update``.

    Example:
        class ShortTrace(Plugin):
            @on("storage_update")
            def shorten(self, kw):
                outcome = kw["outcome"]
                if not isinstance(outcome, Fail):
                    return None
                error = structs.replace(outcome.error, traceback="")
                return {"kw": {"outcome": structs.replace(outcome, error=error)}}
    """


@trigger(
    Kind.FILTER,
    returns=("task_data", "priority"),
    since="1.0",
    roles=("worker",),
    per_task=True,
    check=check_delivery,
)
def storage_add_process(storage: Any, task_data: Delivery, priority: int) -> Any:
    """Fires when a task has become one in process, after ``worker_add``.

    Args:
        storage: the storage, whose record says so by now.
        task_data: the delivery: :class:`qtasks.schemas.Delivery`.
        priority: its priority.

    Returns:
        The delivery to run instead, and the priority that it shows. Its ``message`` may be
        another one with the same id, and ``enqueued_at`` another time.

    Changed:
        There are ``task_data`` and ``priority``, which were to be replaced but not passed.

    Example:
        class Chosen(Plugin):
            @on("storage_add_process")
            def note(self, task_data, priority):
                print(task_data.id, "with priority", priority)
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("worker",), per_task=True)
def storage_remove_finished_task(storage: Any, task_broker: Delivery, model: Settlement) -> None:
    """Fires when the outcome of a run has been written.

    Args:
        storage: the storage.
        task_broker: the delivery.
        model: what was written: :class:`qtasks.schemas.Settlement`.

    Changed:
        It fires after the broker's answer, and only if the outcome was accepted.

    Example:
        class Written(Plugin):
            @on("storage_remove_finished_task")
            def written(self, task_broker, model):
                print(task_broker.id, type(model.outcome).__name__)
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("worker",))
def storage_running_older_tasks(storage: Any, worker: Any, uuid: str) -> None:
    """Fires for each task that was taken back because its lease had run out.

    Args:
        storage: the storage.
        worker: the worker that found it; any may run it now.
        uuid: the task's id.

    Changed:
        There is ``uuid``. Answers are ignored: the task waits in its queue again, and whoever
        wants to change it does so when it comes out, in ``broker_add_worker``.

    Example:
        class LeftBehind(Plugin):
            @on("storage_running_older_tasks")
            def note(self, uuid):
                print(uuid, "runs again")
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("worker",))
def storage_delete_finished_tasks(storage: Any, count: int) -> None:
    """Fires when records of finished tasks were removed because their time was over.

    Args:
        storage: the storage.
        count: how many were removed.

    Changed:
        It fires whenever records were removed, not only at the start. There is ``count``.

    Example:
        class Removed(Plugin):
            @on("storage_delete_finished_tasks")
            def note(self, count):
                print(count, "old records are gone")
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("client",))
def storage_flush_all(storage: Any) -> None:
    """Fires when ``app.flush_all()`` has emptied the storage.

    Args:
        storage: the storage.

    Example:
        class Forgotten(Plugin):
            @on("storage_flush_all")
            def forgotten(self, storage):
                print("no record is left")
    """
