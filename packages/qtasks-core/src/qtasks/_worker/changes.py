"""A running worker follows its settings."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from qtasks._config import SETTINGS, Applies, QueueConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks._runtime.threads import ThreadPool
    from qtasks._worker.keeper import Keeper
    from qtasks._worker.pump import Pump

__all__ = ["follow"]

log = logging.getLogger("qtasks.worker")


def follow(
    config: QueueConfig, pump: Pump, threads: ThreadPool, keeper: Keeper
) -> Callable[[], None]:
    """Has the parts of a running worker take up what is assigned to its settings.

    Settings may be assigned in any thread; what belongs to the loop is done there. Most parts
    read the settings as they go, so this is about those that have to be told. What cannot change
    while a worker runs is logged.

    Returns:
        A function that ends this.
    """
    loop = asyncio.get_running_loop()

    def changed(config: QueueConfig, name: str, value: Any) -> None:
        if SETTINGS[name].applies is not Applies.AT_ONCE:
            log.warning("%s is %r now, which a running worker takes up when restarted", name, value)
            return
        keeper.retain(config.retention)
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile; nothing runs
            loop.call_soon_threadsafe(adjust)

    def adjust() -> None:
        threads.resize(config.threads)
        pump.adjust()

    return config.subscribe(changed)
