"""From a URL to a broker or storage.

A plugin's ``qtasks_make_broker`` is asked first, then come the built-in servers, then the entry
points ``qtasks.brokers`` and ``qtasks.storages``, whose names are URL schemes. Nothing is
imported that is not used.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final, TypeVar

from qtasks.contracts.secrets import mask_url
from qtasks.exc import ConfigError, UnknownSchemeError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pluggy

    from qtasks._config import Source
    from qtasks.contracts.broker import BaseBroker
    from qtasks.contracts.storage import BaseStorage

__all__ = ["check_place", "make_broker", "make_from", "make_storage"]

S = TypeVar("S")

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


def make_from(
    make: Callable[[str, pluggy.PluginManager], S],
    url: str,
    plugins: pluggy.PluginManager,
    source: Source | None,
) -> S:
    """Makes a broker or storage; an error names the variable or file that the URL stands in.

    Args:
        make: what makes it.
        url: its URL.
        plugins: they are asked first.
        source: where the URL comes from; None if it was given to the app.
    """
    try:
        return make(url, plugins)
    except ConfigError as error:
        if source is None or source.kind in ("code", "default"):
            raise
        msg = f"the URL from {source.phrase}: {error}"
        raise type(error)(msg) from None


def check_place(option: str, value: object) -> None:
    """Refuses a URL where none belongs; elsewhere it would be taken for something else."""
    if isinstance(value, str):
        right = "storage_url" if option == "storage" else "broker_url"
        msg = f"{option}={mask_url(value)!r}: a URL is given as {right}="
        raise ConfigError(msg)


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
    close = difflib.get_close_matches(scheme, known, n=1)
    if scheme in _PACKAGES:
        fix = f" Install it: pip install {_PACKAGES[scheme]}."
    else:
        fix = f" Did you mean {close[0]}://?" if close else ""
    msg = f"no {kind[:-1]} for {mask_url(url)!r}. Known schemes: {', '.join(known)}.{fix}"
    raise UnknownSchemeError(msg)
