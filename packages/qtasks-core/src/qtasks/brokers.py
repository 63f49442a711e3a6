"""The brokers that come with core, imported on use, and the contract of all others."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from qtasks.contracts.broker import BaseBroker

if TYPE_CHECKING:
    from qtasks.adapters.memory import MemoryBroker
    from qtasks.adapters.redis import RedisBroker
    from qtasks.adapters.sqlite import SqliteBroker

__all__ = ["BaseBroker", "MemoryBroker", "RedisBroker", "SqliteBroker"]

_LAZY = {
    "MemoryBroker": "qtasks.adapters.memory",
    "RedisBroker": "qtasks.adapters.redis",
    "SqliteBroker": "qtasks.adapters.sqlite",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    msg = f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return __all__
