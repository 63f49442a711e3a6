"""The storage on Redis or Valkey."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar, cast

import msgspec

from qtasks.adapters.redis import messages as packing
from qtasks.adapters.redis.claiming import Claimer
from qtasks.adapters.redis.diagnose import diagnose
from qtasks.adapters.redis.ends import Ends
from qtasks.adapters.redis.engine import Engine
from qtasks.adapters.redis.housekeeping import expire, sweep
from qtasks.adapters.redis.listing import list_records
from qtasks.adapters.redis.records import record_of
from qtasks.adapters.redis.settlements import FIRST_BLOB
from qtasks.adapters.redis.stats import stats_of
from qtasks.adapters.redis.streams import Streams
from qtasks.adapters.redis.times import micros
from qtasks.adapters.redis.waiting import LoopNews, News, ThreadNews
from qtasks.contracts.storage import BaseStorage
from qtasks.schemas import Begun, CancelAnswer, Extension, Finding, Held, Receipt, Record

if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Self

    from qtasks.schemas import (
        Chunk,
        Delivery,
        Message,
        Page,
        Progressed,
        QueueStats,
        RecordQuery,
        Retention,
        Settlement,
        Streamed,
        Swept,
    )
    from qtasks.typing import Clock

__all__ = ["RedisStorage"]

T = TypeVar("T")

#: Tasks of one step where a call may name any number of them.
_STEP: Final = 500
#: How many bytes before a value of state say when its key was first set.
_PLACE: Final = 16


class RedisStorage(BaseStorage):
    """Keeps records, dead letters, state and counters on Redis 6.2 or newer, or Valkey.

    It belongs to a :class:`RedisBroker`, or stands alone beside a broker elsewhere.

    Args:
        url: as for :class:`RedisBroker`.
        clock: for tests: tells the time instead of the server.

    Raises:
        ConfigError: the URL cannot be used.
    """

    def __init__(self, url: str, *, clock: Clock | None = None) -> None:
        self._join(Engine(url, clock))
        super().__init__(url)

    @classmethod
    def over(cls, engine: Engine) -> Self:
        """Returns a storage that shares an engine with others."""
        storage = cls.__new__(cls)
        storage._join(engine)  # noqa: SLF001 - it is one of us
        storage.url = engine.url
        return storage

    def _join(self, engine: Engine) -> None:
        self._engine = engine
        self._claimer = Claimer(engine)
        self._news: News = ThreadNews(engine) if engine.blocking else LoopNews(engine)
        self._streams = Streams(engine, self._news)

    @property
    def retention(self) -> Retention:
        """How long it keeps what it ends by itself; the broker of the same server shares it."""
        return self._engine.retention

    @retention.setter
    def retention(self, retention: Retention) -> None:
        self._engine.retention = retention

    # Life

    async def start(self) -> None:
        """Connects, see :meth:`RedisBroker.start`."""
        await self._engine.start("storage")

    async def stop(self) -> None:
        """Disconnects, unless the broker was started too."""
        await self._news.stop()
        await self._engine.stop("storage")

    def client(self) -> Self:
        """Returns a blocking twin with connections of its own."""
        return self.over(self._engine.twin())

    async def diagnose(self) -> builtins.list[Finding]:
        """Says how fit the server is."""
        return await diagnose(self._engine)

    # Records

    async def get(self, ids: Sequence[str]) -> builtins.list[Record | None]:
        """Returns one record for each id, in order; None where there is none."""
        found: dict[str, Record] = {}
        for shard in await self._engine.shards():
            for step in _steps(ids):
                _, _, *answer = await self._engine.repeat("records", shard, step, False)  # noqa: FBT003 - the arguments of a script have no names
                for id_, fields in zip(answer[::2], answer[1::2], strict=True):
                    task_id = id_.decode()
                    found[task_id] = record_of(task_id, fields)
        return [found.get(id_) for id_ in ids]

    async def list(self, query: RecordQuery) -> Page:
        """Returns one page of records, newest first: dead letters by their end.

        Raises:
            ServerError: the cursor did not come from an earlier page.
        """
        return await list_records(self._engine, query)

    async def wait(self, ids: Sequence[str], timeout: float) -> dict[str, Record | None]:
        """Waits until at least one of the tasks ended, at most ``timeout`` seconds."""
        if not ids:
            return {}
        return await self._news.wait(ids, Ends(self._engine, ids), timeout) or {}

    async def cancel(self, ids: Sequence[str], reason: str) -> dict[str, CancelAnswer]:
        """Cancels waiting tasks, and leaves a request with running ones; the first reason stays."""
        answers: dict[str, CancelAnswer] = dict.fromkeys(ids, "unknown")
        for shard in await self._engine.shards():
            for step in _steps([id_ for id_, answer in answers.items() if answer == "unknown"]):
                given = await self._engine.run("cancel", shard, step, reason, self._engine.limits())
                answers |= {
                    id_: cast("CancelAnswer", answer.decode())
                    for id_, answer in zip(step, given, strict=True)
                }
        return answers

    async def progress(self, entries: Sequence[Progressed]) -> None:
        """Keeps what running tasks say of their progress."""
        shards: dict[str, builtins.list[Progressed]] = {}
        for entry in entries:
            shards.setdefault(self._engine.shard(entry.queue), []).append(entry)
        for shard, all_of_it in shards.items():
            for step in _steps(all_of_it):
                rows = [
                    value
                    for number, entry in enumerate(step, FIRST_BLOB)
                    for value in (entry.id, str(entry.token), number)
                ]
                blobs = [entry.data for entry in step]
                await self._engine.run("progress", shard, *rows, blobs=blobs)

    # What generator tasks give while they run

    async def append_stream(self, chunks: Sequence[Chunk]) -> None:
        """Keeps values of running tasks."""
        await self._streams.append(chunks)

    async def read_stream(
        self, task_id: str, token: int, after: int, timeout: float, limit: int = 1000
    ) -> Streamed:
        """Waits for values that a reader has not seen, at most ``timeout`` seconds."""
        return await self._streams.read(task_id, (token, after), timeout, limit)

    # Beside a broker elsewhere

    async def put(
        self, messages: Sequence[Message], *, scheduled: bool = False
    ) -> builtins.list[Receipt]:
        """Writes records of tasks whose queue is elsewhere."""
        receipts = []
        for step in _steps(messages):
            rows, blobs = packing.rows(step, self._engine.limits()["result_ttl"])
            answers = await self._engine.repeat(
                "publish",
                self._engine.main,
                rows,
                True,  # noqa: FBT003 - see get
                scheduled,
                blobs=blobs,
            )
            for message, answer in zip(step, answers, strict=True):
                id_ = answer.decode() if isinstance(answer, bytes) else message.id
                receipts.append(Receipt(id_, created=answer == 1))
        return receipts

    async def begin(self, deliveries: Sequence[Delivery], worker: str, lease: float) -> Begun:
        """Takes leases on deliveries that came from elsewhere."""
        begun = Begun()
        claim = {"worker": worker, "lease": micros(lease), "nonce": "", **self._engine.limits()}
        receipts = {delivery.id: delivery.receipt for delivery in deliveries}
        for step in _steps(deliveries):
            rows, blobs = packing.rows([delivery.message for delivery in step], None)
            out, skip, busy, now = await self._engine.run(
                "begin", self._engine.main, rows, claim, blobs=blobs
            )
            ours = [
                msgspec.structs.replace(delivery, receipt=receipts[delivery.id])
                for delivery in packing.deliveries(out, now)
            ]
            begun = Begun(
                (*begun.deliveries, *ours),
                (*begun.skip, *packing.ids(skip)),
                (*begun.busy, *packing.ids(busy)),
            )
        return begun

    async def finish(self, settlements: Sequence[Settlement]) -> builtins.list[str]:
        """Writes outcomes; returns the ids it refused."""
        here = [msgspec.structs.replace(settlement, receipt=None) for settlement in settlements]
        return [*(await self._claimer.exchange(here, None)).refused]

    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        """Renews leases for ``lease`` seconds from now."""
        shards: dict[str, builtins.list[Held]] = {}
        for one in held:
            shards.setdefault(self._engine.shard(one.queue), []).append(one)
        lost: builtins.list[str] = []
        cancelled: dict[str, str] = {}
        for shard, all_of_it in shards.items():
            for step in _steps(all_of_it):
                pairs = [value for one in step for value in (one.id, one.token)]
                gone, asked = await self._engine.run("extend", shard, micros(lease), pairs)
                lost += packing.ids(gone)
                words = packing.ids(asked)
                cancelled |= dict(zip(words[::2], words[1::2], strict=True))
        return Extension(tuple(lost), cancelled)

    async def sweep(self, limit: int = 100) -> Swept:
        """Does one round of housekeeping."""
        return await sweep(self._engine, limit)

    async def expire(self, worker: str) -> int:
        """Takes back what a worker holds."""
        return await expire(self._engine, worker)

    async def stats(self, queue: str) -> QueueStats:
        """Counts the tasks of a queue, without what waits at a broker elsewhere."""
        answer = await self._engine.repeat("stats", self._engine.shard(queue), queue)
        return stats_of(queue, answer)

    async def due(self, limit: int, lease: float) -> builtins.list[Message]:
        """Takes scheduled tasks that are due, for ``lease`` seconds."""
        answer = await self._engine.run("due", self._engine.main, limit, micros(lease))
        return [
            msgspec.structs.replace(message, delay=0.0, eta=None)
            for message in packing.messages(answer)
        ]

    async def dispatched(self, ids: Sequence[str]) -> None:
        """Notes that due tasks were published."""
        for step in _steps(ids):
            await self._engine.run("dispatched", self._engine.main, *step)

    # Dead letters

    async def requeue(
        self,
        ids: Sequence[str],
        *,
        reset_attempts: bool = True,
        spread: float = 0.0,
        delay: float = 0.0,
    ) -> builtins.list[str]:
        """Sends dead letters back to their queue, over ``spread`` seconds from ``delay`` on."""
        moved: builtins.list[str] = []
        each = micros(spread) / max(len(ids), 1)
        for shard in await self._engine.shards():
            begin = 0
            for step in _steps(ids):
                share = (int(each * len(step)), micros(delay) + int(each * begin))
                answer = await self._engine.run("requeue", shard, step, reset_attempts, *share)
                moved += packing.ids(answer)
                begin += len(step)
        return moved

    async def discard(self, ids: Sequence[str]) -> builtins.list[str]:
        """Removes dead letters with their records."""
        gone: builtins.list[str] = []
        for shard in await self._engine.shards():
            for step in _steps(ids):
                gone += packing.ids(await self._engine.run("discard", shard, *step))
        return gone

    # State, configuration, counters

    async def state_get(self, bucket: str) -> dict[str, bytes]:
        """Returns all keys of a bucket in the order they were first set."""
        return await self.state_update(bucket, {})

    async def state_update(
        self, bucket: str, changes: Mapping[str, bytes | None], ttl: float | None = None
    ) -> dict[str, bytes]:
        """Sets keys in one step and returns the whole bucket."""
        pairs: builtins.list[str | int] = []
        blobs: builtins.list[bytes] = []
        for key, value in changes.items():
            if value is not None:
                blobs.append(value)
            pairs += (key, 0 if value is None else len(blobs) + 2)
        lifetime = False if ttl is None else micros(ttl)
        answer = await self._engine.run(
            "state", self._engine.main, bucket, lifetime, pairs, blobs=blobs
        )
        found = {
            field[1:].decode(): value
            for field, value in zip(answer[::2], answer[1::2], strict=True)
            if field.startswith(b"k")
        }
        ordered = sorted(found.items(), key=lambda item: item[1][:_PLACE])
        return {key: value[_PLACE:] for key, value in ordered}

    async def state_clear(self, bucket: str) -> None:
        """Removes a bucket."""
        await self._engine.run("clear", self._engine.main, bucket)

    async def counter_add(self, key: str, amount: int, ttl: float | None = None) -> int:
        """Adds to a counter and returns its new value."""
        lifetime = False if ttl is None else micros(ttl)
        return int(await self._engine.run("counter", self._engine.main, key, str(amount), lifetime))

    async def flush(self) -> None:
        """Removes everything under the prefix of the URL."""
        shards = await self._engine.shards()
        for shard in dict.fromkeys([*shards, self._engine.main]):
            while await self._engine.run("flush", shard, _STEP):
                pass


def _steps(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cuts what a call names into what one script may take."""
    for start in range(0, len(items), _STEP):
        yield items[start : start + _STEP]
