"""Every end is a line of a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from compat.probes import Probe

if TYPE_CHECKING:
    from collections.abc import Mapping


class Mine(Probe):
    """Has the plugin write to a file of the test."""

    def environment(self) -> dict[str, str]:
        return {"QTASKS_AUDIT_PATH": str(self.folder / "audit.jsonl")}

    def check(self, app: Any, records: Mapping[str, Any]) -> None:
        text = (self.folder / "audit.jsonl").read_text("utf-8")
        lines = [json.loads(line) for line in text.splitlines()]

        ends = {"success": "success", "error": "fail", "cancel": "cancel"}
        assert {line["id"]: line["end"] for line in lines} == {
            task_id: ends[record.status] for task_id, record in records.items()
        }
        assert len(lines) == len(records)
