"""Waiting at the server: for work, and for the ends of tasks.

Work is announced by markers in a list for each queue; whoever pops one looks for work. The ends of
tasks are announced by name: who waits leaves a name with the task, and pops the list of that name.
A message to subscribers would be lost on who is just connecting; what lies in a list is not.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from contextlib import contextmanager, suppress
from itertools import chain
from math import inf
from typing import TYPE_CHECKING, Final

import msgspec

from qtasks.adapters.redis.links import LONGEST_BLOCK
from qtasks.adapters.redis.loops import PerLoop
from qtasks.adapters.redis.records import record_of
from qtasks.contracts.clock import SystemClock
from qtasks.exc import ServerError, ServerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qtasks.adapters.redis.engine import Engine
    from qtasks.schemas import Record

__all__ = ["Deadline", "Ends", "LoopEnds", "ThreadEnds", "pop"]

_decode_ids: Final = msgspec.msgpack.Decoder(list[str]).decode

#: Seconds of one wait while a test moves the time: it may jump at any moment.
_GLANCE: Final = 0.02
#: The shortest wait: the server takes 0 for eternity.
_SHORTEST: Final = 0.001
#: Seconds between two looks at a server that is away.
_PAUSE: Final = 0.2
#: Seconds at one of several shards, for a thread, which can be at one only.
_TURN: Final = 0.05


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
        done, _ = await asyncio.wait(pops, return_when=asyncio.FIRST_COMPLETED)
        return next((found for task in done if (found := task.result()) is not None), None)
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


class Ends(ABC):
    """Waits for the ends of tasks.

    Args:
        engine: where the tasks are.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @abstractmethod
    async def wait(self, ids: Sequence[str], timeout: float) -> dict[str, Record | None]:
        """Waits as ``BaseStorage.wait`` does."""

    async def stop(self) -> None:  # noqa: B027 - where nothing is shared there is nothing to end
        """Ends all waits."""

    async def look(
        self, ids: Sequence[str], name: str
    ) -> tuple[dict[str, Record | None], list[str]]:
        """Returns what has ended, and the shards in which the others will tell ``name``."""
        ended: dict[str, Record | None] = {}
        told: list[str] = []
        gone: dict[str, int] = dict.fromkeys(ids, 0)
        shards = await self._engine.shards()
        for shard in shards:
            left = [id_ for id_ in ids if id_ not in ended]
            count, *answer = await self._engine.run("records", shard, left, name)
            if count:
                told.append(shard)
            for id_, fields in zip(answer[::2], answer[1::2], strict=True):
                task_id = id_.decode()
                if fields is None:
                    gone[task_id] += 1
                else:
                    ended[task_id] = record_of(task_id, fields)
        ended |= {id_: None for id_, times in gone.items() if times == len(shards)}
        return ended, told

    async def _look_again(
        self, ids: Sequence[str], name: str, deadline: Deadline
    ) -> tuple[dict[str, Record | None], list[str]]:
        """Looks once more; a server that went away meanwhile may come back before time is over."""
        while True:
            try:
                return await self.look(ids, name)
            except ServerUnavailableError:
                if deadline.over:
                    raise
            if self._engine.blocking:
                time.sleep(_PAUSE)  # noqa: ASYNC251 - coroutines of a blocking engine block
            else:
                await asyncio.sleep(_PAUSE)


class ThreadEnds(Ends):
    """For plain threads: each waits at the server by itself, under a name of its own."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._names: deque[str] = deque()
        self._lock = threading.Lock()

    async def wait(self, ids: Sequence[str], timeout: float) -> dict[str, Record | None]:
        """Waits as ``BaseStorage.wait`` does."""
        deadline = Deadline(self._engine, timeout)
        with self._name() as name:
            ended, told = await self.look(ids, name)
            while not (ended or deadline.over):
                keys = {shard: [f"{shard}n:{name}"] for shard in told}
                with suppress(ServerUnavailableError):
                    await pop(self._engine, keys, deadline.next())
                ended, told = await self._look_again(ids, name, deadline)
            return ended

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


class LoopEnds(Ends):
    """For coroutines: one wait at each shard stands for all of a loop that wait."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._loops = PerLoop(lambda: _OneLoopEnds(engine), _OneLoopEnds.stop)

    async def wait(self, ids: Sequence[str], timeout: float) -> dict[str, Record | None]:
        """Waits as ``BaseStorage.wait`` does."""
        return await (await self._loops.here()).wait(ids, timeout)

    async def stop(self) -> None:
        """Ends the waits at the server."""
        await self._loops.close()


class _OneLoopEnds(Ends):
    """The waits of one loop."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._name = secrets.token_hex(6)
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._readers: dict[str, asyncio.Task[None]] = {}

    async def wait(self, ids: Sequence[str], timeout: float) -> dict[str, Record | None]:
        """Waits as ``BaseStorage.wait`` does."""
        deadline = Deadline(self._engine, timeout)
        event = asyncio.Event()
        for id_ in ids:
            self._waiting.setdefault(id_, set()).add(event)
        try:
            ended, told = await self.look(ids, self._name)
            while not (ended or deadline.over):
                for shard in told:
                    self._read(shard)
                await _patiently(event, deadline.next())
                event.clear()
                ended, told = await self._look_again(ids, self._name, deadline)
            return ended
        finally:
            self._forget(ids, event)

    async def stop(self) -> None:
        """Ends the waits at the server."""
        readers, self._readers = self._readers, {}
        for reader in readers.values():
            reader.cancel()
        await asyncio.gather(*readers.values(), return_exceptions=True)

    def _forget(self, ids: Sequence[str], event: asyncio.Event) -> None:
        for id_ in ids:
            events = self._waiting.get(id_)
            if events is not None:
                events.discard(event)
                if not events:
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
                for event in chain.from_iterable(self._waiting.values()):
                    event.set()
                return
            for id_ in () if found is None else _decode_ids(found):
                for event in self._waiting.get(id_, ()):
                    event.set()


async def _patiently(event: asyncio.Event, timeout: float) -> None:
    try:
        async with asyncio.timeout(timeout):
            await event.wait()
    except TimeoutError:
        return
