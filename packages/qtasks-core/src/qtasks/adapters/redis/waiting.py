"""Waiting at the server: for work, and for news of tasks.

Work is announced by markers in a list for each queue; whoever pops one looks for work. What happens
to tasks is announced by name: who waits for an end, or for values, leaves a name with the task, and
pops the list of that name. A message to subscribers would be lost on who is just connecting; what
lies in a list is not.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Iterable, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from math import inf
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, TypeVar

from qtasks.adapters.redis.links import LONGEST_BLOCK
from qtasks.adapters.redis.loops import PerLoop
from qtasks.adapters.redis.notes import read_note
from qtasks.contracts.clock import SystemClock
from qtasks.exc import ServerError, ServerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qtasks.adapters.redis.engine import Engine
    from qtasks.adapters.redis.notes import Told

__all__ = ["Deadline", "Looked", "LoopNews", "News", "ThreadNews", "Wanted", "pop"]

T = TypeVar("T")
W_co = TypeVar("W_co", covariant=True)

#: What a look found, or None, and the shards in which tasks will tell of more.
Looked: TypeAlias = tuple[T | None, Sequence[str]]

#: Seconds of one wait while a test moves the time: it may jump at any moment.
_GLANCE: Final = 0.02
#: The shortest wait: the server takes 0 for eternity.
_SHORTEST: Final = 0.001
#: Seconds between two looks at a server that is away.
_PAUSE: Final = 0.2
#: Seconds at one of several shards, for a thread, which can be at one only.
_TURN: Final = 0.05


class Wanted(Protocol[W_co]):
    """What somebody waits for."""

    def look(self, name: str) -> Awaitable[Looked[W_co]]:
        """Looks, and leaves a name with the tasks that have nothing to tell yet."""
        ...

    def hear(self, told: Iterable[Told]) -> W_co | None:
        """Returns what came with notes; None if it takes a look to know."""
        ...


class Deadline:
    """The end of a wait; in a loop by the clock of the tests if there is one.

    Args:
        engine: whose clock counts.
        timeout: seconds from now.
    """

    def __init__(self, engine: Engine, timeout: float) -> None:
        tests = None if engine.blocking else engine.clock
        self._clock = tests or SystemClock()
        self._longest = LONGEST_BLOCK if engine.clock is None else _GLANCE
        self._end = self._clock.monotonic() + timeout

    @property
    def over(self) -> bool:
        """Whether the time has run out."""
        return self._clock.monotonic() >= self._end

    def next(self, due: float = inf) -> float:
        """Returns how many seconds to wait at once: until the end, or until ``due`` seconds."""
        left = min(self._end - self._clock.monotonic(), due, self._longest)
        return max(left, _SHORTEST)


async def pop(engine: Engine, keys: dict[str, list[str]], timeout: float) -> bytes | None:
    """Waits until a list has something, and takes it; None if the time ran out.

    Args:
        engine: where.
        keys: the lists, by their shard.
        timeout: seconds.
    """
    if len(keys) == 1:
        (names,) = keys.values()
        return await _pop_one(engine, names, timeout)
    if engine.blocking:
        return await _pop_in_turn(engine, keys, timeout)
    pops = [asyncio.ensure_future(_pop_one(engine, names, timeout)) for names in keys.values()]
    try:
        # To the end of all if nothing is found: when the first one's time is out the others' is
        # as good as, and who is cancelled loses what the server gives it at that moment.
        for ended in asyncio.as_completed(pops):
            found = await ended
            if found is not None:
                return found
        return None
    finally:
        for task in pops:
            task.cancel()
        await asyncio.gather(*pops, return_exceptions=True)


async def _pop_in_turn(engine: Engine, keys: dict[str, list[str]], timeout: float) -> bytes | None:
    for _ in range(max(1, round(timeout / _TURN / len(keys)))):
        for names in keys.values():
            found = await _pop_one(engine, names, min(_TURN, timeout))
            if found is not None:
                return found
    return None


async def _pop_one(engine: Engine, names: Sequence[str], timeout: float) -> bytes | None:
    answer = await engine.block("BLPOP", *names, f"{timeout:.3f}")
    return None if answer is None else answer[1]


class News(ABC):
    """Waits for news of tasks.

    Args:
        engine: where the tasks are.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @abstractmethod
    async def wait(self, ids: Sequence[str], wanted: Wanted[T], timeout: float) -> T | None:
        """Looks until there is something, at most ``timeout`` seconds; then returns None.

        Args:
            ids: the tasks.
            wanted: looks, and has those that are not ready tell a name when they are.
            timeout: seconds.
        """

    async def stop(self) -> None:  # noqa: B027 - where nothing is shared there is nothing to end
        """Ends all waits."""

    async def _look_again(self, wanted: Wanted[T], name: str, deadline: Deadline) -> Looked[T]:
        """Looks once more; a server that went away meanwhile may come back before time is over."""
        while True:
            try:
                return await wanted.look(name)
            except ServerUnavailableError:
                if deadline.over:
                    raise
            if self._engine.blocking:
                time.sleep(_PAUSE)  # noqa: ASYNC251 - coroutines of a blocking engine block
            else:
                await asyncio.sleep(_PAUSE)


