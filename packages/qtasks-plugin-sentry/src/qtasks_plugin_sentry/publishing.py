"""What a producer does: a span around the publishing, and its trace in the messages."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import sentry_sdk

from qtasks_plugin_sentry.headers import put_trace, trace_headers
from qtasks_plugin_sentry.sdk import current_span, lifecycle, streams, wants_spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qtasks.schemas import Message

__all__ = ["ORIGIN", "publishing", "system_of"]

#: Who made a span, in the words of Sentry.
ORIGIN: Final = "auto.queue.qtasks"
_OP: Final = "queue.publish"


@contextmanager
def publishing(client: Any, broker: Any, messages: Sequence[Message]) -> Iterator[None]:
    """Puts a span around the publishing if one is active, and its trace into the messages.

    Args:
        client: the application's client.
        broker: the broker.
        messages: what is published.
    """
    if not wants_spans(client) or current_span(client) is None:
        _carry(messages, None)
        yield
        return
    attributes = _attributes(broker, messages)
    name = _name(messages)
    if lifecycle(client) == "stream":
        own = {"sentry.op": _OP, "sentry.origin": ORIGIN}
        with streams().start_span(name=name, attributes={**attributes, **own}) as span:
            _carry(messages, span)
            yield
        return
    with sentry_sdk.start_span(op=_OP, name=name, origin=ORIGIN) as span:
        for key, value in attributes.items():
            span.set_data(key, value)
        _carry(messages, span)
        yield


def system_of(broker: Any) -> str:
    """Returns the kind of a broker in one word, such as ``redis``.

    Args:
        broker: the broker.
    """
    scheme = str(broker.url).partition(":")[0].partition("+")[0].lower()
    return "redis" if scheme in ("rediss", "valkey", "valkeys", "unix") else scheme


def _carry(messages: Sequence[Message], span: Any) -> None:
    trace = trace_headers(span)
    for message in messages:
        put_trace(message.headers, trace)


def _name(messages: Sequence[Message]) -> str:
    tasks = {message.task for message in messages}
    return tasks.pop() if len(tasks) == 1 else f"{len(messages)} tasks"


def _attributes(broker: Any, messages: Sequence[Message]) -> dict[str, Any]:
    queues = sorted({message.queue for message in messages})
    found: dict[str, Any] = {
        "messaging.system": system_of(broker),
        "messaging.destination.name": ",".join(queues),
        "messaging.message.body.size": sum(len(message.payload) for message in messages),
    }
    if len(messages) == 1:
        found["messaging.message.id"] = messages[0].id
    else:
        found["messaging.batch.message_count"] = len(messages)
    return found
