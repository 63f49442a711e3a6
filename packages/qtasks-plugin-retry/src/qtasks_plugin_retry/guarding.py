"""What budgets and breakers do with the runs of a task: before, after a failure, at the end.

Where the storage of a shared one cannot be asked, runs go on as if there were none: a guard that
is away must not be what stops the work.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qtasks.exc import Snooze, TaskControl
from qtasks_plugin_retry.decision import within
from qtasks_plugin_retry.matching import match
from qtasks_plugin_retry.retry_after import retry_after

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import SimpleNamespace

    from qtasks.schemas import Verdict
    from qtasks.storages import BaseStorage
    from qtasks_plugin_retry.circuit import Circuit, Pass
    from qtasks_plugin_retry.failure import Failure
    from qtasks_plugin_retry.guards import Guards
    from qtasks_plugin_retry.policy import Retry

__all__ = ["after_failure", "at_the_end", "before_start"]

log = logging.getLogger(__name__)

#: Seconds that a storage may take to answer.
_PATIENCE: Final = 2.0


async def before_start(
    guards: Guards,
    policy: Retry,
    storage: BaseStorage,
    *,
    task: str,
    now: float,
    is_first: bool,
    memory: SimpleNamespace,
) -> None:
    """Counts a first run, and keeps a run from starting whose breaker is open.

    Args:
        guards: the budgets and breakers.
        policy: the policy of the task.
        storage: the app's storage.
        task: the task's name.
        now: seconds since the epoch.
        is_first: whether no run of this task has failed yet.
        memory: keeps what the run started with.

    Raises:
        Snooze: the breaker is open.
    """
    if policy.breaker is not None:
        circuit = guards.circuit(policy.breaker.name, storage)
        given = await _asked(circuit.enter(now), policy.breaker.name)
        if isinstance(given, float):
            raise Snooze(given, f"breaker {policy.breaker.name} is open")
        if given is not None:
            memory.given = policy.breaker.name, given
    if policy.budget is not None and is_first:
        name = policy.budget.name or task
        await _asked(guards.purse(name, storage).began(now), name)


async def after_failure(
    guards: Guards,
    policy: Retry,
    storage: BaseStorage,
    failure: Failure,
    *,
    verdict: Verdict | None,
    memory: SimpleNamespace,
) -> Verdict | None:
    """Tells the breaker of a failure, and postpones a retry that exceeds the budget.

    Args:
        guards: the budgets and breakers.
        policy: the policy of the task.
        storage: the app's storage.
        failure: the attempt that failed.
        verdict: what follows it.
        memory: has what the run started with.
    """
    if "given" in vars(memory):
        name, given = vars(memory).pop("given")
        circuit = guards.circuit(name, storage)
        await _asked(_tell(circuit, given, policy, failure, verdict), name)
    if policy.budget is None or verdict is None or verdict.action != "retry":
        return verdict
    name = policy.budget.name or failure.task
    latest = _latest(policy, failure)
    purse = guards.purse(name, storage)
    delay = await _asked(purse.postpone(verdict.delay, failure.now, latest), name)
    if delay is None or delay <= verdict.delay:
        return verdict
    reason = verdict.reason or f"budget {name} is spent"
    return within(policy, failure, msgspec.structs.replace(verdict, delay=delay, reason=reason))


async def at_the_end(
    guards: Guards, storage: BaseStorage, *, now: float, succeeded: bool, memory: SimpleNamespace
) -> None:
    """Tells the breaker of a run that was no failure.

    Args:
        guards: the budgets and breakers.
        storage: the app's storage.
        now: seconds since the epoch.
        succeeded: whether it returned; else it was cancelled, released or postponed.
        memory: has what the run started with.
    """
    name, given = vars(memory).pop("given")
    circuit = guards.circuit(name, storage)
    told = circuit.succeeded(given, now) if succeeded else circuit.undecided(given)
    await _asked(told, name)


def _tell(
    circuit: Circuit, given: Pass, policy: Retry, failure: Failure, verdict: Verdict | None
) -> Coroutine[Any, Any, None]:
    error = failure.error
    refused = verdict is not None and verdict.reason == "not_retried"
    listed = match(error, tuple(circuit.breaker.failures), ()) == "retried"
    if refused or isinstance(error, TaskControl) or not listed:
        return circuit.undecided(given)
    hold = retry_after(error, failure.now)
    return circuit.failed(given, failure.now, hold if hold is None else policy.bounded(hold))


def _latest(policy: Retry, failure: Failure) -> float | None:
    """Returns the most seconds that a retry can be postponed, or None."""
    limits = [each for each in (policy.max_elapsed, failure.expires) if each is not None]
    return min(limits) - failure.elapsed if limits else None


async def _asked(question: Coroutine[Any, Any, Any], name: str) -> Any:
    """Returns an answer; None if there is none."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return await question
    except Exception as error:  # noqa: BLE001 - of any storage; the work goes on
        log.warning("What is shared as %s cannot be asked: %s", name, type(error).__name__)
        return None
