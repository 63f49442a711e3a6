"""What ``self.ctx`` of an echo task is: a coroutine's, and a plain function's."""

from qtasks.contracts.context import AsyncContext, SyncContext

__all__ = ["AsyncContext", "SyncContext"]


def __dir__() -> list[str]:
    return __all__
