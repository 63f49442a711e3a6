"""One line in the log when the servers go away, and one when they are back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from qtasks_broker_kafka.faults import translate

if TYPE_CHECKING:
    from qtasks_broker_kafka.options import Options

__all__ = ["Outage"]

log = logging.getLogger(__name__)


class Outage:
    """Hears from all that speak to the servers in the background, and tells it once.

    Args:
        options: where the servers are.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._away = False

    def failed(self, error: BaseException) -> None:
        """Notes that the servers did not answer, or could not serve."""
        if not self._away:
            log.warning("Kafka is away, running tasks go on: %s", translate(error, self._options))
        self._away = True

    def answered(self) -> None:
        """Notes that they answered."""
        if self._away:
            log.info("Kafka at %s is back", self._options.place)
        self._away = False
