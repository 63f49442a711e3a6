"""The settings of an app."""

from qtasks._core.config import QueueConfig

__all__ = ["QueueConfig"]


def __dir__() -> list[str]:
    return __all__
