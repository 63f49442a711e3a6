"""Values that live longer than a run: made by the first that needs them, shared by all others.

Each lifetime has a task of its own, in which everything is opened and closed: what belongs to
the task in which it was entered, such as a cancel scope, finds itself there again.
"""

from __future__ import annotations

import asyncio
import contextvars
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from qtasks._builtin.depends.dependency import ScopeEnum
from qtasks._builtin.depends.graph import CONFIG
from qtasks._builtin.depends.opened import Opened, cancellations
from qtasks._builtin.depends.thread import OneThread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from qtasks._builtin.depends.graph import Node

__all__ = ["Lifetimes"]

_OF_WORKER: Final = frozenset({ScopeEnum.WORKER})
_OF_ALL: Final = frozenset({ScopeEnum.BROKER, ScopeEnum.STORAGE, ScopeEnum.GLOBAL_CONFIG})


#: A value; or what was raised instead, and where.
_Found: TypeAlias = tuple[Any, BaseException | None, TracebackType | None]


class Lifetimes:
    """What the workers of an app have in common: each one by itself, and all on one loop."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, _Lifetime] = {}
        self._context: contextvars.Context | None = None

    def begin(self) -> None:
        """Remembers the context in which everything is opened; that of no run."""
        self._context = contextvars.copy_context()

    async def get(self, worker: Any, node: Node) -> Any:
        """Returns the value of a node.

        Args:
            worker: who needs it.
            node: what has to be made; its scope is not that of a run.
        """
        shared = self._lifetime(_shared_by(worker), worker, _OF_ALL, None)
        if node.scope in _OF_ALL:
            return await shared.get(node)
        return await self._lifetime(worker, worker, _OF_WORKER, shared.get).get(node)

    async def leave(self, worker: Any) -> None:
        """Closes what nobody needs without this worker; only on its loop."""
        for key in (worker, _shared_by(worker)):
            lifetime = self._kept.get(key)
            if lifetime is not None:
                lifetime.users.discard(worker)
                if not lifetime.users:
                    del self._kept[key]
                    await lifetime.close()

    async def close(self) -> None:
        """Closes what belongs to this loop and is still open."""
        loop = asyncio.get_running_loop()
        for key, lifetime in reversed(list(self._kept.items())):
            if lifetime.loop is loop:
                del self._kept[key]
                await lifetime.close()

    def _lifetime(
        self,
        key: Hashable,
        worker: Any,
        scopes: frozenset[str],
        elsewhere: Callable[[Node], Awaitable[Any]] | None,
    ) -> _Lifetime:
        lifetime = self._kept.get(key)
        if lifetime is None:
            context = contextvars.Context() if self._context is None else self._context.copy()
            lifetime = self._kept[key] = _Lifetime(context, worker.config, scopes, elsewhere)
        lifetime.users.add(worker)
        return lifetime


class _Lifetime:
    """Values of one lifetime, and the task in which they are opened and closed."""

    def __init__(
        self,
        context: contextvars.Context,
        config: Any,
        scopes: frozenset[str],
        elsewhere: Callable[[Node], Awaitable[Any]] | None,
    ) -> None:
        self.users: set[Any] = set()
        self.loop = asyncio.get_running_loop()
        self._config = config
        self._opening = False
        self._thread = OneThread("qtasks-depends")
        self._requests: asyncio.Queue[Node | None] = asyncio.Queue()
        self._waiting: dict[Hashable, list[asyncio.Future[_Found]]] = {}
        self._opened = Opened(
            call_plain=self._thread.call,
            special=self._special,
            elsewhere=elsewhere or self._nowhere,
            scopes=scopes,
            whose="a worker" if scopes is _OF_WORKER else "the workers",
        )
        self._task = self.loop.create_task(self._serve(), context=context)

    async def get(self, node: Node) -> Any:
        if self._opened.knows(node):
            return await self._opened.get(node)
        answer: asyncio.Future[_Found] = self.loop.create_future()
        waiting = self._waiting.setdefault(node.key, [])
        waiting.append(answer)
        if len(waiting) == 1:
            self._requests.put_nowait(node)
        value, error, trace = await answer
        if error is not None:
            raise error.with_traceback(trace)
        return value

    async def close(self) -> None:
        self._requests.put_nowait(None)
        if self._opening:  # nobody waits for it any more, however long it takes
            self._task.cancel()
        before = cancellations()
        try:
            await self._task
        except asyncio.CancelledError:
            if cancellations() > before:
                raise

    async def _serve(self) -> None:
        try:
            while (node := await self._requests.get()) is not None:
                self._answer(node.key, await self._found(node))
        finally:
            msg = "the worker stops, and opens no dependencies any more"
            for key in list(self._waiting):
                self._answer(key, (None, RuntimeError(msg), None))
            try:
                await self._opened.close(None)
            finally:
                self._thread.close()

    def _answer(self, key: Hashable, found: _Found) -> None:
        """Tells all who wait by now: one failure is that of all, or each would wait for its own."""
        for answer in self._waiting.pop(key):
            if not answer.done():
                answer.set_result(found)

    async def _found(self, node: Node) -> _Found:
        """Opens a value; what that raises belongs to who asked, and must not end this task.

        It is handed on as a value, since a future refuses some exceptions.
        """
        before = cancellations()
        self._opening = True
        try:
            return await self._opened.get(node), None, None
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and cancellations() > before:
                raise
            return None, error, error.__traceback__
        finally:
            self._opening = False

    def _special(self, name: str, is_async: bool) -> Any:  # noqa: FBT001 - the shape of a callback
        del is_async
        assert name == CONFIG  # noqa: S101 - the graph has no others here
        return self._config

    @staticmethod
    async def _nowhere(node: Node) -> Any:
        msg = f"{node.name} lives in no lifetime"
        raise AssertionError(msg)


def _shared_by(worker: Any) -> Hashable:
    return worker.broker, asyncio.get_running_loop()
