"""Triggers of the broker: what goes in, and what comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.contracts.triggers.checks import (
    check_call,
    check_message,
    check_outcome,
    check_record,
    check_written,
)
from qtasks.contracts.triggers.spec import Kind, trigger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks.schemas import Message, Record, Settlement


@trigger(Kind.NOTIFY, since="1.0")
def broker_start(broker: Any, worker: Any) -> None:
    """Fires when a client or a worker has connected to the broker, after the plugins have started.

    Args:
        broker: the broker.
        worker: the worker, or None for a client.

    Changed:
        It fires once the connection stands, and for clients too.

    Example:
        class Connected(Plugin):
            @on("broker_start")
            def connected(self, broker, worker):
                print("connected as", "a client" if worker is None else worker.id)
    """


@trigger(Kind.NOTIFY, since="1.0")
def broker_stop(broker: Any) -> None:
    """Fires before a client or a worker leaves the broker.

    Args:
        broker: the broker.

    Example:
        class Leaving(Plugin):
            @on("broker_stop")
            def leaving(self, broker):
                print("the connection is about to be closed")
    """


@trigger(
    Kind.FILTER,
    returns=("model",),
    since="1.0",
    roles=("client",),
    per_task=True,
    check=check_message,
)
def broker_add_before(broker: Any, storage: Any, model: Message) -> Any:
    """Fires before a message is published; may replace it.

    Args:
        broker: the broker.
        storage: the storage.
        model: the message: :class:`qtasks.schemas.Message`.

    Returns:
        The message to publish instead. Its ``id`` cannot be another one.

    Changed:
        It fires once for each message of a batch. What is returned counts with every broker.

    Example:
        class Expiring(Plugin):
            @on("broker_add_before")
            def expire(self, model):
                return structs.replace(model, expires=3600.0)
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("client",), per_task=True)
def broker_add_after(broker: Any, storage: Any, model: Message) -> None:
    """Fires when the broker has acknowledged a message that it did not know before.

    Args:
        broker: the broker.
        storage: the storage.
        model: the message as it was published.

    Changed:
        It is silent about a task that was there already, by its id or its unique key.

    Example:
        class Queued(Plugin):
            @on("broker_add_after")
            def queued(self, model):
                print(model.id, "waits in", model.queue)
    """


@trigger(
    Kind.FILTER,
    returns=("task_name", "priority", "args", "kw", "created_at"),
    since="1.0",
    roles=("worker",),
    per_task=True,
    check=check_call,
)
def broker_add_worker(
    broker: Any,
    worker: Any,
    task_name: str,
    uuid: str,
    priority: int,
    args: tuple[Any, ...],
    kw: Mapping[str, Any],
    created_at: float,
) -> Any:
    """Fires when a worker has a place for a task that it took; may change what is run.

    It comes before the task is looked up by its name, so this is the place to give tasks of an
    older release their new name. The record keeps what was added.

    Args:
        broker: the broker.
        worker: the worker.
        task_name: the task's name.
        uuid: the task's id.
        priority: its priority.
        args: positional arguments.
        kw: keyword arguments.
        created_at: when it was added, seconds since the epoch.

    Returns:
        What is to be run instead; what an answer leaves out stays as it was.

    Changed:
        ``uuid`` cannot be replaced. An answer without ``args`` and ``kw`` leaves the arguments
        alone. It fires when the task gets its place, not while it waits for one.

    Example:
        class Renamed(Plugin):
            @on("broker_add_worker")
            def rename(self, task_name):
                return {"task_name": "send"} if task_name == "send_mail" else None
    """


@trigger(
    Kind.FILTER,
    returns=("task",),
    since="1.0",
    roles=("client",),
    per_task=True,
    check=check_record,
)
def broker_get(broker: Any, task: Record | None) -> Any:
    """Fires once for each user's ``get`` and each finished wait; may replace the record.

    Args:
        broker: the broker.
        task: the record, or None if there is none.

    Returns:
        The record to show instead, for example one from an archive.

    Changed:
        It does not fire at each look of a wait any more.

    Example:
        class Read(Plugin):
            @on("broker_get")
            def read(self, task):
                print("no such task" if task is None else task.status)
    """


@trigger(
    Kind.FILTER,
    returns=("kw",),
    since="1.0",
    roles=("worker",),
    per_task=True,
    check=check_written,
)
def broker_update(broker: Any, kw: Mapping[str, Any]) -> Any:
    """Fires when a run has ended, with what is about to be written; may change it.

    Args:
        broker: the broker.
        kw: read-only: the task's ``uuid``, and ``outcome``, ``headers``, ``history`` and ``ttl``
            as in :class:`qtasks.schemas.Settlement`.

    Returns:
        The fields that are to be others; an answer may leave the rest out. The kind of the
        outcome, and with it the status of the task, cannot be another one.

    Changed:
        It fires for the end of a run alone, and ``kw`` holds what is written then. An answer
        without ``kw`` changes nothing.

    Example:
        class KeepLonger(Plugin):
            @on("broker_update")
            def keep(self, kw):
                return {"kw": {"ttl": kw["ttl"] * 7}}
    """


@trigger(
    Kind.FILTER,
    returns=("model",),
    since="1.0",
    roles=("worker",),
    per_task=True,
    check=check_outcome,
)
def broker_remove_finished_task(broker: Any, storage: Any, model: Settlement) -> Any:
    """Fires when a run has ended, before its outcome goes to the broker; may change it.

    Args:
        broker: the broker.
        storage: the storage.
        model: what goes to the broker: :class:`qtasks.schemas.Settlement`.

    Returns:
        The settlement to send instead. ``outcome`` may be another of the same kind, ``headers``,
        ``history`` and ``ttl`` may be others; everything else is the engine's.

    Example:
        class Marked(Plugin):
            @on("broker_remove_finished_task")
            def mark(self, model):
                return structs.replace(model, headers={"seen": "yes"})
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("worker",))
def broker_listen_start(broker: Any, worker: Any) -> None:
    """Fires when a worker is about to claim for the first time.

    Args:
        broker: the broker.
        worker: the worker.

    Example:
        class Listening(Plugin):
            @on("broker_listen_start")
            def listening(self, worker):
                print("takes from", ", ".join(worker.queues))
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("worker",))
def broker_running_older_tasks(broker: Any, worker: Any, uuids: tuple[str, ...]) -> None:
    """Fires when a worker has taken back tasks whose leases had run out.

    Args:
        broker: the broker.
        worker: the worker that found them; any may run them now.
        uuids: the ids of the tasks.

    Changed:
        It fires at all, whenever tasks are taken back and not only at the start. There is
        ``uuids``.

    Example:
        class TakenBack(Plugin):
            @on("broker_running_older_tasks")
            def count(self, uuids):
                print(len(uuids), "tasks were left behind by workers that are gone")
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("client",))
def broker_flush_all(broker: Any) -> None:
    """Fires when ``app.flush_all()`` has emptied the broker.

    Args:
        broker: the broker.

    Example:
        class Emptied(Plugin):
            @on("broker_flush_all")
            def emptied(self, broker):
                print("no task waits any more")
    """
