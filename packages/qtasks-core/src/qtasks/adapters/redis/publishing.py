"""Publishing: what callers of one loop send at the same time travels together."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from qtasks.adapters.redis.loops import PerLoop
from qtasks.adapters.redis.messages import PLAIN, rows
from qtasks.adapters.redis.steps import cut
from qtasks.adapters.redis.times import micros
from qtasks.schemas import Receipt

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from qtasks.adapters.redis.engine import Engine
    from qtasks.schemas import Message

__all__ = ["Publisher"]

T = TypeVar("T")

#: Messages of one step; more are sent in several, so that the server answers others in between.
_STEP: Final = 1000


class _Call:
    """What one caller publishes.

    Attributes:
        messages: the messages.
        rows: what the script has to know of each.
        blobs: the encoded messages.
        done: gets the receipts; None for a caller who sends by himself.
    """

    def __init__(
        self, messages: Sequence[Message], rows: list[tuple[Any, ...]], blobs: list[bytes]
    ) -> None:
        self.messages = messages
        self.rows = rows
        self.blobs = blobs
        self.done: asyncio.Future[list[Receipt]] | None = None


class Publisher:
    """Publishes for one broker.

    In a loop one step is under way at a time. Whoever calls meanwhile waits, and goes with the
    next: a hundred coroutines that add one task each cost a few round trips, not a hundred.

    Args:
        engine: where.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._loops = PerLoop(lambda: _Outgoing(self._send), _Outgoing.stop)

    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        """Publishes as ``BaseBroker.publish`` does."""
        if not messages:
            return []
        call = _Call(messages, *rows(messages, micros(self._engine.retention.result_ttl)))
        if self._engine.blocking:
            return await self._send(call)
        return await (self._loops.find() or await self._loops.here()).publish(call)

    async def stop(self) -> None:
        """Sends what waits before the connections are closed."""
        if not self._engine.blocking:
            await self._loops.close()

    async def _send(self, call: _Call) -> list[Receipt]:
        """Sends messages: each step of a shard is atomic."""
        engine = self._engine
        if engine.sharded:
            # First, so that nothing is in a shard that nobody looks at.
            await engine.repeat("know", engine.main, *{message.queue for message in call.messages})
        receipts = [Receipt(message.id, created=True) for message in call.messages]
        for shard, places in self._steps(call):
            described, blobs = _picked(call.rows, places), _picked(call.blobs, places)
            answers = await self._publish(shard, described, blobs)
            for place, answer in zip(places, answers, strict=True):
                if answer != 1:
                    id_ = answer.decode() if answer else call.messages[place].id
                    receipts[place] = Receipt(id_, created=False)
        return receipts

    async def _publish(
        self, shard: str, described: list[tuple[Any, ...]], blobs: list[bytes]
    ) -> Sequence[Any]:
        """Publishes one step: by the short script if it is enough, as it mostly is."""
        if all(row[3:] == PLAIN for row in described):
            answers = await self._engine.repeat("add", shard, described, blobs=blobs)
            if answers is not None:
                return cast("Sequence[Any]", answers)
        beside, scheduled = False, False
        return cast(
            "Sequence[Any]",
            await self._engine.repeat("publish", shard, described, beside, scheduled, blobs=blobs),
        )

    def _steps(self, call: _Call) -> Iterator[tuple[str, Sequence[int]]]:
        """Yields the steps: a shard, and the places of messages in the call."""
        places: dict[str, Sequence[int]] = {self._engine.main: range(len(call.messages))}
        if self._engine.sharded:
            listed: dict[str, list[int]] = {}
            for place, message in enumerate(call.messages):
                listed.setdefault(self._engine.shard(message.queue), []).append(place)
            places = {**listed}
        for shard, mine in places.items():
            for step in cut(mine, _STEP, lambda place: len(call.blobs[place])):
                yield shard, step


class _Outgoing:
    """What is on its way from one loop.

    Args:
        send: sends one call.
    """

    def __init__(self, send: Callable[[_Call], Awaitable[list[Receipt]]]) -> None:
        self._send = send
        self._waiting: deque[_Call] = deque()
        self._busy = False
        self._sender: asyncio.Task[None] | None = None

    async def publish(self, call: _Call) -> list[Receipt]:
        """Sends a call, at once or with the next step."""
        if self._busy:
            call.done = asyncio.get_running_loop().create_future()
            self._waiting.append(call)
            return await call.done
        self._busy = True
        try:
            return await self._send(call)
        finally:
            self._go_on()

    async def stop(self) -> None:
        """Waits until all is sent."""
        while self._sender is not None and not self._sender.done():
            await asyncio.wait({self._sender})

    def _go_on(self) -> None:
        """Hands over to a task of its own if somebody waits: callers may be cancelled."""
        if self._waiting:
            self._sender = asyncio.get_running_loop().create_task(self._send_waiting())
        else:
            self._busy = False

    async def _send_waiting(self) -> None:
        try:
            while self._waiting:
                await self._send_together(self._next())
        finally:
            self._busy = False

    def _next(self) -> list[_Call]:
        """Takes the calls that go together, in their order."""
        calls: list[_Call] = []
        size = 0
        while self._waiting and (not calls or size + len(self._waiting[0].messages) <= _STEP):
            calls.append(self._waiting.popleft())
            size += len(calls[-1].messages)
        return calls

    async def _send_together(self, calls: list[_Call]) -> None:
        together = _Call(
            [message for call in calls for message in call.messages],
            [row for call in calls for row in call.rows],
            [blob for call in calls for blob in call.blobs],
        )
        try:
            receipts = iter(await self._send(together))
        except Exception as error:  # noqa: BLE001 - raised where each caller waits
            for call in calls:
                _answer(call, error)
            return
        for call in calls:
            _answer(call, [next(receipts) for _ in call.messages])


def _picked(items: list[T], places: Sequence[int]) -> list[T]:
    return items if len(places) == len(items) else [items[place] for place in places]


def _answer(call: _Call, answer: list[Receipt] | Exception) -> None:
    """Wakes a caller, unless he was cancelled."""
    if call.done is None or call.done.done():
        return
    if isinstance(answer, Exception):
        call.done.set_exception(answer)
    else:
        call.done.set_result(answer)
