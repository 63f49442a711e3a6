"""What the installed SDK and the client of the application can do.

Only public names of the SDK are used, and what not every release has is looked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import sentry_sdk
from sentry_sdk.utils import event_from_exception

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Lifecycle",
    "active_client",
    "current_span",
    "event_of",
    "ignore_logger",
    "lifecycle",
    "may_send_data",
    "streams",
    "wants_spans",
]

#: How traces are sent: as a whole when a transaction ends, or span by span.
Lifecycle: TypeAlias = Literal["static", "stream"]

#: It lives as long as the process, and holds the client that ``sentry_sdk.init`` made.
_GLOBAL: Final = sentry_sdk.get_global_scope()

#: Releases from 3.0 have no transactions.
_HAS_TRANSACTIONS: Final = hasattr(sentry_sdk, "start_transaction")


def active_client() -> Any | None:
    """Returns the application's client, or None if there is none."""
    client = _GLOBAL.client
    return client if client.is_active() else None


def streams() -> Any:
    """Returns the module of streamed spans, which releases with :func:`lifecycle` stream have."""
    return import_module("sentry_sdk.traces")


def lifecycle(client: Any) -> Lifecycle:
    """Tells how traces are sent.

    Args:
        client: the client.
    """
    if not _HAS_TRANSACTIONS:
        return "stream"
    options = client.options
    asked = options.get("trace_lifecycle")
    if asked is None:
        asked = (options.get("_experiments") or {}).get("trace_lifecycle")
    return "stream" if asked == "stream" else "static"


def wants_spans(client: Any) -> bool:
    """Tells whether the application wants spans at all.

    Args:
        client: the client.
    """
    options = client.options
    return not (options.get("traces_sample_rate") is None and options.get("traces_sampler") is None)


def current_span(client: Any) -> Any | None:
    """Returns the span that is active, or None.

    Args:
        client: the client.
    """
    if lifecycle(client) == "stream":
        return streams().get_current_span()
    return sentry_sdk.get_current_span()


def may_send_data(client: Any) -> bool:
    """Tells whether the SDK allows to send what queues transport.

    Args:
        client: the client.
    """
    collected: Mapping[str, Any] | None = client.options.get("data_collection")
    if collected is not None and collected.get("provided_by_user", True):
        return bool(collected.get("queues"))
    return bool(client.options.get("send_default_pii"))


def event_of(client: Any, error: BaseException, mechanism: dict[str, Any]) -> tuple[Any, Any]:
    """Makes an event of an exception, as the SDK does it.

    Args:
        client: the client.
        error: the exception.
        mechanism: how it was caught.

    Returns:
        The event and its hint.
    """
    info = (type(error), error, error.__traceback__)
    # From 3.0 on it asks for the options itself.
    wanted = {"client_options": client.options} if _HAS_TRANSACTIONS else {}
    return event_from_exception(info, mechanism=mechanism, **wanted)


def ignore_logger(name: str) -> None:
    """Has records of a logger become neither events nor breadcrumbs nor log entries.

    Args:
        name: the name of the logger.
    """
    from sentry_sdk.integrations import logging as integration

    integration.ignore_logger(name)
    # What that means differs: log entries are apart in 2.x, events and breadcrumbs in 3.x.
    for other in ("ignore_logger_for_sentry_logs", "ignore_logger_for_events"):
        ignore = getattr(integration, other, None)
        if ignore is not None:
            ignore(name)
