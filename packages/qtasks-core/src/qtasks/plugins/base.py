"""The path by which users know :class:`BasePlugin`."""

from qtasks.contracts.plugin import BasePlugin

__all__ = ["BasePlugin"]


def __dir__() -> list[str]:
    return __all__
