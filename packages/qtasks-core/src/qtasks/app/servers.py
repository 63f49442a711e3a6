"""From a URL to a broker or storage.

A plugin's ``qtasks_make_broker`` is asked first, then come the built-in servers, then the entry
points ``qtasks.brokers`` and ``qtasks.storages``, whose names are URL schemes. Nothing is
imported that is not used.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final

from qtasks.contracts.secrets import mask_url
from qtasks.exc import UnknownSchemeError

if TYPE_CHECKING:
    import pluggy

    from qtasks.contracts.broker import BaseBroker
    from qtasks.contracts.storage import BaseStorage

__all__ = ["make_broker", "make_storage"]

_BUILT_IN: Final[dict[str, dict[str, str]]] = {
    "brokers": {
        "memory": "qtasks.adapters.memory:MemoryBroker",
        "sqlite": "qtasks.adapters.sqlite:SqliteBroker",
        **dict.fromkeys(("redis", "rediss", "unix"), "qtasks.adapters.redis:RedisBroker"),
    },
    "storages": {
        "memory": "qtasks.adapters.memory:MemoryStorage",
        "sqlite": "qtasks.adapters.sqlite:SqliteStorage",
        **dict.fromkeys(("redis", "rediss", "unix"), "qtasks.adapters.redis:RedisStorage"),
    },
}

#: Which package brings a scheme, so that the error can say what to install.
_PACKAGES: Final[dict[str, str]] = {
    "redis": "'qtasks-core[redis]'",
    "rediss": "'qtasks-core[redis]'",
    "unix": "'qtasks-core[redis]'",
    "kafka": "qtasks-broker-kafka",
}


def make_broker(url: str, plugins: pluggy.PluginManager) -> BaseBroker:
    """Makes the broker of a URL.

    Raises:
        UnknownSchemeError: nothing that is installed serves the URL's scheme.
    """
    scheme = _scheme(url, "broker")
    made = plugins.hook.qtasks_make_broker(scheme=scheme, url=url)
    broker: BaseBroker = made if made is not None else _find("brokers", scheme, url)(url)
    return broker


def make_storage(url: str, plugins: pluggy.PluginManager) -> BaseStorage:
    """Makes the storage of a URL.

    Raises:
        UnknownSchemeError: nothing that is installed serves the URL's scheme.
    """
    scheme = _scheme(url, "storage")
    made = plugins.hook.qtasks_make_storage(scheme=scheme, url=url)
    storage: BaseStorage = made if made is not None else _find("storages", scheme, url)(url)
    return storage


def _scheme(url: Any, kind: str) -> str:
    scheme, separator, _ = url.partition("://") if isinstance(url, str) else ("", "", "")
    if not separator or not scheme:
        shown = mask_url(url) if isinstance(url, str) else url
        msg = f"{kind} URL {shown!r} has no scheme; write for example 'sqlite:///qtasks.db'"
        raise UnknownSchemeError(msg)
    return scheme.lower()


def _find(kind: str, scheme: str, url: str) -> Any:
    built_in = _BUILT_IN[kind]
    if scheme in built_in:
        module, _, name = built_in[scheme].partition(":")
        try:
            return getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            if scheme not in _PACKAGES or (error.name or "").partition(".")[0] == "qtasks":
                raise
            msg = f"{scheme}:// needs {error.name}. Install it: pip install {_PACKAGES[scheme]}."
            raise UnknownSchemeError(msg) from None
    installed = entry_points(group=f"qtasks.{kind}")
    for entry in installed.select(name=scheme):
        return entry.load()
    known = sorted({*built_in, *(entry.name for entry in installed)})
    fix = f" Install it: pip install {_PACKAGES[scheme]}." if scheme in _PACKAGES else ""
    msg = f"no {kind[:-1]} for {mask_url(url)!r}. Known schemes: {', '.join(known)}.{fix}"
    raise UnknownSchemeError(msg)
