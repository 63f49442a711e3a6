"""What the SDK does by itself with what QTasks says, and what must not be sent of that.

The SDK makes events and breadcrumbs of log records, with the texts of exceptions in them. This is
set right when the package is imported, so that it also holds where the plugin is found and then
not used, because an option is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sentry_sdk.scope import add_global_event_processor

from qtasks_plugin_sentry.frames import NOTHING, clean_frames, crumbs_of, data_of, hide_engine
from qtasks_plugin_sentry.patterns import FILTERED
from qtasks_plugin_sentry.sdk import ignore_logger

if TYPE_CHECKING:
    from qtasks_plugin_sentry.redaction import Known

__all__ = ["clean_command", "clean_records", "hide_arguments", "prepare_sdk"]

#: Loggers whose records repeat what the plugin says better, with texts that it would filter.
_LOGGERS: Final = ("qtasks.worker", "qtasks.supervisor")
#: What the names of our loggers begin with; what tasks say themselves is theirs.
_OURS: Final = ("qtasks.", "qtasks_")
_THEIRS: Final = "qtasks.task"
#: Options of our commands that are followed by data of a task.
_DATA: Final = ("--args", "--kwargs")


def prepare_sdk() -> None:
    """Silences loggers, and has the rest of what QTasks says cleaned; once in a process."""
    if _prepared:
        return
    _prepared.append(True)
    for name in _LOGGERS:
        ignore_logger(name)
    add_global_event_processor(hide_engine)
    add_global_event_processor(clean_records)
    add_global_event_processor(clean_command)


def hide_arguments() -> None:
    """Has what ``qtasks call`` is given left out of the command line that the SDK tells.

    The SDK adds it in the order of registration: once there is a client, we come after it.
    """
    if not _hidden:
        _hidden.append(True)
        add_global_event_processor(clean_command)


def clean_command(event: Any, _hint: Any = None) -> Any:
    """Takes the arguments of a task out of the command line of an event.

    Args:
        event: the event; it is changed.
        _hint: not used; the SDK gives it.
    """
    extra = event.get("extra")
    command = extra.get("sys.argv") if isinstance(extra, dict) else None
    if isinstance(command, list):
        flags = (None, *command)
        extra["sys.argv"] = [
            FILTERED if flag in _DATA else _without_value(word)
            for flag, word in zip(flags, command, strict=False)
        ]
    return event


def clean_records(event: Any, hint: Any = None, known: Known = NOTHING) -> Any:
    """Takes data out of events and breadcrumbs that the SDK makes of our log records.

    Args:
        event: the event; it is changed.
        hint: what the SDK knows beside it, such as the exception.
        known: what is known to be data, of the run in which it was logged.
    """
    if _is_ours(event.get("logger")):
        _clean_event(event, known | _data_of_hint(hint))
    for crumb in crumbs_of(event):
        if crumb.get("type") == "log" and _is_ours(crumb.get("category")):
            crumb["message"] = known.mask(crumb.get("message") or "", as_it_is=False)
    return event


def _clean_event(event: Any, known: Known) -> None:
    entry = event.get("logentry") or {}
    if isinstance(entry.get("formatted"), str):
        entry["formatted"] = known.mask(entry["formatted"], as_it_is=False)
    if entry.get("params"):
        entry["params"] = [FILTERED] * len(entry["params"])
    if event.get("exception"):
        clean_frames(event, known, as_they_are=False)
        for value in event["exception"]["values"]:
            if isinstance(value.get("value"), str):
                value["value"] = known.mask(value["value"], as_it_is=False)


def _data_of_hint(hint: Any) -> Known:
    """Returns what the frames of the exception of a log record say about its text."""
    _, error, _ = (hint or {}).get("exc_info") or (None, None, None)
    return NOTHING if error is None else data_of(error)


def _without_value(word: Any) -> Any:
    flag, equals, _ = word.partition("=") if isinstance(word, str) else (word, "", "")
    return f"{flag}={FILTERED}" if equals and flag in _DATA else word


def _is_ours(name: Any) -> bool:
    """Tells whether a logger is one of QTasks, and not one of the tasks."""
    if not isinstance(name, str) or not name.startswith(_OURS):
        return False
    return name != _THEIRS and not name.startswith(f"{_THEIRS}.")


_prepared: list[bool] = []
_hidden: list[bool] = []
