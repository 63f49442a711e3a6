"""The cases; importing this registers them all."""

from __future__ import annotations

from faultplan.cases import (
    cancelling,
    pauses,
    poison,
    servers,
    soak,
    stops,
    transactions,
    waiters,
    workers,
)

__all__ = [
    "cancelling",
    "pauses",
    "poison",
    "servers",
    "soak",
    "stops",
    "transactions",
    "waiters",
    "workers",
]
