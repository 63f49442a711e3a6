"""What ``/healthz`` and ``/readyz`` answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks_plugin_metrics.messages import Probe

__all__ = ["alive", "ready"]


def alive(probes: Sequence[Probe], stale_after: float) -> str:
    """Returns what is wrong with workers that should be killed; nothing if all is well.

    A worker whose broker is away lives: to start it anew would not help.

    Args:
        probes: how the workers do.
        stale_after: seconds after which one that does not move is stuck.
    """
    for probe in probes:
        if probe.loop_silent > stale_after:
            return f"the loop of {probe.worker} has not answered for {probe.loop_silent:.0f} s"
        if probe.claiming and probe.claim_silent > stale_after:
            return f"{probe.worker} has not asked for work for {probe.claim_silent:.0f} s"
    return ""


def ready(probes: Sequence[Probe], stale_after: float) -> str:
    """Returns why workers take no tasks at the moment; nothing if they do.

    Args:
        probes: how the workers do.
        stale_after: seconds after which one that does not move is stuck.
    """
    if not probes:
        return "no worker has started"
    for probe in probes:
        if not probe.claiming:
            return f"{probe.worker} takes no tasks"
        if not probe.connected:
            return f"{probe.worker} does not reach the broker"
    return alive(probes, stale_after)
