"""The scope in which an event is sent after the run is over, and what is in it."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sentry_sdk
from sentry_sdk.scope import use_isolation_scope

from qtasks.plugins import read_history

if TYPE_CHECKING:
    from qtasks_plugin_sentry.redaction import Known

__all__ = ["add_attempts", "inside"]


def inside(scope: Any) -> ExitStack:
    """Returns a context in which a scope is the isolation scope; a new one if it is None.

    Args:
        scope: the scope.
    """
    stack = ExitStack()
    if scope is None:
        stack.enter_context(sentry_sdk.isolation_scope()).clear_breadcrumbs()
    else:
        stack.enter_context(use_isolation_scope(scope))
    return stack


def add_attempts(scope: Any, history: bytes | None, known: Known, *, as_it_is: bool) -> None:
    """Adds the earlier attempts of a task to the breadcrumbs of a scope.

    Args:
        scope: the isolation scope of the run.
        history: the encoded history of the task.
        known: what is known to be data.
        as_it_is: whether data may be sent.
    """
    for entry in read_history(history):
        text = known.mask(entry.message, as_it_is=as_it_is)
        failed = f"{entry.error_type}: {text}" if entry.error_type else entry.outcome
        scope.add_breadcrumb(
            {
                "type": "error" if entry.error_type else "default",
                "category": "qtasks.attempt",
                "level": "warning" if entry.error_type else "info",
                "message": f"Run {entry.delivery} ended: {failed}",
                "timestamp": datetime.fromtimestamp(entry.finished, UTC),
                "data": {
                    "attempt": entry.attempt,
                    "outcome": entry.outcome,
                    "delay": entry.delay,
                    "worker": entry.worker,
                    "seconds": round(entry.finished - entry.started, 3),
                },
            }
        )
