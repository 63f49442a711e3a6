"""Events: how a failure looks in Sentry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sentry_sdk

from qtasks.schemas import TaskError
from qtasks_plugin_sentry.frames import clean_frames, clean_lines, data_of, frames_of_text
from qtasks_plugin_sentry.payloads import data_in
from qtasks_plugin_sentry.redaction import mask_data, mask_secrets
from qtasks_plugin_sentry.sdk import event_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from qtasks.schemas import Message

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
        message: Message,
        *,
        as_it_is: bool,
    ) -> None:
        """Sends the event of an exception.

        Args:
            client: the application's client.
            error: the exception; of one in a pool process only a description is known.
            facts: level, tags, contexts and so on.
            message: the message of the task.
            as_it_is: whether data may be sent.
        """
        described = getattr(error, "error", None)
        if isinstance(described, TaskError):
            self.described(described, facts, message, as_it_is=as_it_is)
            return
        event, hint = event_of(client, error, dict(_MECHANISM))
        data, words = data_of(error)
        self._finish(event, hint, facts, data | data_in(message), words, as_it_is=as_it_is)

    def described(
        self,
        error: TaskError,
        facts: dict[str, Any],
        message: Message,
        *,
        as_it_is: bool,
    ) -> None:
        """Sends the event of an exception of which only a description is left.

        Args:
            error: the description.
            facts: level, tags, contexts and so on.
            message: the message of the task.
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
        self._finish(event, {}, facts, data_in(message), (), as_it_is=as_it_is)

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
        data: Collection[str],
        words: Collection[str],
        *,
        as_it_is: bool,
    ) -> None:
        clean_frames(event, as_they_are=as_it_is)
        if not as_it_is:
            clean_lines(event, data)
        for value in event["exception"]["values"]:
            text = value.get("value")
            if isinstance(text, str):
                value["value"] = mask_secrets(text) if as_it_is else mask_data(text, data, words)
        self._send({**event, **facts}, hint)

    def _send(self, event: Any, hint: dict[str, Any]) -> None:
        if self._before is not None:
            event = self._before(event, hint)
        if event is not None:
            sentry_sdk.capture_event(event, hint=hint)
