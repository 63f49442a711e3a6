"""Storages that wait wrongly or mix up state, and the tests that catch them."""

from __future__ import annotations

import asyncio
import builtins
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from qtasks.adapters.memory import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qtasks.schemas import Record

change = msgspec.structs.replace
Records = builtins.list["Record | None"]
Ended = dict[str, "Record | None"]

# Waiting


class NobodyIsWoken(MemoryStorage):
    async def start(self) -> None:
        self._server.store.on_end = lambda _: None


class ForgetsToWakeOnRemoval(MemoryStorage):
    async def start(self) -> None:
        server = self._server
        ring = server.end_bells.ring
        server.store.on_end = lambda id_: ring(id_) if id_ in server.store.rows else None


class DoesNotLookFirst(MemoryStorage):
    async def wait(self, ids: Sequence[str], timeout: float) -> Ended:
        while not self._server.end_bells._waiters:
            self._server.end_bells._waiters["x"] = []
            await asyncio.sleep(1e6)
        return await super().wait(ids, timeout)


class WaitsForTheMissing(MemoryStorage):
    async def wait(self, ids: Sequence[str], timeout: float) -> Ended:
        found = await super().wait(ids, timeout)
        if None in found.values():
            await asyncio.sleep(1e6)
        return found


class WaitsForEver(MemoryStorage):
    async def wait(self, ids: Sequence[str], timeout: float) -> Ended:
        return await super().wait(ids, 1e9)


class AnswersForAll(MemoryStorage):
    async def wait(self, ids: Sequence[str], timeout: float) -> Ended:
        await super().wait(ids, timeout)
        return dict(zip(ids, await self.get(ids), strict=True))


class AnyChangeWakes(MemoryStorage):
    async def wait(self, ids: Sequence[str], timeout: float) -> Ended:
        before = await self.get(ids)
        while (
            await self.get(ids) == before
            and timeout
            and not any(record is None or record.finished_at for record in before)
        ):
            await asyncio.sleep(0)
        return dict(zip(ids, await self.get(ids), strict=True))


class WakesOne(MemoryStorage):
    async def start(self) -> None:
        waiters = self._server.end_bells._waiters

        def ring(id_: str) -> None:
            for waiter in waiters.get(id_, ())[:1]:
                waiter.ring()

        self._server.store.on_end = ring


class SwallowsCancellation(MemoryStorage):
    async def wait(self, ids: Sequence[str], timeout: float) -> Ended:
        try:
            return await super().wait(ids, timeout)
        except asyncio.CancelledError:
            return {}


class MixesUp(MemoryStorage):
    async def wait(self, ids: Sequence[str], timeout: float) -> Ended:
        found = await super().wait(ids, timeout)
        first = next(iter(self._server.store.rows.values()), None)
        wrong: Record | None = None if first is None else first.record()
        return dict.fromkeys(found, wrong)


class ChokesOnNothing(MemoryStorage):
    async def wait(self, ids: Sequence[str], timeout: float) -> Ended:
        assert ids
        return await super().wait(ids, timeout)


class SleepyTwins(MemoryStorage):
    async def wait(self, ids: Sequence[str], timeout: float) -> Ended:
        return {} if self._blocking else await super().wait(ids, timeout)


class SuspendingTwins(MemoryStorage):
    async def wait(self, ids: Sequence[str], timeout: float) -> Ended:
        await asyncio.sleep(0)
        return await super().wait(ids, timeout)

    async def counter_add(self, key: str, amount: int, ttl: float | None = None) -> int:
        await asyncio.sleep(0)
        return await super().counter_add(key, amount, ttl)


# State


class SortsKeys(MemoryStorage):
    async def state_get(self, bucket: str) -> dict[str, bytes]:
        return dict(sorted((await super().state_get(bucket)).items()))


class AnswersWithTheChanges(MemoryStorage):
    async def state_update(
        self, bucket: str, changes: Mapping[str, bytes | None], ttl: float | None = None
    ) -> dict[str, bytes]:
        await super().state_update(bucket, changes, ttl)
        return {key: value for key, value in changes.items() if value is not None}


class DeletedKeysKeepTheirPlace(MemoryStorage):
    async def state_update(
        self, bucket: str, changes: Mapping[str, bytes | None], ttl: float | None = None
    ) -> dict[str, bytes]:
        content = await super().state_update(bucket, changes, ttl)
        return dict(sorted(content.items()))


