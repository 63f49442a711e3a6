"""The plugin: answers what follows a failed attempt."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

import msgspec

from qtasks.plugins import Plugin, hookimpl, on
from qtasks.schemas.outcome import Success
from qtasks_plugin_retry import guarding, options, overrides
from qtasks_plugin_retry.decision import decide
from qtasks_plugin_retry.failure import Failure
from qtasks_plugin_retry.guards import Guards
from qtasks_plugin_retry.matching import type_name
from qtasks_plugin_retry.options import check_retry, check_retry_on_exc, policy_of
from qtasks_plugin_retry.policy import check_policy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

    from qtasks.schemas import Delivery, Finding, TaskDefinition, Verdict
    from qtasks_plugin_retry.policy import Retry

__all__ = ["RetryPlugin"]

log = logging.getLogger(__name__)


class RetryPlugin(Plugin):
    """Has failed tasks run again that were declared with ``retry=``.

    It is used as soon as the package is installed. An instance that is added in code takes its
    place; add it before the tasks are declared.

    Args:
        name: its name.
        options: the policy of the app, as environment and settings file give it.
        default: the policy of the app, with all that a policy can say; wins over ``options``.

    Raises:
        TypeError: ``default`` is no policy.

    Attributes:
        classify_errors: how often ``classify`` failed in this process, by the task's name.
        guards: the budgets and breakers that its tasks name.
    """

    plugin_api = "1.0"
    Options = options.Options

    def __init__(
        self,
        name: str = "retry",
        options: options.Options | None = None,
        default: Retry | None = None,
    ) -> None:
        super().__init__(name, options)
        self._default = default if default is None else check_policy("default", default)
        self.classify_errors: Counter[str] = Counter()
        self.guards = Guards()

    @property
    def default(self) -> Retry:
        """The policy of ``retry=True``, and what ``retry=5`` takes the rest of."""
        return self._default or (self.options or self.Options()).policy()

    @hookimpl
    def qtasks_task_options(self) -> Mapping[str, Callable[[Any], object]]:
        """Declares the keywords of tasks that are the plugin's."""
        return {"retry": check_retry, "retry_on_exc": check_retry_on_exc}

    @hookimpl
    def qtasks_max_attempts(self, task: TaskDefinition) -> int | None:
        """Says how many attempts a task has, and refuses options that contradict each other.

        Args:
            task: the task.

        Raises:
            ValueError: they do, or ``on_exhausted`` is the task itself.
        """
        policy = policy_of(task.extra, self.default)
        if policy is None:
            return None
        if policy.on_exhausted == task.name:
            msg = f"retry=Retry(on_exhausted={task.name!r}) would never end: name another task"
            raise ValueError(msg)
        self.guards.declare(policy, task.name)
        return policy.max_attempts

    @hookimpl
    def qtasks_commands(self, group: Any) -> None:
        """Adds ``qtasks retry``.

        Args:
            group: the commands.
        """
        # Here, because it needs typer, which workers do without.
        from qtasks_plugin_retry.commands import add_commands

        add_commands(group)

    @hookimpl
    def qtasks_health_checks(self, app: Any) -> Iterable[Finding]:  # noqa: ARG002 - the hook has it
        """Says which budgets and breakers there are.

        Args:
            app: the app.
        """
        return self.guards.findings()

    def figures(self, now: float) -> Iterable[tuple[str, str, float]]:
        """Returns how its budgets and breakers stand in this process, for exporters.

        Args:
            now: seconds since the epoch.

        Returns:
            Triples: ``retry_budget_exhausted`` with the name of a budget and how many retries it
            has postponed, and ``circuit_state`` with that of a breaker and 0 if it is closed, 1 if
            it is half-open, 2 if it is open.
        """
        return list(self.guards.figures(now))

    def applies(self, task: TaskDefinition) -> bool | Collection[str]:
        """Names the triggers that the policy of a task needs; without one it needs none.

        Args:
            task: the task.
        """
        policy = policy_of(task.extra, self.default)
        if policy is None:
            return False
        wanted = ["worker_task_error_retry"]
        if policy.on_exhausted is not None:
            wanted.append("worker_dead_letter")
        if policy.breaker is not None or policy.budget is not None:
            wanted.append("worker_execute_before")
        if policy.breaker is not None:
            wanted.append("worker_outcome")
        return wanted

    @on("worker_execute_before", order="last")
    async def guard(self, worker: Any, task_func: TaskDefinition, task_broker: Delivery) -> None:
        """Keeps a run from starting whose breaker is open.

        Args:
            worker: the worker.
            task_func: the task.
            task_broker: the delivery.

        Raises:
            Snooze: it is.
        """
        policy = policy_of(task_func.extra, self.default)
        if policy is None:
            return
        await guarding.before_start(
            self.guards,
            policy,
            worker.broker.storage,
            task=task_func.name,
            now=worker.app.clock.time(),
            is_first=not task_broker.attempts,
            memory=self.state(task_broker),
        )

    @on("worker_outcome")
    async def hear(self, worker: Any, task_broker: Delivery, outcome: Any) -> None:
        """Tells the breaker of a run that was no failure.

        Args:
            worker: the worker.
            task_broker: the delivery.
            outcome: what the end of the run meant.
        """
        memory = self.state(task_broker)
        if "given" not in vars(memory):
            return
        await guarding.at_the_end(
            self.guards,
            worker.broker.storage,
            now=worker.app.clock.time(),
            succeeded=isinstance(outcome, Success),
            memory=memory,
        )

    @on("worker_task_error_retry")
    def judge(
        self,
        *,
        broker: Any,
        task_func: TaskDefinition,
        task_broker: Delivery,
        e: BaseException,
        attempt: int,
        elapsed: float,
    ) -> Verdict | Awaitable[Verdict | None] | None:
        """Decides about a failed attempt.

        Args:
            broker: the broker.
            task_func: the task.
            task_broker: the delivery.
            e: the exception.
            attempt: counted attempts, this one included.
            elapsed: seconds since the task was accepted.
        """
        policy = policy_of(task_func.extra, self.default)
        if policy is None:
            return None
        forced, until = overrides.current(), task_broker.expires_at
        failure = Failure(
            error=e,
            error_type=type_name(e),
            task=task_func.name,
            task_id=task_broker.id,
            attempt=attempt,
            max_attempts=forced.max_attempts or policy.max_attempts,
            elapsed=elapsed,
            now=task_broker.enqueued_at + elapsed,
            expires=None if until is None else until - task_broker.enqueued_at,
        )
        verdict = decide(policy, failure, lambda what: self._complain(failure, what))
        if policy.breaker is not None or policy.budget is not None:
            memory, storage = self.state(task_broker), broker.storage
            told = guarding.after_failure(
                self.guards, policy, storage, failure, verdict=verdict, memory=memory
            )
            return told if not forced.no_delay else _at_once(told)
        return _without_delay(verdict) if forced.no_delay else verdict

    @on("worker_dead_letter")
    async def follow(
        self,
        worker: Any,
        uuid: str,
        task_func: TaskDefinition | None,
        task_broker: Delivery | None,
    ) -> None:
        """Adds the task that is to follow one that failed for good.

        Args:
            worker: the worker.
            uuid: the id of the dead letter.
            task_func: its task, or None if the worker does not know it.
            task_broker: its last delivery, or None if it was convicted without a run.
        """
        policy = None if task_func is None else policy_of(task_func.extra, self.default)
        if policy is None or policy.on_exhausted is None:
            return
        app, name = worker.app, policy.on_exhausted
        # The same death is told once; a task that was requeued may die again.
        token = "lost" if task_broker is None else task_broker.token
        task_id = str(uuid5(UUID(uuid), f"{name}:{token}"))
        if app.method == "async":
            await app.add_task(name, uuid, task_id=task_id)
        else:
            await asyncio.to_thread(app.add_task, name, uuid, task_id=task_id)

    def _complain(self, failure: Failure, what: str) -> None:
        """Counts and logs that ``classify`` failed; the classes of the exception decide then."""
        self.classify_errors[failure.task] += 1
        log.error(
            "classify= of task %s %s for %s: the classes of the exception decide",
            failure.task,
            what,
            failure.error_type,
        )


def _without_delay(verdict: Verdict | None) -> Verdict | None:
    if verdict is None or not verdict.delay:
        return verdict
    return msgspec.structs.replace(verdict, delay=0.0)


async def _at_once(verdict: Awaitable[Verdict | None]) -> Verdict | None:
    return _without_delay(await verdict)
