"""Whether the server does its work: its role, its slots, its clock, its connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtasks.schemas import Finding

if TYPE_CHECKING:
    from qtasks.adapters.redis.checks.sight import Sight

__all__ = ["clock", "connections", "idle", "rights", "role", "slots"]

#: Seconds by which clocks may differ before there is a warning.
_TOLERANCE: Final = 2.0
#: The share of the connections above which there is a warning.
_NEARLY: Final = 0.8
_SLOTS: Final = 16_384


def role(sight: Sight) -> Finding | None:
    """Says whether it can be written to."""
    told = sight.info.get("role")
    if told in {"master", None}:
        return None
    return Finding(
        "error",
        "role",
        "It is a replica, which cannot be written to.",
        "Name its master in the URL, or the Sentinels with ?sentinel=NAME.",
    )


def slots(sight: Sight) -> Finding | None:
    """Says whether a cluster serves all its slots."""
    if not sight.cluster:
        return None
    served = int(sight.cluster.get("cluster_slots_ok", "0"))
    if sight.cluster.get("cluster_state") == "ok" and served == _SLOTS:
        return Finding("ok", "cluster", "All slots are served; each queue lies in one of them.")
    return Finding(
        "error",
        "cluster",
        f"Only {served} of {_SLOTS} slots are served: queues in the others stand still.",
        "Start the members that are away, or give their slots to others: redis-cli --cluster fix.",
    )


def clock(sight: Sight) -> Finding | None:
    """Says whether both clocks show the same."""
    if sight.ahead is None:
        return None
    if abs(sight.ahead) <= _TOLERANCE:
        return Finding("ok", "clock", "The server's clock and the one here agree.")
    direction = "ahead of" if sight.ahead > 0 else "behind"
    return Finding(
        "warning",
        "clock",
        f"The server's clock is {abs(sight.ahead):.0f} s {direction} the one here; the server's"
        " decides when an eta= has come.",
        "Let NTP set both clocks.",
    )


def connections(sight: Sight) -> Finding | None:
    """Says whether there is room for more connections."""
    most, used = sight.number("maxclients"), sight.number("connected_clients")
    refused = sight.number("rejected_connections")
    if not most:
        return None
    text = f"{used} of {most} are in use"
    if refused:
        text += f", and {refused} were refused since the server started"
    if not refused and used < most * _NEARLY:
        return Finding("ok", "connections", f"{text}.")
    return Finding("warning", "connections", f"{text}.", "Raise maxclients.")


def idle(sight: Sight) -> Finding | None:
    """Says whether the server closes connections that rest."""
    limit = sight.settings.get("timeout", "0")
    if limit == "0":
        return None
    return Finding(
        "ok",
        "idle connections",
        f"The server closes connections after {limit} s of rest; they are opened again then.",
        "Set timeout 0 if you do not need that: opening one costs time.",
    )


def rights(sight: Sight) -> Finding | None:
    """Says what this user may not ask."""
    if not sight.forbidden:
        return None
    blind = "INFO" in sight.forbidden
    return Finding(
        "warning" if blind else "ok",
        "rights",
        f"This user may not ask {', '.join(sight.forbidden)}"
        f"{': persistence, eviction and memory are unknown' if blind else ''}.",
        "Run the doctor with an account that may +info +time +config|get +acl|getuser"
        " +cluster|info to learn more.",
    )
