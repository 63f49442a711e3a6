"""One run, as Sentry sees it: scopes of its own, and a span that is the segment of the worker."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Literal

import sentry_sdk
from msgspec import structs

from qtasks_plugin_sentry.about import attributes_of, context_of, tags_of
from qtasks_plugin_sentry.frames import clean_crumbs, clean_frames
from qtasks_plugin_sentry.headers import origin_of, trace_of
from qtasks_plugin_sentry.payloads import known_of
from qtasks_plugin_sentry.publishing import ORIGIN
from qtasks_plugin_sentry.quieting import clean_records
from qtasks_plugin_sentry.sdk import lifecycle, streams, wants_spans

if TYPE_CHECKING:
    from qtasks.schemas import Delivery, TaskDefinition

__all__ = ["Run"]

_OP: Final = "queue.process"
#: What the SDK calls the origin of a name that is that of a task.
_SOURCE: Final = "task"
#: The words of transactions for what ends in one of three ways; streamed spans know two.
_STATUS: Final = {"ok": "ok", "error": "internal_error", "aborted": "aborted"}

Ending = Literal["ok", "error", "aborted"]


class Run:
    """The scopes and the span of one run; begun and ended in the same asyncio task.

    Args:
        client: the application's client.
        worker: the worker.
        task: the task.
        delivery: what is run.
        now: seconds since the epoch.
        traces: whether there is a span.
        send_data: whether variables may be sent as they are.

    Attributes:
        scope: the isolation scope of the run, which outlives it.
        trace: what links an event to the run's span; None without a span.
        worker: the worker.
        task: the task.
    """

    def __init__(
        self,
        client: Any,
        worker: Any,
        task: TaskDefinition,
        delivery: Delivery,
        now: float,
        *,
        traces: bool,
        send_data: bool,
    ) -> None:
        self.worker = worker
        self.task = task
        self.trace: dict[str, Any] | None = None
        self._delivery = delivery
        self._span: Any = None
        self._streams = lifecycle(client) == "stream"
        self._stack = ExitStack()
        try:
            self.scope: Any = self._stack.enter_context(sentry_sdk.isolation_scope())
            self._describe(delivery, now, send_data=send_data)
            if traces:
                self._trace(client, delivery)
        except BaseException:
            self._stack.close()
            raise

    def end(self, ending: Ending, outcome: str) -> None:
        """Ends the span and leaves the scopes; harmless if that was done.

        Args:
            ending: how it ended.
            outcome: the same in one word of QTasks.
        """
        span, self._span = self._span, None
        if span is not None:
            if self._streams:
                span.set_attribute("qtasks.outcome", outcome)
                span.status = "error" if ending == "error" else "ok"
            else:
                span.set_data("qtasks.outcome", outcome)
                span.set_status(_STATUS[ending])
        self._stack.close()

    def forget(self) -> None:
        """Lets go of the delivery; threads that the run has started may keep its scope for ever."""
        message = structs.replace(self._delivery.message, payload=b"")
        self._delivery = structs.replace(self._delivery, message=message, history=None)

    def _describe(self, delivery: Delivery, now: float, *, send_data: bool) -> None:
        def describe(event: Any, hint: Any) -> Any:
            """Says whose event it is; most runs have none, so nothing is said before."""
            delivery = self._delivery
            message = delivery.message
            headers, attempts = message.headers, delivery.attempts
            tags = tags_of(message.task, message.queue, message.id, headers, attempts)
            if origin is not None:
                tags["qtasks.origin_trace_id"] = origin
            event["tags"] = {**tags, **(event.get("tags") or {})}
            context = context_of(delivery, self.task, self.worker, now)
            event.setdefault("contexts", {}).setdefault("qtasks", context)
            known = known_of(message, self.task)
            clean_records(event, hint, known)
            clean_crumbs(event, known)
            return clean_frames(event, known, as_they_are=send_data)

        origin = origin_of(delivery)
        self.scope.clear_breadcrumbs()
        self.scope.add_event_processor(describe)

    def _trace(self, client: Any, delivery: Delivery) -> None:
        """Goes on with the trace of the producer, or begins one that refers to it."""
        incoming = trace_of(delivery.message.headers) if delivery.deliveries <= 1 else {}
        if not wants_spans(client):
            self._link(incoming)
            return
        sampling = {
            "qtasks": {
                "task": delivery.message.task,
                "queue": delivery.message.queue,
                "attempt": delivery.attempts + 1,
            }
        }
        begin = self._streamed if self._streams else self._static
        begin(incoming, delivery, sampling)

    def _link(self, incoming: dict[str, str]) -> None:
        """Has errors belong to the trace of the producer, or to one of their own."""
        if self._streams:
            traces = streams()
            if incoming:
                traces.continue_trace(incoming)
            else:
                traces.new_trace()
        elif incoming:
            self.scope.generate_propagation_context(incoming)
        else:
            self.scope.set_new_propagation_context()  # the worker has one, which is no task's

    def _streamed(
        self, incoming: dict[str, str], delivery: Delivery, sampling: dict[str, Any]
    ) -> None:
        self._link(incoming)
        self.scope.set_custom_sampling_context(sampling)
        own = {
            "sentry.op": _OP,
            "sentry.origin": ORIGIN,
            "sentry.segment.name.source": _SOURCE,
            "sentry.span.source": _SOURCE,
        }
        attributes = {**self._attributes(delivery), **own}
        self._enter(
            streams().start_span(name=self.task.name, attributes=attributes, parent_span=None)
        )

    def _static(
        self, incoming: dict[str, str], delivery: Delivery, sampling: dict[str, Any]
    ) -> None:
        if not incoming:
            self._link(incoming)
        transaction = sentry_sdk.continue_trace(
            incoming, op=_OP, name=self.task.name, source=_SOURCE, origin=ORIGIN
        )
        span = sentry_sdk.start_transaction(transaction, custom_sampling_context=sampling)
        if span.sampled:
            for key, value in self._attributes(delivery).items():
                span.set_data(key, value)
        self._enter(span)

    def _attributes(self, delivery: Delivery) -> dict[str, Any]:
        attributes = attributes_of(delivery, self.worker.broker)
        origin = origin_of(delivery)
        if origin is not None:
            attributes["qtasks.origin_trace_id"] = origin
        return attributes

    def _enter(self, span: Any) -> None:
        self._span = span
        self._stack.enter_context(span)
        # After the span has ended the scope does not know it any more.
        scope = sentry_sdk.get_current_scope()
        self.trace = dict((scope if self._streams else span).get_trace_context())
