"""Which task a log record belongs to."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from qtasks._runtime.current import current_delivery
from qtasks._runtime.errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["TaskFilter", "mark_handlers"]


class TaskFilter(logging.Filter):
    """Gives every record the attributes ``task_id`` and ``task_name``, and lets all of them pass.

    They name the task that was running where the record was made, and are empty outside of
    tasks. Attributes of that name which the record has already, from ``extra=``, stay.

    It belongs to handlers, which see the records of all loggers. A worker gives it to those that
    exist when it starts.
    """

    def __init__(self) -> None:
        super().__init__()

    def filter(self, record: logging.LogRecord) -> bool:
        """Adds the attributes."""
        delivery = current_delivery.get()
        attributes = record.__dict__
        # What is read from a server may be anything, also what forges lines.
        attributes.setdefault("task_id", "" if delivery is None else printable(delivery.id))
        name = "" if delivery is None else printable(delivery.message.task)
        attributes.setdefault("task_name", name)
        return True


_shared: Final = TaskFilter()
_lock: Final = threading.Lock()
_users: Final[set[object]] = set()


def mark_handlers() -> Callable[[], None]:
    """Has the handlers that exist now name the task in their records.

    Returns:
        A function that ends this, once nobody else in the process needs it.
    """
    user = object()
    with _lock:
        _users.add(user)
        for handler in _handlers():
            if not any(isinstance(found, TaskFilter) for found in handler.filters):
                handler.addFilter(_shared)

    def end() -> None:
        with _lock:
            _users.discard(user)
            if not _users:
                for handler in _handlers():
                    handler.removeFilter(_shared)

    return end


def _handlers() -> Iterator[logging.Handler]:
    """Yields the handlers of all loggers."""
    for logger in [logging.root, *logging.root.manager.loggerDict.values()]:
        if isinstance(logger, logging.Logger):  # the others are places of loggers to come
            yield from logger.handlers
