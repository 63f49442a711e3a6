"""How ``qtasks run`` shows log records."""

import logging
from typing import Final

from qtasks._runtime.errors import printable

__all__ = ["TaskFormatter"]

_LINE: Final = "%(asctime)s %(levelname)-7s %(name)s%(task)s: %(message)s"
#: Loggers whose records name the task in their text.
_TELLING: Final = frozenset({"qtasks.worker", "qtasks.supervisor"})


class TaskFormatter(logging.Formatter):
    """Shows the task in whose run a record was made, by its name and the end of its id."""

    def __init__(self) -> None:
        super().__init__(_LINE, datefmt="%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name in logging
        """Formats the line without a traceback."""
        values = vars(record)
        task_id, name = values.get("task_id"), values.get("task_name")
        task = ""
        if task_id and record.name not in _TELLING:
            end = str(task_id).rpartition("-")[2]
            task = printable(f" [{name} {end}]")
        return _LINE % {**values, "task": task}
