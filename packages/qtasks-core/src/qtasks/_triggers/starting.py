"""Being started by one and waited for by the others, be they coroutines or threads."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["Starting"]

#: What is being started by the code that runs here: it may use the app, and not wait for itself.
_inside: Final[ContextVar[frozenset[str]]] = ContextVar("qtasks_starting", default=frozenset())


class Starting:
    """The plugins that are being started now.

    Attributes:
        begun: what is waited for, by the name of the plugin.
    """

    def __init__(self) -> None:
        self.begun: dict[str, Future[None]] = {}

    def begin(self, name: str) -> None:
        """Has everybody else wait until :meth:`finish` is done."""
        self.begun[name] = Future()

    async def finish(self, name: str, starting: Awaitable[None]) -> None:
        """Starts a plugin, and lets the others go on whatever comes of it."""
        token = _inside.set(_inside.get() | {name})
        try:
            await starting
        finally:
            _inside.reset(token)
            self.begun.pop(name).set_result(None)

    async def wait(self, name: str) -> None:
        """Waits until a plugin has started, if it is being started by somebody else."""
        begun = self.begun.get(name)
        if begun is None or name in _inside.get():
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            begun.result()
        else:
            # Shielded, because whoever waits may be cancelled, and the start goes on.
            await asyncio.shield(asyncio.wrap_future(begun))
