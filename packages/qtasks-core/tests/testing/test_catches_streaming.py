"""Storages that keep or give values wrongly, and the tests that catch them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from qtasks.adapters.memory import MemoryStorage
from qtasks.adapters.memory.waiting import Bells
from qtasks.schemas import Retry, Streamed

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Sequence

    from qtasks.adapters.memory.streams import Streams
    from qtasks.schemas import CancelAnswer, Chunk, Settlement

change = msgspec.structs.replace


class Broken(MemoryStorage):
    """A storage whose calls are easier to break."""

    @property
    def streams(self) -> Streams:
        return self._server.streams

    def keep(self, chunk: Chunk) -> None:
        """Keeps values, whoever gave them."""
        self.streams.append(chunk, self._clock.time())

    def forget(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            self.streams._drop(id_)

    async def read_stream(
        self, task_id: str, token: int, after: int, timeout: float, limit: int = 1000
    ) -> Streamed:
        return self.given(await super().read_stream(task_id, token, after, timeout, limit))

    def given(self, found: Streamed) -> Streamed:
        """Spoils an answer."""
        return found


# Keeping


class KeepsTheFirst(Broken):
    async def append_stream(self, chunks: Sequence[Chunk]) -> None:
        await super().append_stream(chunks[:1])


class ChokesOnNothing(Broken):
    async def append_stream(self, chunks: Sequence[Chunk]) -> None:
        assert chunks
        await super().append_stream(chunks)


class DropsEmptyValues(Broken):
    async def append_stream(self, chunks: Sequence[Chunk]) -> None:
        full = [change(one, values=tuple(filter(None, one.values))) for one in chunks]
        await super().append_stream(full)


class KeepsText(Broken):
    async def append_stream(self, chunks: Sequence[Chunk]) -> None:
        for one in chunks:
            texts = tuple(value.decode(errors="ignore").encode() for value in one.values)
            await super().append_stream([change(one, values=texts)])


class AppendsAgain(Broken):
    async def append_stream(self, chunks: Sequence[Chunk]) -> None:
        for one in chunks:
            await super().append_stream([change(one, first=self.following(one))])

    def following(self, chunk: Chunk) -> int:
        stream = self.streams._streams.get(chunk.id)
        return chunk.first if stream is None or stream.token < chunk.token else stream.next


class SkipsWhatItKnowsInPart(AppendsAgain):
    async def append_stream(self, chunks: Sequence[Chunk]) -> None:
        new = [one for one in chunks if one.first >= self.following(one)]
        await MemoryStorage.append_stream(self, new)


class ClosesGaps(AppendsAgain):
    async def append_stream(self, chunks: Sequence[Chunk]) -> None:
        for one in chunks:
            closed = change(one, first=min(one.first, self.following(one)))
            await MemoryStorage.append_stream(self, [closed])


class TakesAnyToken(Broken):
    async def append_stream(self, chunks: Sequence[Chunk]) -> None:
        for one in chunks:
            self.keep(one)


class TakesWhatComesTooLate(Broken):
    async def append_stream(self, chunks: Sequence[Chunk]) -> None:
        for one in chunks:
            row = self._server.store.rows.get(one.id)
            if row is not None and row.token == one.token:
                self.keep(one)


class DropsAllForOne(Broken):
    async def append_stream(self, chunks: Sequence[Chunk]) -> None:
        if all(self._server.store.runs(one.id, one.token) for one in chunks):
            await super().append_stream(chunks)


class ContinuesTheEarlierRun(Broken):
    async def append_stream(self, chunks: Sequence[Chunk]) -> None:
        for one in chunks:
            stream = self.streams._streams.get(one.id)
            if stream is not None and stream.token < one.token:
                stream.token = one.token
                one = change(one, first=stream.next)  # noqa: PLW2901 - it is another one
            await super().append_stream([one])


class TakesNoRunsWithoutValues(Broken):
    async def append_stream(self, chunks: Sequence[Chunk]) -> None:
        await super().append_stream([one for one in chunks if one.values])


class ForgetsAtTheRetry(Broken):
    async def finish(self, settlements: Sequence[Settlement]) -> builtins.list[str]:
        self.forget([one.id for one in settlements if isinstance(one.outcome, Retry)])
        return await super().finish(settlements)


class ForgetsAtTheEnd(Broken):
    async def finish(self, settlements: Sequence[Settlement]) -> builtins.list[str]:
        self.forget([one.id for one in settlements if not isinstance(one.outcome, Retry)])
        return await super().finish(settlements)


class ForgetsWithTheRecord(Broken):
    async def finish(self, settlements: Sequence[Settlement]) -> builtins.list[str]:
        refused = await super().finish(settlements)
        rows = self._server.store.rows
        self.forget([one.id for one in settlements if one.id not in rows])
        return refused


class KeepsForEver(Broken):
    async def append_stream(self, chunks: Sequence[Chunk]) -> None:
        await super().append_stream([change(one, ttl=1e9) for one in chunks])


class KeepsThroughFlush(Broken):
    async def flush(self) -> None:
        streams = self.streams
        await super().flush()
        self._server.streams = streams


# Reading


class ReadsFromTheBeginning(Broken):
    async def read_stream(self, *query: Any, **options: Any) -> Streamed:
        id_, token, _, *rest = query
        return await super().read_stream(id_, token, 0, *rest, **options)


class KnowsNoLimit(Broken):
    async def read_stream(self, *query: Any, **_: Any) -> Streamed:
        return await super().read_stream(*query[:4])


class ReadsTheNewest(Broken):
    async def read_stream(self, *query: Any, **options: Any) -> Streamed:
        newest = next(reversed(self.streams._streams), query[0])
        return await super().read_stream(newest, *query[1:], **options)


class CountsFromOne(Broken):
    def given(self, found: Streamed) -> Streamed:
        return change(found, first=found.first + 1)


class HidesGaps(Broken):
    async def read_stream(self, *query: Any, **options: Any) -> Streamed:
        found = await super().read_stream(*query, **options)
        return change(found, first=min(found.first, query[2]))


class GoesByNumbersAlone(Broken):
    async def read_stream(self, *query: Any, **options: Any) -> Streamed:
        id_, token, *rest = query
        stream = self.streams._streams.get(id_)
        newest = token if stream is None else stream.token
        return await super().read_stream(id_, newest, *rest, **options)


class WaitsForTheUnknown(Broken):
    async def read_stream(self, *query: Any, **options: Any) -> Streamed:
        found = await super().read_stream(*query, **options)
        return change(found, ended=found.ended and query[0] in self._server.store.rows)


class TellsNoEndWithValues(Broken):
    def given(self, found: Streamed) -> Streamed:
        return change(found, ended=found.ended and not found.values)


# Waking


class WakesNobody(Broken):
    async def append_stream(self, chunks: Sequence[Chunk]) -> None:
        self._server.stream_bells, bells = Bells(), self._server.stream_bells
        await super().append_stream(chunks)
        self._server.stream_bells = bells


class WakesOne(Broken):
    async def append_stream(self, chunks: Sequence[Chunk]) -> None:
        self._server.stream_bells, bells = Bells(), self._server.stream_bells
        await super().append_stream(chunks)
        self._server.stream_bells = bells
        for one in chunks:
            for waiter in bells._waiters.get(one.id, ())[:1]:
                waiter.ring()


class ReturnsAtAnyNews(Broken):
    async def read_stream(self, *query: Any, **options: Any) -> Streamed:
        before = len(self.streams._streams)
        id_, token, after, timeout, *rest = query
        while len(self.streams._streams) == before and timeout:
            await asyncio.sleep(0)
        return await super().read_stream(id_, token, after, 0, *rest, **options)


class EndsInSilence(Broken):
    async def start(self) -> None:
        self._server.store.on_end = self._server.end_bells.ring


class CancelsInSilence(Broken):
    async def cancel(self, ids: Sequence[str], reason: str) -> dict[str, CancelAnswer]:
        store = self._server.store
        tell, store.on_end = store.on_end, self._server.end_bells.ring
        answers = await super().cancel(ids, reason)
        store.on_end = tell
        return answers


class WaitsForEver(Broken):
    async def read_stream(self, *query: Any, **options: Any) -> Streamed:
        id_, token, after, timeout, *rest = query
        longer = 1e9 if timeout else 0
        return await super().read_stream(id_, token, after, longer, *rest, **options)


class TakesSilenceForTheEnd(Broken):
    def given(self, found: Streamed) -> Streamed:
        return change(found, ended=not found.values)


class SleepyTwins(Broken):
    async def read_stream(self, *query: Any, **options: Any) -> Streamed:
        return Streamed() if self._blocking else await super().read_stream(*query, **options)


class MuteTwins(Broken):
    async def append_stream(self, chunks: Sequence[Chunk]) -> None:
        await super().append_stream([] if self._blocking else chunks)


class SuspendingTwins(Broken):
    async def append_stream(self, chunks: Sequence[Chunk]) -> None:
        await asyncio.sleep(0)
        await super().append_stream(chunks)


CATCHES: dict[Callable[..., Any], str] = {
    KeepsTheFirst: "values_are_read_in_order_from_anywhere a_stale_run_gives_nothing",
    ChokesOnNothing: "values_are_read_in_order_from_anywhere",
    DropsEmptyValues: "values_are_read_in_order_from_anywhere",
    KeepsText: "values_are_read_in_order_from_anywhere",
    ReadsFromTheBeginning: "values_are_read_in_order_from_anywhere",
    KnowsNoLimit: "values_are_read_in_order_from_anywhere",
    ReadsTheNewest: "values_are_read_in_order_from_anywhere",
    CountsFromOne: "values_are_read_in_order_from_anywhere",
    AppendsAgain: "a_repeated_call_appends_nothing a_gap_is_seen",
    SkipsWhatItKnowsInPart: "a_repeated_call_appends_nothing",
    ClosesGaps: "a_gap_is_seen",
    HidesGaps: "a_gap_is_seen",
    TakesAnyToken: "a_stale_run_gives_nothing",
    TakesWhatComesTooLate: "a_stale_run_gives_nothing",
    DropsAllForOne: "a_stale_run_gives_nothing",
    WaitsForTheUnknown: "a_stale_run_gives_nothing values_outlive_the_run_and_the_record",
    TellsNoEndWithValues: "a_stale_run_gives_nothing values_outlive_the_run_and_the_record",
    ContinuesTheEarlierRun: "a_newer_run_begins_anew",
    ForgetsAtTheRetry: "a_newer_run_begins_anew",
    GoesByNumbersAlone: "a_newer_run_begins_anew",
    TakesNoRunsWithoutValues: "a_newer_run_may_give_nothing",
    WakesNobody: "a_reader_is_woken a_blocked_reader_is_woken",
    WakesOne: "a_reader_is_woken",
    ReturnsAtAnyNews: "a_reader_is_woken",
    EndsInSilence: "a_reader_learns_of_the_end",
    CancelsInSilence: "a_reader_learns_of_the_end",
    WaitsForEver: "reading_gives_up",
    TakesSilenceForTheEnd: "reading_gives_up",
    ForgetsAtTheEnd: "a_stale_run_gives_nothing values_outlive_the_run_and_the_record",
    ForgetsWithTheRecord: "values_outlive_the_run_and_the_record",
    KeepsForEver: "values_outlive_the_run_and_the_record",
    SleepyTwins: "a_blocked_reader_is_woken",
    MuteTwins: "a_blocked_reader_is_woken",
    SuspendingTwins: "a_blocked_reader_is_woken",
    KeepsThroughFlush: "flush_removes_values",
}


@pytest.mark.parametrize("broken", CATCHES, ids=lambda broken: broken.__name__)
def test_the_suite_catches(broken: Any, fails: Callable[..., Any]) -> None:
    for name in CATCHES[broken].split():
        assert fails(broken, f"test_{name}"), name


@pytest.mark.parametrize("name", sorted(set(" ".join(CATCHES.values()).split())))
def test_what_is_not_broken_passes(name: str, fails: Callable[..., Any]) -> None:
    assert fails(Broken, f"test_{name}") is None
