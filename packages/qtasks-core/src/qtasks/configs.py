"""The settings of an app."""

from qtasks._config import QueueConfig, Source

__all__ = ["QueueConfig", "Source"]


def __dir__() -> list[str]:
    return __all__
