"""Which ends of runs become events, and what these say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sentry_sdk

from qtasks.exc import TaskControl
from qtasks.schemas import Fail, Retry
from qtasks_plugin_sentry.about import context_of, tags_of
from qtasks_plugin_sentry.ignoring import is_ignored, type_of
from qtasks_plugin_sentry.payloads import arguments_of, known_of
from qtasks_plugin_sentry.scopes import add_attempts, inside
from qtasks_plugin_sentry.sdk import may_send_data

if TYPE_CHECKING:
    from qtasks.schemas import Delivery, TaskDefinition
    from qtasks_plugin_sentry.events import Sender
    from qtasks_plugin_sentry.options import Options
    from qtasks_plugin_sentry.runs import Run

__all__ = ["End", "Reporting"]

#: A task that is rejected is so on purpose.
_ON_PURPOSE: Final = "rejected"
_TIMEOUT: Final = "qtasks.exc.TaskTimeoutError"
#: Reasons that are no exception of the task, and how their events are grouped.
_BY_QUEUE: Final = "malformed"
_BY_TASK: Final = "unknown_task"


@dataclass(frozen=True, slots=True)
class End:
    """The end of a run that failed.

    Attributes:
        worker: the worker.
        delivery: what was run.
        outcome: what its end meant.
        error: what it raised; None if it raised nothing here, or did not even run.
        run: its scopes and its span; None if it has none.
    """

    worker: Any
    delivery: Delivery
    outcome: Fail | Retry
    error: BaseException | None
    run: Run | None


class Reporting:
    """Sends events of runs that have ended.

    Args:
        sender: makes and sends events.
        ignored: exceptions that are not reported.
    """

    def __init__(self, sender: Sender, ignored: tuple[type[BaseException] | str, ...]) -> None:
        self._sender = sender
        self._ignored = ignored

    def report(self, client: Any, options: Options, end: End) -> None:
        """Reports a failed run that the broker has settled, if somebody wants to know of it.

        Args:
            client: the application's client.
            options: what is sent.
            end: the end of the run.
        """
        described, task = end.outcome.error, None if end.run is None else end.run.task
        if described is None or not _is_wanted(options, end):
            return
        error = end.error or described
        if is_ignored(error, self._ignored, {} if task is None else task.extra):
            return
        as_it_is = options.send_args and may_send_data(client)
        delivery, message = end.delivery, end.delivery.message
        facts, known = _facts(end, type_of(error)), known_of(message, task)
        if as_it_is:
            facts["extra"] = arguments_of(message, task)
        if end.run is not None and end.run.trace is not None:
            facts["contexts"]["trace"] = end.run.trace
        with inside(None if end.run is None else end.run.scope):
            scope = sentry_sdk.get_isolation_scope()
            scope.set_context("qtasks", _context(end, task))
            add_attempts(scope, delivery.history, known, as_it_is=as_it_is)
            if end.error is not None:
                self._sender.exception(client, end.error, facts, known, as_it_is=as_it_is)
            else:
                self._sender.described(described, facts, known, as_it_is=as_it_is)


def _facts(end: End, kind: str) -> dict[str, Any]:
    """Returns what an event says beside the exception."""
    delivery, message, final = end.delivery, end.delivery.message, isinstance(end.outcome, Fail)
    attempts = delivery.attempts
    tags = tags_of(message.task, message.queue, message.id, message.headers, attempts)
    facts: dict[str, Any] = {
        "level": "error" if final else "warning",
        "transaction": message.task,
        "tags": {**tags, "qtasks.final": "true" if final else "false"},
        "contexts": {},
    }
    fingerprint = _fingerprint(end.outcome.reason, kind, delivery)
    if fingerprint is not None:
        facts["fingerprint"] = fingerprint
    return facts


def _context(end: End, task: TaskDefinition | None) -> dict[str, Any]:
    """Returns the context ``qtasks`` of a run, and how it ended."""
    now = end.worker.app.clock.time()
    context = context_of(end.delivery, task, end.worker, now)
    return {**context, "final": isinstance(end.outcome, Fail), "reason": end.outcome.reason}


def _is_wanted(options: Options, end: End) -> bool:
    """Tells whether an end is one of those that are reported."""
    outcome = end.outcome
    if isinstance(outcome, Fail):
        return outcome.reason != _ON_PURPOSE
    return options.report == "every" and outcome.counted and not isinstance(end.error, TaskControl)


def _fingerprint(reason: str, kind: str, delivery: Delivery) -> list[str] | None:
    """Returns by what an event is grouped; None for what the SDK groups by the traceback."""
    if reason == _BY_QUEUE:
        return ["qtasks", reason, delivery.message.queue]
    if reason == _BY_TASK:
        return ["qtasks", reason, delivery.message.task]
    if kind == _TIMEOUT:
        return ["qtasks", "timeout", delivery.message.task]
    return None
