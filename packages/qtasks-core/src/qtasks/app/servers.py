"""From a URL to a broker or storage.

Plugins that the app was given are asked first, by ``qtasks_make_broker``. Then come the built-in
servers, then the entry points ``qtasks.brokers`` and ``qtasks.storages``, whose names are URL
schemes; which plugins are used does not matter to these. Installed plugins are asked last, so that
they are looked for only if nobody else knows the scheme. Nothing is imported that is not used.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final

from qtasks._runtime.errors import safe_text
from qtasks.contracts.secrets import mask_url
from qtasks.exc import ConfigError, UnknownSchemeError

if TYPE_CHECKING:
    from qtasks._discovery.discovery import Discovery
    from qtasks.contracts.broker import BaseBroker
    from qtasks.contracts.storage import BaseStorage

__all__ = ["make_broker", "make_storage"]

_BUILT_IN: Final[dict[str, dict[str, str]]] = {
    "broker": {
        "memory": "qtasks.adapters.memory:MemoryBroker",
        "sqlite": "qtasks.adapters.sqlite:SqliteBroker",
        **dict.fromkeys(("redis", "rediss", "unix"), "qtasks.adapters.redis:RedisBroker"),
    },
    "storage": {
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


def make_broker(url: str, discovery: Discovery) -> BaseBroker:
    """Makes the broker of a URL.

    Raises:
        UnknownSchemeError: nothing that is installed serves the URL's scheme.
        ConfigError: what serves it cannot be imported.
    """
    broker: BaseBroker = _make("broker", url, discovery)
    return broker


def make_storage(url: str, discovery: Discovery) -> BaseStorage:
    """Makes the storage of a URL.

    Raises:
        UnknownSchemeError: nothing that is installed serves the URL's scheme.
        ConfigError: what serves it cannot be imported.
    """
    storage: BaseStorage = _make("storage", url, discovery)
    return storage


def _scheme(url: Any, kind: str) -> str:
    scheme, separator, _ = url.partition("://") if isinstance(url, str) else ("", "", "")
    if not separator or not scheme:
        shown = mask_url(url) if isinstance(url, str) else url
        msg = f"{kind} URL {shown!r} has no scheme; write for example 'sqlite:///qtasks.db'"
        raise UnknownSchemeError(msg)
    return scheme.lower()


def _make(kind: str, url: str, discovery: Discovery) -> Any:
    scheme = _scheme(url, kind)
    hook = f"qtasks_make_{kind}"
    for _, made in discovery.ask_added(hook, scheme=scheme, url=url):
        return made
    found = _built_in(kind, scheme) or _installed(kind, scheme)
    if found is not None:
        return found(url)
    for _, made in discovery.ask(hook, scheme=scheme, url=url):
        return made
    raise UnknownSchemeError(_unknown(kind, scheme, url))


def _built_in(kind: str, scheme: str) -> Any:
    if scheme not in _BUILT_IN[kind]:
        return None
    module, _, name = _BUILT_IN[kind][scheme].partition(":")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if scheme not in _PACKAGES or (error.name or "").partition(".")[0] == "qtasks":
            raise
        msg = f"{scheme}:// needs {error.name}. Install it: pip install {_PACKAGES[scheme]}."
        raise UnknownSchemeError(msg) from None


def _installed(kind: str, scheme: str) -> Any:
    """Returns what an installed package has for a scheme, or None.

    Raises:
        ConfigError: it cannot be imported.
    """
    entries = [each for each in entry_points(group=f"qtasks.{kind}s") if each.name == scheme]
    for entry in sorted(entries, key=lambda each: each.dist.name if each.dist else ""):
        try:
            return entry.load()
        except Exception as error:
            package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
            msg = (
                f"{scheme}:// is served by {package}, which cannot be imported:"
                f" {type(error).__name__}: {safe_text(error)}"
            )
            raise ConfigError(msg) from error
    return None


def _unknown(kind: str, scheme: str, url: str) -> str:
    names = (entry.name for entry in entry_points(group=f"qtasks.{kind}s"))
    known = sorted({*_BUILT_IN[kind], *names})
    close = difflib.get_close_matches(scheme, known, n=1)
    if scheme in _PACKAGES:
        fix = f" Install it: pip install {_PACKAGES[scheme]}."
    else:
        fix = f" Did you mean {close[0]}://?" if close else ""
    return f"no {kind} for {mask_url(url)!r}. Known schemes: {', '.join(known)}.{fix}"
