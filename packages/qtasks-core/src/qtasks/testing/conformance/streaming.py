"""The values that running tasks give, and who reads them meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qtasks.schemas import Cancel, Chunk, Fail, Retry, Streamed, Success
from qtasks.testing.conformance.base import FOREVER, LEASE, Conformance, complete, in_thread, needs
from qtasks.testing.conformance.lines import BROKEN, Line

if TYPE_CHECKING:
    from qtasks.schemas import Delivery

__all__ = ["Streaming"]

NOBODY = "00000000-0000-4000-8000-999999999999"


def gave(delivery: Delivery, first: int, *values: bytes, ttl: float = FOREVER) -> Chunk:
    """Returns values that the run of a delivery gave."""
    return Chunk(delivery.id, delivery.token, first, values, ttl, delivery.message.queue)


class Streaming(Conformance):
    """Rules of ``append_stream`` and ``read_stream``."""

    async def test_values_are_read_in_order_from_anywhere(self, line: Line) -> None:
        """Values come back byte for byte, with their numbers, from where the reader is.

        If this fails: number the values of a run from 0; ``after`` is the number of the next one
        that the reader wants, ``limit`` the most it takes at once.
        """
        await line.add(*self.messages(2))
        one, two = await line.take(2)
        storage = line.storage
        await storage.append_stream([gave(one, 0, b"a", b""), gave(two, 0, b"other")])
        await storage.append_stream([gave(one, 2, b"\x00\xff"), gave(one, 3, b"d")])
        await storage.append_stream([])
        everything = (b"a", b"", b"\x00\xff", b"d")
        for after in range(4):
            found = await storage.read_stream(one.id, one.token, after, 0)
            assert found == Streamed(one.token, after, everything[after:])
        assert await storage.read_stream(one.id, 0, 0, 0) == Streamed(one.token, 0, everything)
        some = await storage.read_stream(one.id, one.token, 1, 0, limit=2)
        assert some == Streamed(one.token, 1, everything[1:3])
        assert (await storage.read_stream(two.id, 0, 0, 0)).values == (b"other",)

    async def test_a_repeated_call_appends_nothing(self, line: Line) -> None:
        """Values whose numbers are known are skipped, also where a call knows some of them.

        If this fails: compare the number of the first value with how many are kept.
        """
        await line.add(self.message())
        run = await line.one()
        for chunk in (
            gave(run, 0, b"a", b"b"),
            gave(run, 0, b"a", b"b"),
            gave(run, 1, b"b", b"c"),
            gave(run, 0, b"a"),
        ):
            await line.storage.append_stream([chunk])
        found = await line.storage.read_stream(run.id, 0, 0, 0)
        assert found == Streamed(run.token, 0, (b"a", b"b", b"c"))

    async def test_a_gap_is_seen(self, line: Line) -> None:
        """Where numbers are missing, what came before is dropped: no reader takes it for whole.

        If this fails: begin anew at the chunk's own number, and return that number.
        """
        await line.add(self.message())
        run = await line.one()
        await line.storage.append_stream([gave(run, 0, b"a")])
        await line.storage.append_stream([gave(run, 5, b"f", b"g")])
        found = await line.storage.read_stream(run.id, run.token, 1, 0)
        assert found == Streamed(run.token, 5, (b"f", b"g"))

    async def test_a_stale_run_gives_nothing(self, line: Line) -> None:
        """Values count only while their task runs under the token of the chunk.

        If this fails: compare the token, and look whether the task is in anybody's hands; what
        does not fit is dropped, and the other chunks of the call are kept.
        """
        await line.add(message := self.message())
        lost = await line.one(lease=self.seconds(LEASE))
        await self.later(LEASE * 1.1)
        await line.sweep()
        storage = line.storage
        await storage.append_stream([gave(lost, 0, b"waits again")])
        assert (await storage.read_stream(message.id, 0, 0, 0)).values == ()
        newer = await line.one(worker="w2")
        unknown = Chunk(NOBODY, newer.token, 0, (b"x",), FOREVER, self.QUEUE)
        await storage.append_stream([gave(lost, 0, b"stale"), unknown, gave(newer, 0, b"new")])
        found = await storage.read_stream(message.id, 0, 0, 0)
        assert found == Streamed(newer.token, 0, (b"new",))
        await line.end(newer, Success())
        await storage.append_stream([gave(newer, 1, b"too late")])
        found = await storage.read_stream(message.id, newer.token, 0, 0)
        assert found == Streamed(newer.token, 0, (b"new",), ended=True)
        assert await storage.read_stream(NOBODY, 0, 0, 0) == Streamed(ended=True)

    async def test_a_newer_run_begins_anew(self, line: Line) -> None:
        """What a newer run gives takes the place of what an earlier one gave.

        If this fails: keep the token beside the values; the first chunk of a greater one drops
        them, and a reader who knows another token gets the values from their beginning.
        """
        await line.add(message := self.message())
        first = await line.one()
        storage = line.storage
        await storage.append_stream([gave(first, 0, b"a", b"b", b"c")])
        await line.end(first, Retry(0.0))
        found = await storage.read_stream(message.id, first.token, 1, 0)
        assert found == Streamed(first.token, 1, (b"b", b"c"))
        second = await line.one()
        assert (await storage.read_stream(message.id, first.token, 3, 0)).values == ()
        await storage.append_stream([gave(second, 0, b"A", b"B")])
        for seen in ((first.token, 3), (first.token, 0), (0, 0), (second.token, 0)):
            found = await storage.read_stream(message.id, *seen, 0)
            assert found == Streamed(second.token, 0, (b"A", b"B"))

    async def test_a_newer_run_may_give_nothing(self, line: Line) -> None:
        """A chunk without values begins a run: what an earlier one gave is gone.

        If this fails: keep the token of a chunk that has no values, and return it to readers.
        """
        await line.add(message := self.message())
        first = await line.one()
        storage = line.storage
        await storage.append_stream([gave(first, 0, b"a", b"b")])
        await line.end(first, Retry(0.0))
        second = await line.one()
        await storage.append_stream([gave(second, 0)])
        await storage.append_stream([gave(second, 0), gave(first, 0)])
        found = await storage.read_stream(message.id, first.token, 2, 0)
        assert found.values == ()
        reader = await self.begun(storage.read_stream(message.id, first.token, 2, FOREVER))
        await line.end(second, Success(b"x"))
        over = Streamed(second.token, 0, ended=True)
        assert await self.soon(reader) == over
        for seen in ((first.token, 1), (0, 0), (second.token, 0)):
            assert await storage.read_stream(message.id, *seen, 0) == over

    async def test_a_reader_is_woken(self, line: Line) -> None:
        """Who waits for values gets them as soon as they are there, whoever else reads.

        If this fails: ``append_stream`` must wake those who wait; look before you wait, so that
        nothing is missed in between.
        """
        await line.add(*self.messages(2))
        one, two = await line.take(2)
        storage = line.storage
        readers = [
            await self.begun(storage.read_stream(one.id, 0, 0, FOREVER)),
            await self.begun(storage.read_stream(one.id, 0, 0, FOREVER)),
        ]
        other = await self.begun(storage.read_stream(two.id, 0, 0, FOREVER))
        await storage.append_stream([gave(one, 0, b"a")])
        for reader in readers:
            assert await self.soon(reader) == Streamed(one.token, 0, (b"a",))
        assert not other.done()
        again = await self.begun(storage.read_stream(one.id, one.token, 1, FOREVER))
        await storage.append_stream([gave(one, 1, b"b"), gave(two, 0, b"c")])
        assert await self.soon(again) == Streamed(one.token, 1, (b"b",))
        assert await self.soon(other) == Streamed(two.token, 0, (b"c",))

    async def test_a_reader_learns_of_the_end(self, line: Line) -> None:
        """The end of a task wakes who waits for its values, however it ended.

        If this fails: settling and cancelling wake the readers as they wake who waits for results.
        """
        for outcome in (Success(b"x"), Fail(BROKEN), Cancel("x")):
            await line.add(message := self.message())
            run = await line.one()
            reader = await self.begun(line.storage.read_stream(message.id, 0, 0, FOREVER))
            await line.end(run, outcome)
            assert await self.soon(reader) == Streamed(ended=True)
        await line.add(message := self.message())
        reader = await self.begun(line.storage.read_stream(message.id, 0, 0, FOREVER))
        await line.storage.cancel([message.id], "no")
        assert await self.soon(reader) == Streamed(ended=True)

    async def test_reading_gives_up(self, line: Line) -> None:
        """Without news a reader gets nothing when its time is up.

        If this fails: return an empty answer whose ``ended`` is False.
        """
        await line.add(self.message())
        run = await line.one()
        await line.storage.append_stream([gave(run, 0, b"a")])
        assert not (await line.storage.read_stream(run.id, run.token, 1, 0)).values
        reader = await self.begun(line.storage.read_stream(run.id, run.token, 1, self.seconds(10)))
        await self.later(11)
        found = await self.soon(reader)
        assert (found.values, found.ended) == ((), False)

    async def test_values_outlive_the_run_and_the_record(self, line: Line) -> None:
        """Values stay for their time, also if the result is not stored.

        If this fails: settling leaves them alone, also one with a ``ttl`` of 0, and ``sweep``
        removes them when their own time is over.
        """
        await line.add(*self.messages(2))
        kept, gone = await line.take(2)
        ttl = self.seconds(LEASE)
        storage = line.storage
        await storage.append_stream([gave(kept, 0, b"a", ttl=ttl), gave(gone, 0, b"b", ttl=ttl)])
        await line.end(kept, Success(b"x"))
        await line.end(gone, Success(), ttl=0.0)
        await line.sweep()
        found = await storage.read_stream(gone.id, 0, 0, FOREVER)
        assert found == Streamed(gone.token, 0, (b"b",), ended=True)
        await self.later(LEASE * 1.1)
        await line.sweep()
        for run in (kept, gone):
            assert (await storage.read_stream(run.id, 0, 0, FOREVER)).values == ()

    @needs("blocking")
    async def test_a_blocked_reader_is_woken(self, line: Line) -> None:
        """A twin that waits in a thread is woken by values given elsewhere.

        If this fails: the twin must block on something that other clients can signal.
        """
        twin = line.storage.client()
        assert twin is not None
        complete(twin.start())
        await line.add(self.message())
        run = await line.one()
        reading = in_thread(lambda: complete(twin.read_stream(run.id, 0, 0, 10 * self.PATIENCE)))
        await asyncio.wait({reading}, timeout=0.02)
        await line.storage.append_stream([gave(run, 0, b"a")])
        assert await self.soon(reading) == Streamed(run.token, 0, (b"a",))
        complete(twin.append_stream([gave(run, 1, b"b")]))
        assert complete(twin.read_stream(run.id, run.token, 1, 0)).values == (b"b",)
        assert not complete(twin.read_stream(run.id, run.token, 2, 0.01)).values
        complete(twin.stop())

    async def test_flush_removes_values(self, line: Line) -> None:
        """Nothing that a task gave is left by ``flush``.

        If this fails: it belongs to the namespace as records do.
        """
        await line.add(self.message())
        run = await line.one()
        await line.storage.append_stream([gave(run, 0, b"a")])
        await line.storage.flush()
        assert (await line.storage.read_stream(run.id, 0, 0, 0)).values == ()
