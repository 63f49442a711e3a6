"""Routers, by the path that users know."""

from qtasks.app.router import AsyncRouter, Router, SyncRouter

__all__ = ["AsyncRouter", "Router", "SyncRouter"]


def __dir__() -> list[str]:
    return __all__
