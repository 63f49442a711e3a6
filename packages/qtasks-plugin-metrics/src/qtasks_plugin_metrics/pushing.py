"""The metrics of a worker that is over before anybody could scrape it."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Final

from prometheus_client import pushadd_to_gateway

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from qtasks_plugin_metrics.options import Options

__all__ = ["push"]

log = logging.getLogger("qtasks_plugin_metrics")

#: Seconds that the gateway gets to answer.
_PATIENCE: Final = 5.0


def push(options: Options, registry: CollectorRegistry) -> None:
    """Sends all metrics to the push gateway; a failure is logged, and that is all.

    Args:
        options: where it is.
        registry: the metrics.
    """
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
