"""Dead letters: sent back or thrown away."""

from __future__ import annotations

import itertools

from qtasks.schemas import MAX_LOST, Fail, RecordQuery, Success, TaskStatusEnum
from qtasks.testing.conformance.base import LEASE, Conformance
from qtasks.testing.conformance.lines import BROKEN, Line, settlement

__all__ = ["Letters"]


class Letters(Conformance):
    """Rules of ``requeue`` and ``discard``."""

    async def dead(self, line: Line, number: int = 1) -> list[str]:
        """Returns the ids of that many new dead letters, with two attempts and a history."""
        await line.add(*self.messages(number))
        ids = []
        for delivery in await line.take(number):
            await line.end(delivery, Fail(BROKEN, "exhausted"), attempts=2, history=b"history")
            ids.append(delivery.id)
        return ids

    async def test_a_letter_goes_back_to_its_queue(self, line: Line) -> None:
        """A dead letter that is sent back runs again, under its id and with its history.

        If this fails: requeueing makes the task ``new``, not dead and due now; attempts start
        from 0, ``requeues`` counts, the history stays.
        """
        (id_,) = await self.dead(line)
        assert list(await line.storage.requeue([id_])) == [id_]
        record = await line.record(id_)
        assert (record.status, record.dead) == (TaskStatusEnum.NEW, False)
        assert (record.attempts, record.requeues, record.history) == (0, 1, b"history")
        assert (record.finished_at, record.reason) == (None, "")
        assert (await line.storage.list(RecordQuery(dead=True))).records == ()
        delivery = await line.one()
        assert (delivery.id, delivery.attempts, delivery.history) == (id_, 0, b"history")
        assert delivery.deliveries == 2
        await line.end(delivery, Success(b"at last"))
        assert (await line.record(id_)).result == b"at last"

    async def test_attempts_may_be_kept(self, line: Line) -> None:
        """``reset_attempts=False`` leaves the count of attempts.

        If this fails: reset attempts only if asked to.
        """
        (id_,) = await self.dead(line)
        await line.storage.requeue([id_], reset_attempts=False)
        assert (await line.one()).attempts == 2

    async def test_a_letter_moves_once(self, line: Line) -> None:
        """However often a letter is requeued, it runs once; the answer lists what moved.

        If this fails: only what is dead at that moment moves, an id given twice included.
        """
        (id_,) = await self.dead(line)
        assert list(await line.storage.requeue([id_, id_])) == [id_]
        assert list(await line.storage.requeue([id_])) == []
        assert len(await line.take(10)) == 1
        assert list(await line.storage.requeue([id_])) == []
        assert (await line.record(id_)).requeues == 1

    async def test_only_letters_move(self, line: Line) -> None:
        """Tasks that are not dead, and unknown ones, are left alone.

        If this fails: look at the dead mark.
        """
        await line.add(waiting := self.message(), done := self.message())
        deliveries = {d.id: d for d in await line.take(2)}
        await line.end(deliveries[done.id], Success())
        ids = [waiting.id, done.id, "00000000-0000-4000-8000-999999999999"]
        assert list(await line.storage.requeue(ids)) == []
        assert list(await line.storage.discard(ids)) == []
        assert (await line.record(done.id)).status is TaskStatusEnum.SUCCESS
        await line.end(deliveries[waiting.id], Success())

    async def test_letters_may_be_spread(self, line: Line) -> None:
        """With ``spread`` the letters become due evenly over that time.

        If this fails: the i-th of n is due after i × spread / n seconds.
        """
        ids = await self.dead(line, 4)
        moved = await line.storage.requeue(ids, spread=self.seconds(LEASE * 4))
        assert sorted(moved) == sorted(ids)
        due = sorted([(await line.record(id_)).due_at for id_ in ids])
        gaps = [later - earlier for earlier, later in itertools.pairwise(due)]
        assert all(abs(gap - self.seconds(LEASE)) < 0.001 for gap in gaps)
        taken = [len(await line.take(10))]
        for _ in range(4):
            await self.later(LEASE * 1.05)
            taken.append(len(await line.take(10)))
        assert taken[0] == 1
        assert sum(taken) == 4

    async def test_letters_may_come_later(self, line: Line) -> None:
        """``delay`` moves the beginning, so that a heap can be sent back in several calls.

        If this fails: the i-th of n is due after delay + i × spread / n seconds.
        """
        ids = await self.dead(line, 2)
        delay, spread = self.seconds(LEASE), self.seconds(LEASE * 2)
        before = self.now()
        assert len(await line.storage.requeue(ids, spread=spread, delay=delay)) == 2
        after = self.now()
        first, second = sorted([(await line.record(id_)).due_at for id_ in ids])
        assert before + delay - 0.001 <= first <= after + delay + 0.001
        assert abs(second - first - self.seconds(LEASE)) < 0.001
        assert await line.take(10) == []

    async def test_many_letters_move_in_one_call(self, line: Line) -> None:
        """A call may name thousands of letters; they come back spread evenly, each once.

        If this fails: what one step may take is the adapter's business, not the caller's.
        """
        ids = await self.dead(line, 1200)
        spread = self.seconds(LEASE * 12)
        moved = await line.storage.requeue(ids, spread=spread)
        assert sorted(moved) == sorted(ids)
        records = await line.storage.get(ids)
        due = sorted(record.due_at for record in records if record is not None)
        # A server that does it in several steps may need a moment between them.
        gaps = [later - earlier for earlier, later in itertools.pairwise(due)]
        assert max(gaps) < spread / 10
        assert abs(due[-1] - due[0] - spread) < spread / 10
        assert list(await line.storage.requeue(ids)) == []

    async def test_a_convict_starts_anew(self, line: Line) -> None:
        """A convicted task that is sent back has no losses left.

        If this fails: its next loss would be its last; reset ``lost``.
        """
        await line.add(message := self.message())
        for _ in range(MAX_LOST):
            await line.one(lease=self.seconds(LEASE))
            await self.later(LEASE * 1.1)
            await line.sweep()
        assert list(await line.storage.requeue([message.id])) == [message.id]
        assert (await line.one(lease=self.seconds(LEASE))).lost == 0
        await self.later(LEASE * 1.1)
        assert (await line.sweep()).taken_back == (message.id,)

    async def test_a_late_letter_still_runs(self, line: Line) -> None:
        """Somebody who sends a letter back wants it to run, even if its ``expires`` is over.

        If this fails: requeueing ends the time in which the task had to start.
        """
        await line.add(message := self.message(expires=self.seconds(LEASE)))
        await line.end(await line.one(), Fail(BROKEN))
        await self.later(LEASE * 2)
        await line.storage.requeue([message.id])
        await line.sweep()
        assert (await line.one()).id == message.id

    async def test_a_repeated_failure_does_not_kill_again(self, line: Line) -> None:
        """A settlement that comes again after the letter was sent back changes nothing.

        If this fails: write only to leased tasks.
        """
        await line.add(message := self.message())
        delivery = await line.one()
        await line.end(delivery, Fail(BROKEN))
        await line.storage.requeue([message.id])
        await line.settle(settlement(delivery, Fail(BROKEN)))
        assert (await line.record(message.id)).status is TaskStatusEnum.NEW
        assert (await line.one()).id == message.id

    async def test_letters_are_removed(self, line: Line) -> None:
        """Discarding removes dead letters with their records, once.

        If this fails: nothing of the task stays behind, and the answer lists what was removed.
        """
        ids = await self.dead(line, 3)
        assert sorted(await line.storage.discard([*ids[:2], ids[0]])) == sorted(ids[:2])
        assert list(await line.storage.discard(ids[:2])) == []
        assert await line.gone(ids[0])
        assert await line.gone(ids[1])
        letters = await line.storage.list(RecordQuery(dead=True))
        assert [record.id for record in letters.records] == [ids[2]]
        assert list(await line.storage.requeue(ids[:2])) == []
        assert await line.take(10) == []
