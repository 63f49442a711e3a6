"""What was made for a run, or for as long as a worker lives: opened in order, then closed."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterator

    from qtasks._builtin.depends.graph import Node

__all__ = ["Opened", "cancellations"]

log = logging.getLogger("qtasks.depends")

#: Seconds that each of the rest may take to close, when one of them took too long.
_HASTE: Final = 1.0


class Opened:
    """Values by what they are made from, and how each is closed.

    Args:
        call_plain: calls a plain function where it may block.
        special: returns what dependencies can ask for by name.
        elsewhere: makes values that live longer.
        scopes: the scopes whose values are kept here.
        whose: for messages.
    """

    def __init__(
        self,
        *,
        call_plain: Callable[[Callable[[], Any]], Awaitable[Any]],
        special: Callable[[str, bool], Any],
        elsewhere: Callable[[Node], Awaitable[Any]],
        scopes: frozenset[str],
        whose: str,
    ) -> None:
        self._call_plain = call_plain
        self._special = special
        self._elsewhere = elsewhere
        self._scopes = scopes
        self._whose = whose
        self._values: dict[Hashable, Any] = {}
        self._exits: list[tuple[str, Callable[[BaseException | None], Awaitable[Any]]]] = []

    def knows(self, node: Node) -> bool:
        """Tells whether the value was made."""
        return node.key in self._values

    async def get(self, node: Node) -> Any:
        """Returns the value of a node, which is made if it was not; raises what that raises."""
        if node.key in self._values:
            return self._values[node.key]
        if node.scope not in self._scopes:
            return await self._elsewhere(node)
        args, kwargs = await self._arguments(node)
        value = self._values[node.key] = await self._make(
            node, partial(node.function, *args, **kwargs)
        )
        return value

    async def close(self, error: BaseException | None) -> None:
        """Closes everything, the last first, and throws into each what ended the run.

        One that fails is logged, and the others are closed all the same.

        Args:
            error: what the run raised; None if it returned.
        """
        cancelled: asyncio.CancelledError | None = None
        self._values.clear()
        while self._exits:
            name, leave = self._exits.pop()
            before = cancellations()
            try:
                async with asyncio.timeout(None if cancelled is None else _HASTE):
                    await leave(error)
            except BaseException as failure:
                if isinstance(failure, asyncio.CancelledError) and cancellations() > before:
                    cancelled = failure
                    log.error("Closing %s of %s took too long and was cut short", name, self._whose)  # noqa: TRY400 - the trace says nothing more
                elif failure is not error:
                    log.exception("Closing %s of %s failed", name, self._whose)
        if cancelled is not None:
            raise cancelled

    async def _arguments(self, node: Node) -> tuple[list[Any], dict[str, Any]]:
        kwargs = {}
        for name, need in node.needs.items():
            if isinstance(need, str):
                kwargs[name] = self._special(need, node.is_async)
            else:
                kwargs[name] = await self.get(need)
        return [kwargs.pop(name) for name in node.by_position], kwargs

    async def _make(self, node: Node, make: Callable[[], Any]) -> Any:
        plain = _call_here if node.plain_on_loop else self._call_plain
        value = make() if node.on_loop else await plain(make)
        while True:
            if inspect.isasyncgen(value):
                with _named(node):
                    manager: Any = asynccontextmanager(partial(_same, value))()
                    return await self._enter_async(node, manager)
            if inspect.isgenerator(value):
                with _named(node):
                    manager = contextmanager(partial(_same, value))()
                    return await self._enter(node, manager, plain)
            kind = type(value)
            if node.enter and hasattr(kind, "__aenter__") and hasattr(kind, "__aexit__"):
                return await self._enter_async(node, value)
            if node.enter and hasattr(kind, "__enter__") and hasattr(kind, "__exit__"):
                return await self._enter(node, value, plain)
            # Clients and pools that are to be left alone can often be awaited, and give themselves.
            if not inspect.isawaitable(value) or hasattr(kind, "__aexit__"):
                return value
            before, value = value, await value
            if value is before:
                return value

    async def _enter_async(self, node: Node, manager: Any) -> Any:
        value = await manager.__aenter__()
        self._exits.append((node.name, lambda error: manager.__aexit__(*_triple(error))))
        return value

    async def _enter(
        self, node: Node, manager: Any, plain: Callable[[Callable[[], Any]], Awaitable[Any]]
    ) -> Any:
        entering = _Entering(manager)
        leave = (node.name, lambda error: plain(partial(_leave, manager, error)))
        try:
            value = await plain(entering.enter)
        except asyncio.CancelledError:
            # Its thread goes on by itself, and nobody waits for the value any more.
            if entering.give_up():
                self._exits.append(leave)
            raise
        self._exits.append(leave)
        return value


class _Entering:
    """A context manager on its way, in a thread that may be left to itself."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._lock = threading.Lock()
        self._entered = False
        self._unwanted = False

    def enter(self) -> Any:
        value = self._manager.__enter__()
        with self._lock:
            self._entered = not self._unwanted
        if not self._entered:
            self._manager.__exit__(None, None, None)
        return value

    def give_up(self) -> bool:
        """Has it left as soon as it is entered; tells whether it has been entered already."""
        with self._lock:
            self._unwanted = True
            return self._entered


@contextmanager
def _named(node: Node) -> Iterator[None]:
    """Says whose a generator is that ends before it yields; the standard library does not."""
    try:
        yield
    except RuntimeError as error:
        inner = error.__context__
        if error.__cause__ is None and isinstance(inner, StopIteration | StopAsyncIteration):
            msg = f"{node.name} ended without a yield, which is to give its value"
            raise RuntimeError(msg) from None
        raise


def cancellations() -> int:
    """Counts how often the running task was asked to end; its code may raise the same itself."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


async def _call_here(function: Callable[[], Any]) -> Any:
    return function()


def _leave(manager: Any, error: BaseException | None) -> Any:
    return manager.__exit__(*_triple(error))


def _triple(error: BaseException | None) -> tuple[Any, Any, Any]:
    return (None, None, None) if error is None else (type(error), error, error.__traceback__)


def _same(value: Any) -> Any:
    return value
