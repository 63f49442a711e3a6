"""The keys that sign messages and results."""

from qtasks.contracts.keys import Keys

__all__ = ["Keys"]


def __dir__() -> list[str]:
    return __all__
