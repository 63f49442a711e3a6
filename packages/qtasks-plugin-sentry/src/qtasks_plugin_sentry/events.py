"""Events: how a failure looks in Sentry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sentry_sdk

from qtasks.schemas import TaskError
from qtasks_plugin_sentry.frames import clean_frames, data_of, frames_of_text
from qtasks_plugin_sentry.sdk import event_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks_plugin_sentry.redaction import Known

__all__ = ["Sender"]

_MECHANISM: Final = {"type": "qtasks", "handled": False}


class Sender:
    """Makes events and hands them to the SDK.

    Args:
        before: the application's ``before_report``, or None.
    """

    def __init__(self, before: Callable[[Any, dict[str, Any]], Any] | None) -> None:
        self._before = before

    def exception(
        self,
        client: Any,
        error: BaseException,
        facts: dict[str, Any],
        known: Known,
        *,
        as_it_is: bool,
    ) -> None:
        """Sends the event of an exception.

        Args:
            client: the application's client.
            error: the exception; of one in a pool process only a description is known.
            facts: level, tags, contexts and so on.
            known: what is known to be data.
            as_it_is: whether data may be sent.
        """
        described = getattr(error, "error", None)
        if isinstance(described, TaskError):
            self.described(described, facts, known, as_it_is=as_it_is)
            return
        event, hint = event_of(client, error, dict(_MECHANISM))
        self._finish(event, hint, facts, known | data_of(error), as_it_is=as_it_is)

    def described(
        self,
        error: TaskError,
        facts: dict[str, Any],
        known: Known,
        *,
        as_it_is: bool,
    ) -> None:
        """Sends the event of an exception of which only a description is left.

        Args:
            error: the description.
            facts: level, tags, contexts and so on.
            known: what is known to be data.
            as_it_is: whether data may be sent.
        """
        module, _, kind = error.type.rpartition(".")
        value = {
            "type": kind,
            "module": None if module == "builtins" else module,
            "value": error.message,
            "mechanism": dict(_MECHANISM),
        }
        frames = frames_of_text(error.traceback)
        if frames:
            value["stacktrace"] = {"frames": frames}
        event = {"exception": {"values": [value]}}
        self._finish(event, {}, facts, known, as_it_is=as_it_is)

    def message(self, facts: dict[str, Any]) -> None:
        """Sends an event without an exception.

        Args:
            facts: its message, level, tags, contexts and so on.
        """
        # It was sent from somewhere in the engine, which says nothing.
        self._send({**facts, "threads": {"values": []}}, {})

    def _finish(
        self,
        event: Any,
        hint: dict[str, Any],
        facts: dict[str, Any],
        known: Known,
        *,
        as_it_is: bool,
    ) -> None:
        clean_frames(event, known, as_they_are=as_it_is)
        for value in event["exception"]["values"]:
            text = value.get("value")
            if isinstance(text, str):
                value["value"] = known.mask(text, as_it_is=as_it_is)
        self._send({**event, **facts}, hint)

    def _send(self, event: Any, hint: dict[str, Any]) -> None:
        if self._before is not None:
            event = self._before(event, hint)
        if event is not None:
            sentry_sdk.capture_event(event, hint=hint)
