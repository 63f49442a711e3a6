"""The task in log records."""

from qtasks._runtime.logs import TaskFilter

__all__ = ["TaskFilter"]


def __dir__() -> list[str]:
    return __all__
