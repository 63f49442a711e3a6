"""An app in memory, for tests: its time stands still until somebody moves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, Unpack, overload

from qtasks._config import QueueConfig
from qtasks.adapters.memory import MemoryBroker
from qtasks.app import awaitable, blocking
from qtasks.exc import ConfigError
from qtasks.testing.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtasks._config.queue_config import ConfigFields
    from qtasks.plugins import BasePlugin
    from qtasks.typing import Clock

__all__ = ["make_app"]

#: Seconds of a lease, longer than any delay of a test.
_LEASE: Final = 1e9


@overload
def make_app(
    colour: Literal["sync"] = "sync",
    *,
    plugins: Iterable[str | BasePlugin] | None = ...,
    clock: Clock | None = ...,
    **settings: Unpack[ConfigFields],
) -> blocking.QueueTasks: ...
@overload
def make_app(
    colour: Literal["async"],
    *,
    plugins: Iterable[str | BasePlugin] | None = ...,
    clock: Clock | None = ...,
    **settings: Unpack[ConfigFields],
) -> awaitable.QueueTasks: ...
def make_app(
    colour: Literal["sync", "async"] = "sync",
    *,
    plugins: Iterable[str | BasePlugin] | None = (),
    clock: Clock | None = None,
    **settings: Any,
) -> blocking.QueueTasks | awaitable.QueueTasks:
    """Makes an app whose queue is in memory and its own.

    :func:`~qtasks.testing.run_queue` and :func:`~qtasks.testing.run_task` run what is added to it.

    Args:
        colour: ``sync`` for a :class:`qtasks.QueueTasks`, ``async`` for one of
            ``qtasks.asyncio``.
        plugins: plugins, and names of installed ones; no others are in it. None for all that
            are installed, see :func:`~qtasks.testing.plugin_sandbox`.
        clock: its time; a new :class:`FakeClock` by default.
        **settings: settings of :class:`~qtasks.configs.QueueConfig`.

    Raises:
        ConfigError: there is no such colour or setting.
        RegistrationError: a plugin does not fit.
    """
    kinds: dict[str, type[blocking.QueueTasks | awaitable.QueueTasks]] = {
        "sync": blocking.QueueTasks,
        "async": awaitable.QueueTasks,
    }
    if colour not in kinds:
        msg = f"make_app({colour!r}): the colour is 'sync' or 'async'"
        raise ConfigError(msg)
    clock = clock or FakeClock()
    # Whoever tests has their own settings in the environment; the queue stays in memory. Where
    # time jumps, leases do not run out.
    config = QueueConfig(**{"storage_url": None, "uvloop": False, "lease": _LEASE, **settings})
    broker = MemoryBroker(clock=clock)
    listed = None if plugins is None else list(plugins)
    return kinds[colour]("test", broker=broker, config=config, clock=clock, plugins=listed)
