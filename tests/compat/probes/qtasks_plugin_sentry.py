"""A task that fails is an event, and a task that goes well is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sentry_sdk
from sentry_sdk.transport import Transport

from compat.probes import Probe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sentry_sdk.envelope import Envelope


class Kept(Transport):
    """Keeps events instead of sending them."""

    events: list[Any]

    def capture_envelope(self, envelope: Envelope) -> None:
        """Takes an envelope."""
        self.events += [item.payload.json for item in envelope.items if item.type == "event"]

    def flush(self, timeout: float, callback: Any = None) -> None:
        """Has nothing to wait for."""


class Mine(Probe):
    """Makes a client that sends nothing."""

    def declare(self, app: Any) -> dict[str, object]:
        self.events: list[Any] = []
        sentry_sdk.init(
            dsn="http://key@127.0.0.1:1/1",
            transport=type("Keeping", (Kept,), {"events": self.events}),
            auto_enabling_integrations=False,
        )

        @app.task(name="report")  # type: ignore[untyped-decorator]  # either kind of app
        def report() -> int:
            return 1

        return {"report": 1}

    def check(self, app: Any, records: Mapping[str, Any]) -> None:
        sentry_sdk.get_client().close(timeout=0)
        sentry_sdk.get_global_scope().set_client(None)

        assert [event["transaction"] for event in self.events] == ["fail"]
