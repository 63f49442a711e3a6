"""Dead letters are bounded: by count and by age, and what is dropped is counted."""

from __future__ import annotations

from qtasks.schemas import Fail, RecordQuery, Retention, TaskStatusEnum
from qtasks.testing.conformance.base import LEASE, Conformance
from qtasks.testing.conformance.lines import BROKEN, Line

__all__ = ["Piles"]


class Piles(Conformance):
    """Rules of ``retention.dead_limit`` and of ``QueueStats.dropped``."""

    async def pile(self, line: Line, number: int, *, ttl: float = 1e6) -> list[str]:
        """Returns the ids of that many new dead letters, the oldest first."""
        await line.add(*self.messages(number))
        ids = []
        for delivery in await line.take(number):
            await line.end(delivery, Fail(BROKEN), ttl=ttl)
            ids.append(delivery.id)
            await self.later(1)
        return ids

    async def letters(self, line: Line) -> list[str]:
        """Lists the dead letters, the newest first."""
        page = await line.storage.list(RecordQuery(dead=True, queue=self.QUEUE))
        return [record.id for record in page.records]

    async def test_the_oldest_letters_go(self, line: Line) -> None:
        """Of more dead letters than ``dead_limit`` a sweep drops the oldest, and counts them.

        If this fails: compare each queue's dead letters with the retention in every sweep; a
        dropped letter leaves no record behind.
        """
        ids = await self.pile(line, 5)
        line.keep(Retention(dead_limit=5))
        assert (await line.sweep()).purged == 0
        assert (await line.storage.stats(self.QUEUE)).dropped == 0
        line.keep(Retention(dead_limit=2))
        swept = await line.sweep()
        assert (swept.purged, swept.taken_back, swept.convicted) == (3, (), ())
        assert await self.letters(line) == [ids[4], ids[3]]
        assert await line.gone(ids[0])
        stats = await line.storage.stats(self.QUEUE)
        assert (stats.dead, stats.finished, stats.dropped) == (2, 2, 3)
        assert list(await line.storage.requeue(ids)) == ids[3:]
        assert (await line.record(ids[4])).status is TaskStatusEnum.NEW

    async def test_dropping_is_bounded(self, line: Line) -> None:
        """A sweep drops at most ``limit`` letters, and says that there is more.

        If this fails: whoever lowers the limit must not stop the server for seconds.
        """
        ids = await self.pile(line, 5)
        line.keep(Retention(dead_limit=1))
        rounds = [await line.sweep(2) for _ in range(3)]
        assert [swept.purged for swept in rounds] == [2, 2, 0]
        assert [swept.more for swept in rounds] == [True, True, False]
        assert await self.letters(line) == [ids[4]]
        assert (await line.storage.stats(self.QUEUE)).dropped == 4

    async def test_what_grew_too_old_counts_as_dropped(self, line: Line) -> None:
        """A dead letter whose time is over was dropped; other records are not.

        If this fails: count where old records are removed, and dead letters alone.
        """
        ids = await self.pile(line, 2, ttl=self.seconds(LEASE))
        await line.add(cancelled := self.message())
        line.keep(Retention(result_ttl=self.seconds(LEASE)))
        await line.storage.cancel([cancelled.id], "x")
        await self.later(LEASE * 1.1)
        assert (await line.sweep()).purged == 3
        stats = await line.storage.stats(self.QUEUE)
        assert (stats.dead, stats.finished, stats.dropped) == (0, 0, 2)
        assert await line.gone(ids[0])

    async def test_what_somebody_handled_is_not_dropped(self, line: Line) -> None:
        """Letters that were sent back or thrown away by hand do not count as dropped.

        If this fails: count in the sweep alone.
        """
        ids = await self.pile(line, 3)
        await line.storage.requeue(ids[:1])
        await line.storage.discard(ids[1:2])
        line.keep(Retention(dead_limit=1))
        assert (await line.sweep()).purged == 0
        stats = await line.storage.stats(self.QUEUE)
        assert (stats.dead, stats.dropped) == (1, 0)
