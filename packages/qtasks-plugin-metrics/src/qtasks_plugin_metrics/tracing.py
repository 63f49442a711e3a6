"""The id of the trace that a run belongs to, of Sentry or OpenTelemetry, if either is used."""

from __future__ import annotations

import sys

__all__ = ["is_tracing", "trace_id"]


def is_tracing() -> bool:
    """Tells whether this process has imported something that traces."""
    return "sentry_sdk" in sys.modules or "opentelemetry.trace" in sys.modules


def trace_id() -> str | None:
    """Returns the id of the trace that is active and sampled, or None."""
    return _of_opentelemetry() or _of_sentry()


def _of_opentelemetry() -> str | None:
    module = sys.modules.get("opentelemetry.trace")
    if module is None:
        return None
    context = module.get_current_span().get_span_context()
    if not (context.is_valid and context.trace_flags.sampled):
        return None
    return format(context.trace_id, "032x")


def _of_sentry() -> str | None:
    module = sys.modules.get("sentry_sdk")
    if module is None:
        return None
    span = module.get_current_span()
    if span is None or not span.sampled:
        return None
    return str(span.trace_id)
