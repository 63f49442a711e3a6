"""Runs deliveries: from a delivery to a settlement."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from qtasks._core.binding import load_arguments
from qtasks._core.decisions import outcomes
from qtasks._core.decisions.history import append
from qtasks._runtime.current import current_app, current_delivery
from qtasks._runtime.errors import describe, task_text
from qtasks._triggers import emit
from qtasks._worker.bracket import Bracket
from qtasks._worker.execution import execute
from qtasks._worker.firing.running import Passage, Running
from qtasks._worker.results import encode_result
from qtasks.contracts.codec import decode_arguments
from qtasks.exc import DecodeError, RetryLater, TaskCancelError, TaskControl, TaskTimeoutError
from qtasks.schemas import (
    Cancel,
    Delivery,
    Fail,
    Finished,
    HistoryEntry,
    Outcome,
    Retry,
    Settlement,
    Success,
    TaskDefinition,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qtasks._config import QueueConfig
    from qtasks._triggers.registry import TriggerRegistry
    from qtasks._triggers.table import TriggerTable
    from qtasks._worker.attendance import Attendance
    from qtasks._worker.places import Pools
    from qtasks._worker.plan import Plan, Plans
    from qtasks.contracts.executor import BaseTaskExecutor
    from qtasks.typing import Clock

__all__ = ["Runner"]

log = logging.getLogger("qtasks.worker")


class Runner:
    """Runs deliveries of one worker, each in an asyncio task of its own.

    Args:
        worker: the worker, as plugins see it.
        worker_id: its id, for the history.
        owner: the app.
        tasks: the registered tasks by name.
        registry: the plugins.
        plans: how runs of the tasks go.
        config: the settings.
        pools: where plain functions run.
        clock: the time.
        attendance: for runs that look at themselves or give values meanwhile.
        on_finished: takes each ended run; not called for those that were lost.
    """

    def __init__(
        self,
        *,
        worker: Any,
        worker_id: str,
        owner: object,
        tasks: Mapping[str, TaskDefinition],
        registry: TriggerRegistry,
        plans: Plans,
        config: QueueConfig,
        pools: Pools,
        clock: Clock,
        attendance: Attendance,
        on_finished: Callable[[Delivery, Finished | None], None],
    ) -> None:
        self._worker = worker
        self._worker_id = worker_id
        self._owner = owner
        self._tasks = tasks
        self._registry = registry
        self._plans = plans
        self._config = config
        self._pools = pools
        self._clock = clock
        self._attendance = attendance
        self._on_finished = on_finished
        self._firing = Running(worker, tasks, registry, config)
        self._running: dict[tuple[str, int], Passage] = {}
        self._endings: dict[tuple[str, int], Outcome | None] = {}

    @property
    def running(self) -> int:
        """How many deliveries run now."""
        return len(self._running)

    def passages(self) -> list[Passage]:
        """Returns what runs now; may be called from any thread."""
        return list(self._running.values())

    def start(self, delivery: Delivery) -> None:
        """Begins to run a delivery."""
        passage = Passage(self._tasks.get(delivery.message.task), delivery)
        self._running[delivery.id, delivery.token] = passage
        passage.run = asyncio.get_running_loop().create_task(self._run(passage))

    def interrupt(self, task_id: str, token: int, ending: Outcome | None) -> bool:
        """Stops a running delivery; ``ending`` becomes its outcome, None drops it unsettled.

        A coroutine is cancelled; a thread is abandoned; a pool process is killed.

        Returns:
            False if it is not running (any more).
        """
        passage = self._running.get((task_id, token))
        if passage is None or passage.run is None or (task_id, token) in self._endings:
            return False
        self._endings[task_id, token] = ending
        self._attendance.end(task_id, token, _why(ending))
        passage.run.cancel()
        return True

    def interrupt_all(self, ending: Outcome | None) -> None:
        """Stops everything that runs."""
        for task_id, token in list(self._running):
            self.interrupt(task_id, token, ending)

    async def close(self) -> None:
        """Closes what runs have opened; only when none is left."""
        await self._attendance.close()

    def unrun(self, delivery: Delivery, outcome: Outcome) -> Finished:
        """Ends a delivery without running it."""
        task = self._tasks.get(delivery.message.task)
        now = self._clock.time()
        settlement = self._settlement(Passage(task, delivery), outcome, now)
        return Finished(delivery, task, settlement, now, now)

    async def finish(self, delivery: Delivery) -> Finished | None:
        """Runs a delivery in the calling asyncio task, whose context it changes; tells nobody."""
        current_app.set(self._owner)
        current_delivery.set(delivery)
        passage = Passage(self._tasks.get(delivery.message.task), delivery)
        return await self._finished(passage, delivery)

    async def _run(self, passage: Passage) -> None:
        delivery = passage.delivery
        current_app.set(self._owner)
        current_delivery.set(delivery)
        key = (delivery.id, delivery.token)
        finished = None
        try:
            finished = await self._finished(passage, delivery)
        except BaseException:
            log.exception("The engine failed on %s; its lease will run out", task_text(delivery))
        finally:
            self._endings.pop(key, None)
            self._running.pop(key, None)
            self._on_finished(delivery, finished)

    async def _finished(self, passage: Passage, delivery: Delivery) -> Finished | None:
        """Runs a delivery and makes its settlement; None if it was lost meanwhile."""
        key = (delivery.id, delivery.token)
        passage.started = started = self._clock.time()
        try:
            finished = await self._ended(passage, key, started)
        finally:
            if passage.bracket is not None:
                await passage.bracket.close()
        return finished

    async def _ended(
        self, passage: Passage, key: tuple[str, int], started: float
    ) -> Finished | None:
        outcome: Outcome | None
        if debug := log.isEnabledFor(logging.DEBUG):
            log.debug("%s begins", task_text(passage.delivery))
        try:
            outcome = await self._outcome(passage)
        except asyncio.CancelledError as error:
            if passage.bracket is not None:
                passage.bracket.error = error
            # What nobody asked for is a failure of the task's own code.
            outcome = self._endings[key] if key in self._endings else Fail(describe(error))
        if outcome is None:
            await self._tell_lost(passage.task, passage.delivery)
            return None
        settlement = self._settlement(passage, outcome, started)
        if self._firing.ends and ((table := self._firing.table_of(passage.task)).hears_settling):
            try:
                settlement = await self._firing.ended(passage, settlement, table)
            except Exception as error:  # noqa: BLE001 - of a plugin whose failures are to be raised
                failed = Fail(describe(error))
                settlement = self._settlement(passage, failed, started)
            if self._endings.get(key, outcome) is None:  # it was lost while plugins were asked
                await self._tell_lost(passage.task, passage.delivery)
                return None
        if debug:
            end = type(settlement.outcome).__name__.lower()
            log.debug("%s ends: %s", task_text(passage.delivery), end)
        ended = self._clock.time() if self._firing.measured else 0.0
        return Finished(passage.delivery, passage.task, settlement, started, ended)

    async def _tell_lost(self, task: TaskDefinition | None, delivery: Delivery) -> None:
        if subscribers := self._firing.table_of(task).worker_lease_lost:
            arguments = {"worker": self._worker, "task_broker": delivery}
            await emit.notify("worker_lease_lost", subscribers, arguments)

    async def _outcome(self, passage: Passage) -> Outcome:
        firing = self._firing
        if firing.seen is not self._registry.table:
            firing.look()
        if (firing.arrives or firing.begins) and (
            (heard := firing.table_of(passage.task)).hears_starts
        ):
            early = await self._early(passage, heard)
            if early is not None:
                return early
        if passage.task is None or passage.delivery.malformed is not None:
            return self._refusal(passage.delivery)
        task, delivery = passage.task, passage.delivery
        table = self._registry.table_for(task)
        try:
            args, kwargs = decode_arguments(delivery.message.payload)
        except DecodeError as error:
            return outcomes.after_malformed(str(error))
        try:
            arguments = load_arguments(task, tuple(args), kwargs)
            value = await self._value(passage, task, table, arguments)
            limit = self._config.max_payload
            return Success(encode_result(task, value, limit) if task.store_result else None)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit of a task is its failure, not the worker's
            if passage.bracket is not None:
                passage.bracket.error = error
            return await self._failed(passage, table, error)

    def _refusal(self, delivery: Delivery) -> Outcome:
        """Decides about what cannot be run here."""
        if delivery.malformed is not None:
            return outcomes.after_malformed(delivery.malformed)
        known = sorted(self._tasks)
        return outcomes.after_unknown(delivery, known, self._config.unknown_task_grace)

    async def _early(self, passage: Passage, table: TriggerTable) -> Outcome | None:
        """Asks plugins about a delivery that is to run; the outcome if one of them ends it."""
        firing, before = self._firing, passage.delivery
        try:
            if firing.arrives:
                await firing.arrived(passage, table)
            if firing.begins and passage.task is not None and before.malformed is None:
                await firing.beginning(passage, table)
        except (TaskControl, TaskCancelError) as error:
            return outcomes.after_control(error)
        except Exception as error:  # noqa: BLE001 - of a plugin whose failures are to be raised
            if passage.task is None:
                return Fail(describe(error))
            return await self._failed(passage, self._registry.table_for(passage.task), error)
        if passage.delivery is not before:
            current_delivery.set(passage.delivery)
        return None

    async def _value(
        self,
        passage: Passage,
        task: TaskDefinition,
        table: TriggerTable,
        arguments: tuple[tuple[Any, ...], dict[str, Any]],
    ) -> Any:
        plan = self._plans.plan_for(task)
        executor = plan.executor(task, passage.delivery)
        executor.args, executor.kwargs = arguments
        bracket = None
        if table.task_executor_fill or table.task_executor_task_close or plan.layout:
            bracket = passage.bracket = Bracket(self._worker, plan, executor, table)
        if plan.attended:
            run = lambda: self._timed(plan, executor, table, bracket)  # noqa: E731 - used once
            return await self._attendance.attend(executor, run, bracket)
        return await self._timed(plan, executor, table, bracket)

    async def _timed(
        self, plan: Plan, executor: BaseTaskExecutor, table: TriggerTable, bracket: Bracket | None
    ) -> Any:
        task = executor.task_func
        if task.max_time is None:
            return await execute(plan, executor, table, self._pools, bracket=bracket)
        seconds, loop = task.max_time, asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as limit:
                # The time counts from the start of the function, not from the wait for a place.
                begin = lambda: _limit(limit, loop.time() + seconds)  # noqa: E731 - used once
                return await execute(plan, executor, table, self._pools, begin, bracket=bracket)
        except TimeoutError as error:
            if not limit.expired():
                raise  # the task's own TimeoutError stays what it is
            msg = f"{task.name} exceeded its max_time of {task.max_time:g} s"
            raise TaskTimeoutError(msg) from error

    async def _failed(self, passage: Passage, table: TriggerTable, error: BaseException) -> Outcome:
        steered = isinstance(error, TaskControl | TaskCancelError)
        if steered and not isinstance(error, RetryLater):
            return outcomes.after_control(error)
        delivery, described = passage.delivery, describe(error)
        verdict = None
        if subscribers := table.worker_task_error_retry:
            arguments = {
                "broker": self._worker.broker,
                "task_func": passage.task,
                "task_broker": delivery,
                "trace": described.traceback,
                "e": error,
                "attempt": delivery.attempts + 1,
                "elapsed": self._elapsed(passage),
            }
            try:
                verdict = await emit.first("worker_task_error_retry", subscribers, arguments)
            except (TaskControl, TaskCancelError) as control:
                return outcomes.after_control(control)
            except Exception as raised:  # noqa: BLE001 - of a plugin whose failures are to be raised
                return outcomes.after_failure(describe(raised), None)
        if verdict is None and steered:  # no policy has a limit for what the task asked for
            return outcomes.after_control(error)
        if verdict is not None and verdict.headers is not None:
            passage.headers = {**delivery.message.headers, **verdict.headers}
        return outcomes.after_failure(described, verdict)

    def _elapsed(self, passage: Passage) -> float:
        """Returns the seconds since a task was accepted; no two clocks are compared for it."""
        delivery = passage.delivery
        waited = max(delivery.claimed_at - delivery.enqueued_at, 0.0)
        return waited + max(self._clock.time() - passage.started, 0.0)

    def _settlement(self, passage: Passage, outcome: Outcome, started: float) -> Settlement:
        delivery = passage.delivery
        attempts = outcomes.attempts_after(delivery, outcome)
        history = delivery.history
        if history is not None or not isinstance(outcome, Success):
            error = outcome.error if isinstance(outcome, Fail | Retry) else None
            reason = outcome.reason if isinstance(outcome, Fail | Retry | Cancel) else ""
            entry = HistoryEntry(
                delivery=delivery.deliveries,
                worker=self._worker_id,
                started=started,
                finished=self._clock.time(),
                outcome=type(outcome).__name__.lower(),
                attempt=attempts,
                error_type=error.type if error else "",
                message=error.message if error else reason,
                delay=outcome.delay if isinstance(outcome, Retry) else 0.0,
            )
            history = append(history, entry)
        return Settlement(
            delivery.id,
            delivery.token,
            outcome,
            attempts=attempts,
            snoozes=outcomes.snoozes_after(delivery, outcome),
            history=history,
            headers=passage.headers,
            ttl=self._ttl(passage.task, outcome),
            receipt=delivery.receipt,
        )

    def _ttl(self, task: TaskDefinition | None, outcome: Outcome) -> float:
        if isinstance(outcome, Fail):
            return self._config.dead_ttl
        if isinstance(outcome, Success) and task is not None and not task.store_result:
            return 0.0
        return self._config.result_ttl


def _limit(limit: asyncio.Timeout, when: float) -> None:
    # A thread may start in the moment in which its run is given up.
    with contextlib.suppress(RuntimeError):
        limit.reschedule(when)


def _why(ending: Outcome | None) -> str:
    """Says why a run is over, to the code that still runs."""
    if isinstance(ending, Cancel):
        return ending.reason
    return "the lease was lost" if ending is None else "the worker stops"
