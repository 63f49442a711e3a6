"""A task that fails at first runs again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compat.probes import Probe
from qtasks_plugin_retry import Constant, Retry

if TYPE_CHECKING:
    from collections.abc import Mapping


class Mine(Probe):
    """Declares a task that fails twice."""

    def declare(self, app: Any) -> dict[str, object]:
        runs: list[int] = []

        @app.task(name="stumble", retry=Retry(max_attempts=5, backoff=Constant(0)))  # type: ignore[untyped-decorator]  # either kind of app
        def stumble() -> int:
            runs.append(1)
            if len(runs) < 3:
                raise LookupError
            return len(runs)

        return {"stumble": 3}

    def check(self, app: Any, records: Mapping[str, Any]) -> None:
        attempts = {record.task: record.attempts for record in records.values()}

        assert attempts["stumble"] == 2
        assert attempts["fail"] == 1  # a task without a policy is not retried