class ThreadNews(News):
    """For plain threads: each waits at the server by itself, under a name of its own."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._names: deque[str] = deque()
        self._lock = threading.Lock()

    async def wait(self, ids: Sequence[str], wanted: Wanted[T], timeout: float) -> T | None:  # noqa: ARG002 - the name is this wait's alone
        """Looks until there is something."""
        deadline = Deadline(self._engine, timeout)
        with self._name() as name:
            found, told = await wanted.look(name)
            while found is None and not deadline.over:
                keys = {shard: [f"{shard}n:{name}"] for shard in told}
                note = None
                with suppress(ServerUnavailableError):
                    note = await pop(self._engine, keys, deadline.next())
                found = None if note is None else wanted.hear(read_note(note))
                if found is None:
                    found, told = await self._look_again(wanted, name, deadline)
            return found

    @contextmanager
    def _name(self) -> Iterator[str]:
        """Lends a name; names are used again, so that tasks do not collect many of them."""
        with self._lock:
            name = self._names.pop() if self._names else secrets.token_hex(6)
        try:
            yield name
        finally:
            with self._lock:
                self._names.append(name)


class LoopNews(News):
    """For coroutines: one wait at each shard stands for all of a loop that wait."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._loops = PerLoop(lambda: _OneLoopNews(engine), _OneLoopNews.stop)

    async def wait(self, ids: Sequence[str], wanted: Wanted[T], timeout: float) -> T | None:
        """Looks until there is something."""
        return await (await self._loops.here()).wait(ids, wanted, timeout)

    async def stop(self) -> None:
        """Ends the waits at the server."""
        await self._loops.close()


class _OneLoopNews(News):
    """The waits of one loop."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._name = secrets.token_hex(6)
        self._waiting: dict[str, set[_Wait]] = {}
        self._readers: dict[str, asyncio.Task[None]] = {}

    async def wait(self, ids: Sequence[str], wanted: Wanted[T], timeout: float) -> T | None:
        """Looks until there is something."""
        deadline = Deadline(self._engine, timeout)
        mine = _Wait()
        for id_ in ids:
            self._waiting.setdefault(id_, set()).add(mine)
        try:
            found, told = await wanted.look(self._name)
            while found is None and not deadline.over:
                for shard in told:
                    self._read(shard)
                found = wanted.hear(await mine.next(deadline.next()))
                if found is None:
                    found, told = await self._look_again(wanted, self._name, deadline)
            return found
        finally:
            self._forget(ids, mine)

    async def stop(self) -> None:
        """Ends the waits at the server."""
        readers, self._readers = self._readers, {}
        for reader in readers.values():
            reader.cancel()
        await asyncio.gather(*readers.values(), return_exceptions=True)

    def _forget(self, ids: Sequence[str], wait: _Wait) -> None:
        for id_ in ids:
            waits = self._waiting.get(id_)
            if waits is not None:
                waits.discard(wait)
                if not waits:
                    del self._waiting[id_]

    def _read(self, shard: str) -> None:
        reader = self._readers.get(shard)
        if reader is None or reader.done():
            self._readers[shard] = asyncio.get_running_loop().create_task(self._listen(shard))

    async def _listen(self, shard: str) -> None:
        """Pops what ends, as long as somebody waits; if it fails, all of them look again."""
        keys = {shard: [f"{shard}n:{self._name}"]}
        while self._waiting:
            try:
                found = await pop(self._engine, keys, LONGEST_BLOCK)
            except ServerError:
                for wait in chain.from_iterable(self._waiting.values()):
                    wait.wake()
                return
            for told in () if found is None else read_note(found):
                for wait in self._waiting.get(told[0], ()):
                    wait.tell(told)


class _Wait:
    """One of the waits of a loop."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._told: list[Told] = []

    def tell(self, told: Told) -> None:
        """Gives news."""
        self._told.append(told)
        self._event.set()

    def wake(self) -> None:
        """Has it look again."""
        self._event.set()

    async def next(self, timeout: float) -> list[Told]:
        """Waits for news, at most ``timeout`` seconds, and takes them."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._event.wait()
        self._event.clear()
        told, self._told = self._told, []
        return told
