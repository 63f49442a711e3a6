"""The metrics of a worker that is over before anybody could scrape it."""

from __future__ import annotations

import logging
import socket
import threading
from typing import TYPE_CHECKING, Final

from prometheus_client import pushadd_to_gateway

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from qtasks_plugin_metrics.options import Options

__all__ = ["push"]

log = logging.getLogger("qtasks_plugin_metrics")

#: Seconds that the gateway gets for each step, and for all of them and for finding it.
_PATIENCE: Final = 5.0
_WHOLE_PATIENCE: Final = 10.0


def push(options: Options, registry: CollectorRegistry, patience: float = _WHOLE_PATIENCE) -> None:
    """Sends all metrics to the push gateway; a failure is logged, and that is all.

    Args:
        options: where it is.
        registry: the metrics.
        patience: seconds after which it is given up.
    """
    # In a thread, because neither looking up a name nor an answer in drops has an end.
    sender = threading.Thread(
        target=_send, args=(options, registry), name="qtasks-metrics-push", daemon=True
    )
    sender.start()
    sender.join(patience)
    if sender.is_alive():
        log.warning("The metrics were not pushed to push_gateway: no answer in %g s", patience)


def _send(options: Options, registry: CollectorRegistry) -> None:
    try:
        pushadd_to_gateway(
            options.push_gateway,
            job=options.push_job,
            registry=registry,
            grouping_key={"instance": socket.gethostname()},
            timeout=_PATIENCE,
        )
    except Exception as error:  # noqa: BLE001 - the tasks are done, whatever the gateway says
        log.warning(
            "The metrics were not pushed to push_gateway: %s: %s", type(error).__name__, error
        )
