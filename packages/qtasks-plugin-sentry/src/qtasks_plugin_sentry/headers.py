"""The headers of a message by which a trace goes on in the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sentry_sdk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks.schemas import Delivery

__all__ = ["origin_of", "put_trace", "trace_headers", "trace_of"]

_TRACE: Final = "sentry-trace"
_BAGGAGE: Final = "baggage"
#: What stands before the keys of baggage that is Sentry's.
_OURS: Final = "sentry-"
#: Bytes that headers may take in all.
_MOST: Final = 16_384


def trace_headers(span: Any) -> dict[str, str]:
    """Returns the headers by which the current trace goes on elsewhere.

    Args:
        span: the span that is their parent; None for the trace of the scope alone.
    """
    scope = sentry_sdk.get_current_scope()
    return dict(scope.iter_trace_propagation_headers(span=span))


def put_trace(headers: dict[str, str], trace: Mapping[str, str]) -> None:
    """Adds the headers of a trace to those of a message, as far as there is room.

    Baggage of others stays.

    Args:
        headers: those of the message; they are changed.
        trace: those of the trace.
    """
    for name in (_TRACE, _BAGGAGE):
        value = trace.get(name)
        if not value:
            continue
        if name == _BAGGAGE and (known := headers.get(_BAGGAGE)):
            others = [one for one in known.split(",") if not one.strip().startswith(_OURS)]
            value = ",".join([*others, value])
        wanted = {**headers, name: value}
        if sum(len(key.encode()) + len(text.encode()) for key, text in wanted.items()) <= _MOST:
            headers[name] = value


def trace_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Returns the headers of a trace that a message carries.

    Args:
        headers: those of the message.
    """
    return {name: headers[name] for name in (_TRACE, _BAGGAGE) if name in headers}


def origin_of(delivery: Delivery) -> str | None:
    """Returns the id of the trace in which a task was added, if its run is not part of it.

    The first run is; later ones have traces of their own.

    Args:
        delivery: what is run.
    """
    if delivery.deliveries <= 1:
        return None
    trace_id = delivery.message.headers.get(_TRACE, "").partition("-")[0].strip()
    return trace_id if len(trace_id) == 32 and trace_id.isalnum() else None  # noqa: PLR2004 - digits of a trace id
