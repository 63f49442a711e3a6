"""Triggers of the worker: what becomes of each delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.contracts.triggers.checks import (
    check_call,
    check_delivery,
    check_outcome,
    check_run,
    check_verdict,
)
from qtasks.contracts.triggers.spec import Kind, trigger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qtasks.schemas import Delivery, Finished, Held, Settlement, TaskDefinition


@trigger(
    Kind.FILTER,
    returns=("task_name", "priority", "args", "kw", "created_at"),
    since="1.0",
    roles=("worker",),
    per_task=True,
    check=check_call,
)
def worker_add(
    worker: Any,
    task_name: str,
    uuid: str,
    priority: int,
    args: tuple[Any, ...],
    kw: Mapping[str, Any],
    created_at: float,
) -> Any:
    """Fires after ``broker_add_worker``, with what it left; may change what is run.

    Args:
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
        The task's name is ``task_name`` in answers too, where it was ``name``, and ``uuid``
        cannot be replaced. An answer without ``args`` and ``kw`` leaves the arguments alone.

    Example:
        class Capped(Plugin):
            @on("worker_add")
            def cap(self, kw):
                return {"kw": {**kw, "limit": 10}} if kw.get("limit", 0) > 10 else None
    """


@trigger(
    Kind.FILTER,
    returns=("task_func", "task_broker"),
    since="1.0",
    roles=("worker",),
    per_task=True,
    check=check_run,
)
def worker_run_task_before(worker: Any, task_func: TaskDefinition, task_broker: Delivery) -> Any:
    """Fires before a run begins; may have another function run, or another delivery.

    Args:
        worker: the worker.
        task_func: the registered task.
        task_broker: the delivery.

    Returns:
        The registered task to run instead, and the delivery. Id and token of the delivery
        cannot be others.

    Example:
        class Stand(Plugin):
            @on("worker_run_task_before")
            def stand_in(self, task_func):
                return {"task_func": structs.replace(task_func, max_time=60)}
    """


@trigger(
    Kind.FILTER,
    returns=("model",),
    since="1.0",
    roles=("worker",),
    per_task=True,
    check=check_delivery,
)
def worker_execute_before(
    worker: Any, task_broker: Delivery, task_func: TaskDefinition, model: Delivery
) -> Any:
    """Fires before a delivery runs; raising a ``TaskControl`` vetoes the start.

    Args:
        worker: the worker.
        task_broker: the delivery, as it came here.
        task_func: the registered task.
        model: the delivery as it is going to run.

    Returns:
        The delivery to run instead: another ``message`` with the same id, for example.

    Changed:
        The record says that the task is in process since it was claimed, so ``model`` is what
        runs, not what is written. ``RetryLater``, ``Snooze``, ``Reject`` and ``Discard`` pass.

    Example:
        class Maintenance(Plugin):
            closed = False

            @on("worker_execute_before")
            def wait(self, task_func):
                if self.closed and "billing" in task_func.tags:
                    raise Snooze(60)
    """


@trigger(
    Kind.FIRST,
    returns=("verdict",),
    since="1.0",
    roles=("worker",),
    per_task=True,
    check=check_verdict,
)
def worker_task_error_retry(
    broker: Any,
    task_func: TaskDefinition,
    task_broker: Delivery,
    trace: str,
    e: BaseException,
    attempt: int,
    elapsed: float,
) -> Any:
    """Fires for every failed attempt; a returned ``Verdict`` decides what follows.

    An attempt that ends by ``RetryLater`` is one of them, so that a policy can limit it; what
    that asks for happens if nobody answers. A policy that answers takes the delay from ``e``.

    Args:
        broker: the broker.
        task_func: the registered task.
        task_broker: the delivery.
        trace: the formatted traceback.
        e: the exception.
        attempt: counted attempts, this one included.
        elapsed: seconds since the task was accepted.

    Returns:
        A :class:`qtasks.schemas.Verdict`; the first one counts, and without any the task fails.
        Its ``headers`` are set on the message beside those it has, so the next attempt sees them.

    Changed:
        It fires for every failure, not only for tasks that have ``retry``. There are ``e``,
        ``attempt`` and ``elapsed``. The answer is a verdict; a retried task keeps its uuid.

    Example:
        class TwiceMore(Plugin):
            @on("worker_task_error_retry")
            def again(self, e, attempt):
                if isinstance(e, OSError) and attempt < 3:
                    return Verdict("retry", delay=attempt * 5)
    """


@trigger(
    Kind.FILTER,
    returns=("task_broker", "model"),
    since="1.0",
    roles=("worker",),
    per_task=True,
    check=check_outcome,
)
def worker_remove_finished_task(
    worker: Any,
    broker: Any,
    task_func: TaskDefinition | None,
    task_broker: Delivery,
    model: Settlement,
) -> Any:
    """Fires when a run has ended, first of the four that may change what is written.

    ``broker_remove_finished_task``, ``broker_update`` and ``storage_update`` follow, each with
    what the one before left.

    Args:
        worker: the worker.
        broker: the broker.
        task_func: the registered task, or None if the worker does not know it.
        task_broker: the delivery.
        model: what goes to the broker: :class:`qtasks.schemas.Settlement`.

    Returns:
        The settlement to send instead, and the delivery that later triggers show. ``outcome``
        may be another of the same kind, ``headers``, ``history`` and ``ttl`` may be others.

    Example:
        class Upper(Plugin):
            @on("worker_remove_finished_task")
            def stamp(self, task_broker, model):
                headers = {**task_broker.message.headers, "ran": "yes"}
                return {"model": structs.replace(model, headers=headers)}
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("worker",), per_task=True)
def worker_execute_after(
    worker: Any, task_func: TaskDefinition | None, task_broker: Delivery, model: Settlement
) -> None:
    """Fires when a run has been settled and the broker accepted it.

    Args:
        worker: the worker.
        task_func: the registered task, or None if the worker does not know it.
        task_broker: the delivery.
        model: what was written: :class:`qtasks.schemas.Settlement`.

    Changed:
        There is ``worker``. It fires after the broker's answer, and only if it accepted.

    Example:
        class Done(Plugin):
            @on("worker_execute_after")
            def done(self, task_broker, model):
                print(task_broker.message.task, type(model.outcome).__name__)
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("worker",), per_task=True)
def worker_outcome(
    worker: Any,
    task_broker: Delivery,
    outcome: Any,
    final: bool,  # noqa: FBT001 - all arguments come by keyword
    fenced: bool,  # noqa: FBT001 - likewise
    started: float,
    seconds: float,
) -> None:
    """Fires after the broker's answer to a settlement, also when it was refused.

    Args:
        worker: the worker.
        task_broker: the delivery.
        outcome: what the end of the run meant.
        final: whether the task is over.
        fenced: whether the broker refused it because another delivery is newer.
        started: when the run began, seconds since the epoch on the worker's clock.
        seconds: how long it took until its outcome was known, with what plugins did meanwhile; 0.0
            for a delivery that ended without a run.

    Example:
        class Outcomes(Plugin):
            @on("worker_outcome")
            def count(self, outcome, fenced):
                print("stale" if fenced else type(outcome).__name__)
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("worker",))
def worker_exchanged(
    worker: Any,
    deliveries: Sequence[Delivery],
    runs: Sequence[Finished],
    refused: Sequence[str],
    seconds: float,
    e: BaseException | None,
) -> None:
    """Fires after each call by which a worker settles and claims: once for many tasks.

    It is waited for before the next call, so what it does is to be quick.

    Args:
        worker: the worker.
        deliveries: what was claimed.
        runs: what was settled, but for what was given back without a run:
            :class:`qtasks.schemas.Finished`.
        refused: the ids whose outcomes it refused, because another delivery is newer.
        seconds: how long the answer took.
        e: why there is none; None if there is.

    Example:
        class RoundTrips(Plugin):
            @on("worker_exchanged")
            def note(self, deliveries, runs, seconds):
                print(len(runs), "settled,", len(deliveries), "claimed in", seconds, "s")
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("worker",))
def worker_leases_kept(worker: Any, held: Sequence[Held], lost: Sequence[str]) -> None:
    """Fires when the leases of what a worker holds were renewed, about every third of a lease.

    Args:
        worker: the worker.
        held: the deliveries that were to be kept, with the queue of each.
        lost: the ids of those that are somebody else's by now.

    Example:
        class Renewals(Plugin):
            @on("worker_leases_kept")
            def note(self, held, lost):
                print(len(held) - len(lost), "leases renewed")
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("worker",), per_task=True)
def worker_lease_lost(worker: Any, task_broker: Delivery) -> None:
    """Fires when a running delivery turns out to belong to somebody else by now.

    Args:
        worker: the worker.
        task_broker: the delivery.

    Example:
        class Lost(Plugin):
            @on("worker_lease_lost")
            def lost(self, task_broker):
                print(task_broker.id, "is run by somebody else")
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("worker", "supervisor"), per_task=True)
def worker_dead_letter(
    worker: Any,
    uuid: str,
    reason: str,
    task_func: TaskDefinition | None,
    task_broker: Delivery | None,
) -> None:
    """Fires when a task has failed for good and is listed among the dead letters.

    Args:
        worker: the worker that ran it, or found that it takes workers down; in a supervisor, which
            finds this out first, what is left of the dead one: its ``id``, ``app`` and ``broker``.
        uuid: the task's id.
        reason: one word: ``exhausted``, ``rejected``, ``worker_lost``, ``malformed``,
            ``unknown_task`` or a plugin's own.
        task_func: the registered task, or None if the worker does not know which it was.
        task_broker: the delivery, or None if the task was convicted without a run.

    Example:
        class Alarm(Plugin):
            @on("worker_dead_letter")
            def ring(self, uuid, reason):
                print(uuid, "is dead:", reason)
    """
