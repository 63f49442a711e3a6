"""What an exception means that comes out of a plugin: its own failure, or somebody's wish.

A plugin may steer a run by raising ``TaskControl`` or cancelling the task; its caller may be
cancelled, and the user may press Ctrl-C while it is asked. All else is a failure.
"""

from __future__ import annotations

import asyncio
from typing import Final

from qtasks._runtime.signals import interrupts

__all__ = ["is_failure", "steers"]

#: Of the worker's triggers, those within a run; the executor's are, but for its end.
_STEERING: Final = frozenset(
    {"worker_run_task_before", "worker_execute_before", "worker_task_error_retry"}
)
#: Where the engine waits for plugins.
_ENGINE: Final = ("qtasks._triggers.", "qtasks._runtime.")


def steers(trigger: str) -> bool:
    """Tells whether there is a run to steer; elsewhere such an exception is an error."""
    if trigger.startswith("task_executor_"):
        return trigger != "task_executor_task_close"
    return trigger in _STEERING


def is_failure(error: BaseException) -> bool:
    """Tells whether what a plugin raised is its own, rather than came to it from outside."""
    if isinstance(error, asyncio.CancelledError):
        return not _is_cancelled()
    if isinstance(error, KeyboardInterrupt):
        return not interrupts()
    return not (isinstance(error, GeneratorExit) and _came_by_closing(error))


def _came_by_closing(error: GeneratorExit) -> bool:
    """Tells whether it arrived where the engine waits, as it does when a coroutine is closed.

    What a plugin raises comes from further in.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__"))
    return where.startswith(_ENGINE)


def _is_cancelled() -> bool:
    """Tells whether somebody has cancelled the task that asks."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop, so nobody can
        return False
    return task is not None and bool(task.cancelling())