class JoinsNames(MemoryStorage):
    async def state_update(
        self, bucket: str, changes: Mapping[str, bytes | None], ttl: float | None = None
    ) -> dict[str, bytes]:
        return await super().state_update(bucket.strip(":").lower(), changes, ttl)

    async def state_get(self, bucket: str) -> dict[str, bytes]:
        return await super().state_get(bucket.strip(":").lower())


class BucketsStay(MemoryStorage):
    async def state_update(
        self, bucket: str, changes: Mapping[str, bytes | None], ttl: float | None = None
    ) -> dict[str, bytes]:
        return await super().state_update(bucket, changes)


class SharesBuckets(MemoryStorage):
    async def state_get(self, bucket: str) -> dict[str, bytes]:
        return self._server.buckets._buckets.setdefault(bucket, {})


class CountersStay(MemoryStorage):
    async def counter_add(self, key: str, amount: int, ttl: float | None = None) -> int:
        return await super().counter_add(key, amount)


class CountersOnlyGrow(MemoryStorage):
    async def counter_add(self, key: str, amount: int, ttl: float | None = None) -> int:
        return await super().counter_add(key, max(0, amount), ttl)


class ReadsThenWrites(MemoryStorage):
    async def counter_add(self, key: str, amount: int, ttl: float | None = None) -> int:
        value = await super().counter_add(key, 0)
        await asyncio.sleep(0)
        now = await super().counter_add(key, 0)
        return await super().counter_add(key, value + amount - now, ttl)

    async def state_update(
        self, bucket: str, changes: Mapping[str, bytes | None], ttl: float | None = None
    ) -> dict[str, bytes]:
        content: dict[str, bytes | None] = {**await super().state_get(bucket)}
        await asyncio.sleep(0)
        await super().state_clear(bucket)
        return await super().state_update(bucket, {**content, **changes}, ttl)


class FlushesTasksAlone(MemoryStorage):
    async def flush(self) -> None:
        self._server.store.flush()


CATCHES: dict[Callable[..., Any], str] = {
    NobodyIsWoken: "a_flush_wakes waiting_may_be_cancelled",
    ForgetsToWakeOnRemoval: "a_flush_wakes a_record_that_is_removed_is_none",
    DoesNotLookFirst: "a_finished_task_is_not_waited_for a_missing_record_is_none",
    WaitsForTheMissing: "a_flush_wakes a_missing_record_is_none",
    WaitsForEver: "a_blocked_thread_gives_up the_time_runs_out",
    AnswersForAll: "a_blocked_thread_gives_up some_of_many",
    AnyChangeWakes: "only_an_end_wakes waiting_for_nothing",
    WakesOne: "many_wait_for_one",
    SwallowsCancellation: "waiting_may_be_cancelled",
    MixesUp: "ends_by_the_server_wake_too one_waits_for_many the_end_wakes",
    ChokesOnNothing: "waiting_for_nothing",
    SleepyTwins: "a_blocked_thread_is_woken",
    SuspendingTwins: "a_blocked_thread_gives_up threads_lose_nothing",
    SortsKeys: "a_bucket_keeps_its_order",
    AnswersWithTheChanges: (
        "a_deleted_key_that_comes_back_is_last an_update_answers_with_the_bucket"
    ),
    DeletedKeysKeepTheirPlace: "a_deleted_key_that_comes_back_is_last",
    JoinsNames: "buckets_are_apart",
    BucketsStay: "a_bucket_disappears_as_a_whole",
    SharesBuckets: "a_bucket_disappears_as_a_whole a_bucket_is_a_copy",
    CountersStay: "a_counter_disappears_after_its_first_use",
    CountersOnlyGrow: "counters_add_up",
    ReadsThenWrites: "counters_lose_nothing updates_lose_nothing",
    FlushesTasksAlone: "a_flush_clears_everything",
}


@pytest.mark.parametrize("broken", CATCHES, ids=lambda broken: broken.__name__)
def test_the_suite_catches(broken: Any, fails: Callable[..., Any]) -> None:
    for name in CATCHES[broken].split():
        assert fails(broken, f"test_{name}"), name
