"""The base of middlewares."""

from qtasks.contracts.middleware import TaskMiddleware

__all__ = ["TaskMiddleware"]


def __dir__() -> list[str]:
    return __all__
