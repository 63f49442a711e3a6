"""What ran is counted, with nobody but this process to serve it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compat.probes import Probe

if TYPE_CHECKING:
    from collections.abc import Mapping


class Mine(Probe):
    """Has the metrics served on a free port."""

    def environment(self) -> dict[str, str]:
        return {"QTASKS_METRICS_PORT": "0"}

    def check(self, app: Any, records: Mapping[str, Any]) -> None:
        registry = app.plugins["metrics"].registry
        finished: dict[str, float] = {}
        for family in registry.collect():
            for sample in family.samples:
                if sample.name == "qtasks_tasks_finished_total" and sample.value:
                    name = sample.labels["task"]
                    finished[name] = finished.get(name, 0) + sample.value

        assert finished == {record.task: 1 for record in records.values()}
