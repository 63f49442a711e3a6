"""Inline mode: what is added runs at once, in the caller, with no worker and no server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self, TypeVar

from qtasks.app.inline_engine import Engine
from qtasks.app.inline_places import Caller, EngineLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import timedelta

    from qtasks._core.client import Client
    from qtasks.app.base import BaseQueueTasks

__all__ = ["AsyncInline", "Inline", "InlineBase"]

T = TypeVar("T")


class InlineBase:
    """What inline mode is in both colours: a queue in memory, and whatever runs it.

    Args:
        app: the app.
        raises: whether adding a task raises what the task raised.
        delays: whether delayed tasks, and those that are to run again later, wait for
            ``advance``; otherwise their time comes at once.
    """

    def __init__(self, app: BaseQueueTasks, *, raises: bool, delays: bool) -> None:
        self._app = app
        self._engine = Engine(app, raises=raises, delays=delays)
        self._home: asyncio.AbstractEventLoop | None = None
        self._before: InlineBase | None = None

    async def run(self, make: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
        """Asks the queue from the loop that runs the tasks."""
        self._home = asyncio.get_running_loop()
        return await make(self._engine.client)

    def call(self, make: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
        """Asks the queue from a thread, in which plain functions run meanwhile."""
        assert self._home is not None  # noqa: S101 - threads are started by tasks, which run there
        return Caller().call(lambda: make(self._engine.client), self._home)

    def _enter(self) -> None:
        self._before, self._app._inline = self._app._inline, self  # noqa: SLF001 - one concept in two modules

    def _leave(self) -> None:
        self._app._inline = self._before  # noqa: SLF001 - as above


class Inline(InlineBase):
    """What ``with app.inline() as inline:`` gives."""

    def __init__(self, app: BaseQueueTasks, *, raises: bool, delays: bool) -> None:
        super().__init__(app, raises=raises, delays=delays)
        self._loop = EngineLoop()

    def advance(self, seconds: float | timedelta) -> None:
        """Moves the time of the tasks on, and runs what is due then.

        Args:
            seconds: how far.

        Raises:
            ValueError: ``seconds`` is negative.
        """
        self.call(lambda _: self._engine.advance(seconds))

    def call(self, make: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
        """Asks the queue from a thread, in which plain functions run meanwhile."""
        if not self._loop.is_here():
            return Caller().call(lambda: make(self._engine.client), self._loop.started())
        # A coroutine task blocks the loop that it runs on, so the call needs another one.
        loop = EngineLoop()
        try:
            return Caller().call(lambda: self._on_other_loop(make), loop.started())
        finally:
            loop.close()

    async def _on_other_loop(self, make: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
        try:
            return await make(self._engine.client)
        finally:
            await self._engine.leave_loop()

    def __enter__(self) -> Self:
        """Begins."""
        self._enter()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends, and forgets all tasks."""
        try:
            self.call(lambda _: self._engine.close())
        finally:
            self._loop.close()
            self._leave()


class AsyncInline(InlineBase):
    """What ``async with app.inline() as inline:`` gives."""

    async def advance(self, seconds: float | timedelta) -> None:
        """Moves the time of the tasks on, and runs what is due then.

        Args:
            seconds: how far.

        Raises:
            ValueError: ``seconds`` is negative.
        """
        await self.run(lambda _: self._engine.advance(seconds))

    async def __aenter__(self) -> Self:
        """Begins."""
        self._enter()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ends, and forgets all tasks."""
        try:
            await self._engine.close()
        finally:
            self._leave()
