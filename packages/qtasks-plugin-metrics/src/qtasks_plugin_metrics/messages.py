"""What a worker process tells its supervisor, over the channel between them."""

from __future__ import annotations

import msgspec

from qtasks_plugin_metrics.cells import Addition

__all__ = ["Probe", "Report"]


class Probe(msgspec.Struct, frozen=True):
    """Whether one worker moves.

    Attributes:
        worker: its id.
        loop_silent: seconds for which its loop has not answered.
        claim_silent: seconds for which its claim loop has not moved though there was room.
        connected: whether the broker answers it.
        claiming: whether it takes tasks.
    """

    worker: str
    loop_silent: float
    claim_silent: float
    connected: bool
    claiming: bool


class Report(msgspec.Struct, frozen=True):
    """What a worker process has measured since its last report.

    Attributes:
        additions: what was added up.
        readings: what the gauges show.
        probes: how its workers do.
    """

    additions: list[Addition]
    readings: list[tuple[str, tuple[str, ...], float]]
    probes: list[Probe]
