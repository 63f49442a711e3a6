"""The storages that come with core, imported on use, and the contract of all others."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from qtasks.contracts.storage import BaseStorage

if TYPE_CHECKING:
    from qtasks.adapters.memory import MemoryStorage
    from qtasks.adapters.redis import RedisStorage
    from qtasks.adapters.sqlite import SqliteStorage

__all__ = ["BaseStorage", "MemoryStorage", "RedisStorage", "SqliteStorage"]

_LAZY = {
    "MemoryStorage": "qtasks.adapters.memory",
    "RedisStorage": "qtasks.adapters.redis",
    "SqliteStorage": "qtasks.adapters.sqlite",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    msg = f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return __all__
