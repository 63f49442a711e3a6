"""Looks at apps."""

from qtasks.app.stats import AsyncStats, SyncStats

__all__ = ["AsyncStats", "SyncStats"]


def __dir__() -> list[str]:
    return __all__
