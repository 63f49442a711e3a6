"""What the SDK does by itself with what QTasks says, and what must not be sent of that.

The SDK makes events and breadcrumbs of log records, with the texts of exceptions in them. This is
set right when the package is imported, so that it also holds where the plugin is found and then
not used, because an option is wrong.
"""

from __future__ import annotations

from typing import Any, Final

from sentry_sdk.scope import add_global_event_processor

from qtasks_plugin_sentry.frames import clean_frames, crumbs_of, hide_engine
from qtasks_plugin_sentry.patterns import FILTERED
from qtasks_plugin_sentry.redaction import mask_data
from qtasks_plugin_sentry.sdk import ignore_logger

__all__ = ["clean_records", "prepare_sdk"]

#: Loggers whose records repeat what the plugin says better, with texts that it would filter.
_LOGGERS: Final = ("qtasks.worker", "qtasks.supervisor")
#: What the names of our loggers begin with; what tasks say themselves is theirs.
_OURS: Final = ("qtasks.", "qtasks_")
_THEIRS: Final = "qtasks.task"


def prepare_sdk() -> None:
    """Silences loggers, and has the rest of what QTasks says cleaned; once in a process."""
    if _prepared:
        return
    _prepared.append(True)
    for name in _LOGGERS:
        ignore_logger(name)
    add_global_event_processor(hide_engine)
    add_global_event_processor(clean_records)


def clean_records(event: Any, _hint: Any = None) -> Any:
    """Takes data out of events and breadcrumbs that the SDK makes of our log records.

    Args:
        event: the event; it is changed.
        _hint: not used; the SDK gives it.
    """
    if _is_ours(event.get("logger")):
        _clean_event(event)
    for crumb in crumbs_of(event):
        if crumb.get("type") == "log" and _is_ours(crumb.get("category")):
            crumb["message"] = mask_data(crumb.get("message") or "")
    return event


def _clean_event(event: Any) -> None:
    entry = event.get("logentry") or {}
    if isinstance(entry.get("formatted"), str):
        entry["formatted"] = mask_data(entry["formatted"])
    if entry.get("params"):
        entry["params"] = [FILTERED] * len(entry["params"])
    if event.get("exception"):
        clean_frames(event, as_they_are=False)
        for value in event["exception"]["values"]:
            if isinstance(value.get("value"), str):
                value["value"] = mask_data(value["value"])


def _is_ours(name: Any) -> bool:
    """Tells whether a logger is one of QTasks, and not one of the tasks."""
    if not isinstance(name, str) or not name.startswith(_OURS):
        return False
    return name != _THEIRS and not name.startswith(f"{_THEIRS}.")


_prepared: list[bool] = []
