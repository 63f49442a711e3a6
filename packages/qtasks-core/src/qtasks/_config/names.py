"""Names that are no settings: what is said about them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from qtasks._config.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["FORMER", "unknown_setting"]

_LOGGING: Final = "set up Python's logging, or use `qtasks run --log-level`"

#: The settings of QTasks 1.7 that are gone, and what to do instead.
FORMER: Final = {
    "running_older_tasks": "tasks of workers that are gone always run again, see lease",
    "delete_finished_tasks": "records are dropped by themselves, see result_ttl and dead_ttl",
    "task_default_decode": "give decode= to the tasks that need it",
    "global_config_status_ttl": "workers report themselves as long as their lease, see lease",
    "global_config_status_set_periodic": "workers report every third of their lease, see lease",
    "logs_default_level_server": _LOGGING,
    "logs_default_level_client": _LOGGING,
    "logs_format": _LOGGING,
    "result_time_interval": "who waits for a result is woken, nothing polls",
    "result_statuses_end": "a task ends as success, error or cancel, always",
    "environ_prefix": "the variables always start with QTASKS_",
}


def unknown_setting(name: str, source: str, also: Iterable[str] = ()) -> str:
    """Returns the message about a name that is no setting.

    Args:
        name: the name.
        source: where it was given.
        also: names that are no settings either, and would have been right there.
    """
    if name in FORMER:
        return f"setting {name} (from {source}) was one of QTasks 1.7 and is gone: {FORMER[name]}"
    known = [*SETTINGS, *also]
    close = difflib.get_close_matches(name, known, n=1)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    return f"unknown setting {name!r} (from {source}).{guess} Known are {', '.join(known)}"
