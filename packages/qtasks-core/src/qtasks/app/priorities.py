"""Priorities that a broker cannot keep are refused before a worker starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks.contracts.secrets import mask_url
from qtasks.exc import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks.contracts.broker import BaseBroker
    from qtasks.schemas import TaskDefinition

__all__ = ["check_priorities"]


def check_priorities(broker: BaseBroker, tasks: Mapping[str, TaskDefinition]) -> None:
    """Checks the tasks of an app whose broker knows no priorities.

    Raises:
        UnsupportedError: one of them has a priority; the message says what to do instead.
    """
    for task in tasks.values():
        if task.priority:
            msg = (
                f"task {task.name!r} has priority={task.priority}, and {mask_url(broker.url)} knows"
                " no priorities: leave it out, and give urgent tasks a queue of their own, such as"
                " queue='urgent'"
            )
            raise UnsupportedError(msg)
