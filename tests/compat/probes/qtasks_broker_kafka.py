"""A URL leads to the broker, and it knows what it cannot do; no server is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compat.probes import Probe
from qtasks import QueueTasks
from qtasks_broker_kafka import KafkaBroker, key

if TYPE_CHECKING:
    from collections.abc import Mapping


class Mine(Probe):
    """Makes an app on Kafka, and gives a task of the common app a key."""

    def declare(self, app: Any) -> dict[str, object]:
        elsewhere = QueueTasks(broker_url="kafka://127.0.0.1:1", storage_url="memory://")
        made = KafkaBroker("kafka://127.0.0.1:1")

        assert not elsewhere.broker.capabilities.priority
        assert made.options.place == "127.0.0.1:1"

        @app.task(name="in_line")  # type: ignore[untyped-decorator]  # either kind of app
        def in_line() -> dict[str, str]:
            return key("customer-7")

        return {"in_line": {"kafka-key": "customer-7"}}

    def check(self, app: Any, records: Mapping[str, Any]) -> None:
        assert {record.status for record in records.values() if record.task == "in_line"} == {
            "success"
        }
