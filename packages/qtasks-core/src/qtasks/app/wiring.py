"""From an app's options and settings to its broker, with a storage in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from qtasks._core.split import SplitBroker
from qtasks.app.servers import make_broker, make_storage
from qtasks.contracts.secrets import mask_url
from qtasks.exc import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks._config import QueueConfig, Source
    from qtasks._discovery.discovery import Discovery
    from qtasks.app.base import AppOptions
    from qtasks.contracts.broker import BaseBroker
    from qtasks.typing import Clock

__all__ = ["check_place", "wire"]

S = TypeVar("S")


def wire(
    options: AppOptions, config: QueueConfig, discovery: Discovery, clock: Clock
) -> tuple[BaseBroker, QueueConfig]:
    """Makes the broker of an app, or takes the one that it was given.

    Args:
        options: the app's keyword arguments.
        config: its settings, which say what the options do not.
        discovery: its plugins, which may make servers.
        clock: its clock.

    Returns:
        The broker, whose storage is the app's, and the settings bound to both.

    Raises:
        ConfigError: a URL cannot be used, options contradict each other, or there is nothing
            that keeps records.
    """
    broker, storage = options.get("broker"), options.get("storage")
    broker_url, storage_url = options.get("broker_url"), options.get("storage_url") or None
    if broker is not None and broker_url is not None:
        shown = mask_url(broker_url)
        msg = f"both broker={broker!r} and broker_url={shown!r} were given: use one"
        raise ConfigError(msg)
    given = {
        "broker_url": broker_url if broker is None else broker.url,
        "storage_url": storage_url if storage is None else storage.url,
    }
    if broker is None:
        url = config.broker_url if broker_url is None else broker_url
        given_by = None if broker_url is not None else config.source("broker_url")
        broker = _make_from(make_broker, url, discovery, given_by)
    beside = storage_url or config.storage_url
    if storage is None and beside is not None and beside != broker.url:
        given_by = None if storage_url else config.source("storage_url")
        storage = _make_from(make_storage, beside, discovery, given_by)
    if storage is None and broker.storage is None:
        msg = (
            f"{type(broker).__name__} keeps no records; set storage_url= as well,"
            " for example 'sqlite:///qtasks.db'"
        )
        raise ConfigError(msg)
    bound = config.bind(**given)
    whole = broker if storage is None else SplitBroker(broker, storage, clock)
    return _signed(whole, options.get("signing") or config.signing_keys), bound


def _signed(broker: BaseBroker, keys: Any) -> BaseBroker:
    """Returns a broker that signs with these keys; the same one if there are none."""
    if keys is None:
        return broker
    from qtasks._core.signing.broker import sign
    from qtasks.contracts.keys import Keys

    if not isinstance(keys, Keys):
        msg = f"signing= takes qtasks.signing.Keys(...), not a value of type {type(keys).__name__}"
        raise ConfigError(msg)
    return sign(broker, keys)


def check_place(option: str, value: object) -> None:
    """Refuses a URL where none belongs; elsewhere it would be taken for something else."""
    if isinstance(value, str):
        right = "storage_url" if option == "storage" else "broker_url"
        msg = f"{option}={mask_url(value)!r}: a URL is given as {right}="
        raise ConfigError(msg)


def _make_from(
    make: Callable[[str, Discovery], S], url: str, discovery: Discovery, source: Source | None
) -> S:
    """Makes a broker or storage; an error names the variable or file that the URL stands in.

    Args:
        make: what makes it.
        url: its URL.
        discovery: the app's plugins.
        source: where the URL comes from; None if it was given to the app.
    """
    try:
        return make(url, discovery)
    except ConfigError as error:
        if source is None or source.kind in ("code", "default"):
            raise
        msg = f"the URL from {source.phrase}: {error}"
        raise type(error)(msg) from None
