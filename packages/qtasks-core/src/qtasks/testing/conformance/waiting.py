"""Waiting for the end of tasks."""

from __future__ import annotations

import asyncio

from qtasks.schemas import (
    MAX_LOST,
    Cancel,
    Fail,
    Release,
    Retention,
    Retry,
    Success,
    TaskStatusEnum,
)
from qtasks.testing.conformance.base import (
    FOREVER,
    LEASE,
    Conformance,
    complete,
    in_thread,
    needs,
)
from qtasks.testing.conformance.lines import BROKEN, Line

__all__ = ["Waiting"]


class Waiting(Conformance):
    """Rules of ``wait``."""

    async def test_a_finished_task_is_not_waited_for(self, line: Line) -> None:
        """If a task has ended, ``wait`` returns its record at once.

        If this fails: look before you wait.
        """
        await line.add(message := self.message())
        await line.end(await line.one(), Success(b"x"))
        ended = await self.soon(line.storage.wait([message.id], FOREVER))
        record = ended[message.id]
        assert record is not None
        assert (record.status, record.result) == (TaskStatusEnum.SUCCESS, b"x")
        assert list(await self.soon(line.storage.wait([message.id], 0))) == [message.id]

    async def test_the_end_wakes(self, line: Line) -> None:
        """Every kind of end wakes who waits for it, with the terminal record.

        If this fails: each write of a terminal status must reach the waiters, and the waiter
        must look again after it signed up, or an end in between is missed.
        """
        for outcome in (Success(b"x"), Fail(BROKEN), Cancel("no")):
            await line.add(message := self.message())
            waiting = await self.begun(line.storage.wait([message.id], FOREVER))
            delivery = await line.one()
            assert not waiting.done()
            await line.end(delivery, outcome)
            ended = await self.soon(waiting)
            assert ended == {message.id: await line.record(message.id)}

    async def test_a_missing_record_is_none(self, line: Line) -> None:
        """A task without a record is answered with None at once.

        If this fails: nothing will ever end there, so waiting would last until the timeout.
        """
        unknown = "00000000-0000-4000-8000-999999999999"
        assert await self.soon(line.storage.wait([unknown], FOREVER)) == {unknown: None}

    async def test_a_record_that_is_removed_is_none(self, line: Line) -> None:
        """If the record disappears with the end of the task, the waiter gets None.

        If this fails: removing a record wakes its waiters too.
        """
        await line.add(message := self.message())
        waiting = await self.begun(line.storage.wait([message.id], FOREVER))
        await line.end(await line.one(), Success(), ttl=0.0)
        assert await self.soon(waiting) == {message.id: None}

    async def test_a_flush_wakes(self, line: Line) -> None:
        """When everything is removed, nobody goes on waiting for it.

        If this fails: flushing wakes all waiters; they get None.
        """
        await line.add(message := self.message())
        waiting = await self.begun(line.storage.wait([message.id], FOREVER))
        await line.storage.flush()
        assert await self.soon(waiting) == {message.id: None}

    async def test_some_of_many(self, line: Line) -> None:
        """Waiting for several tasks ends with the first end, and returns all that ended.

        If this fails: return what has ended, not what was asked for.
        """
        messages = self.messages(4)
        await line.add(*messages)
        ids = [message.id for message in messages]
        waiting = await self.begun(line.storage.wait(ids, FOREVER))
        delivery = await line.one()
        await line.end(delivery, Success())
        assert list(await self.soon(waiting)) == [delivery.id]
        other = await line.one()
        await line.end(other, Fail(BROKEN))
        ended = await self.soon(line.storage.wait(ids, FOREVER))
        assert sorted(ended) == sorted([delivery.id, other.id])

    async def test_the_time_runs_out(self, line: Line) -> None:
        """A wait that runs out returns nothing and leaves the task alone.

        If this fails: limit the wait by ``timeout`` seconds; 0 only looks.
        """
        await line.add(message := self.message())
        assert await self.soon(line.storage.wait([message.id], 0)) == {}
        waiting = line.storage.wait([message.id], self.seconds(LEASE))
        assert await self.eventually(waiting) == {}
        assert (await line.record(message.id)).status is TaskStatusEnum.NEW

    async def test_only_an_end_wakes(self, line: Line) -> None:
        """A retry or a release is not an end; the wait goes on to the real one.

        If this fails: look at the status after waking and go on waiting.
        """
        await line.add(message := self.message())
        waiting = await self.begun(line.storage.wait([message.id], FOREVER))
        await line.end(await line.one(), Retry(), attempts=1)
        await line.end(await line.one(), Release())
        waiting = await self.begun(waiting)
        assert not waiting.done()
        await line.end(await line.one(), Success(b"end"))
        record = (await self.soon(waiting))[message.id]
        assert record is not None
        assert record.result == b"end"

    async def test_many_wait_for_one(self, line: Line) -> None:
        """All who wait for a task are woken.

        If this fails: a wake-up that only one waiter receives is a queue, not a broadcast.
        """
        await line.add(message := self.message())
        crowd = [await self.begun(line.storage.wait([message.id], FOREVER)) for _ in range(10)]
        await line.end(await line.one(), Success())
        for waiting in crowd:
            assert list(await self.soon(waiting)) == [message.id]

    async def test_one_waits_for_many(self, line: Line) -> None:
        """Each end is seen by the wait for it, and by no other.

        If this fails: match waiters and ends by id.
        """
        messages = self.messages(10)
        await line.add(*messages)
        waits = {
            message.id: await self.begun(line.storage.wait([message.id], FOREVER))
            for message in messages
        }
        for delivery in await line.take(10):
            await line.end(delivery, Success(delivery.id.encode()))
        for id_, waiting in waits.items():
            record = (await self.soon(waiting))[id_]
            assert record is not None
            assert record.result == id_.encode()

    async def test_waiting_may_be_cancelled(self, line: Line) -> None:
        """A cancelled wait leaves nothing behind, for itself or for others.

        If this fails: sign off in a ``finally`` block.
        """
        await line.add(message := self.message())
        cancelled = await self.begun(line.storage.wait([message.id], FOREVER))
        patient = await self.begun(line.storage.wait([message.id], FOREVER))
        cancelled.cancel()
        await asyncio.wait({cancelled}, timeout=self.PATIENCE)
        assert cancelled.cancelled()
        await line.end(await line.one(), Success())
        assert list(await self.soon(patient)) == [message.id]

    async def test_ends_by_the_server_wake_too(self, line: Line) -> None:
        """Cancelled, expired and convicted tasks wake their waiters.

        If this fails: ``cancel`` and ``sweep`` end tasks as ``settle`` does.
        """
        line.keep(Retention(FOREVER, FOREVER))
        cancelled, expired = self.message(), self.message(expires=self.seconds(LEASE))
        await line.add(lost := self.message())
        for _ in range(MAX_LOST - 1):
            await line.one(lease=self.seconds(LEASE))
            await self.later(LEASE * 1.1)
            await line.sweep()
        await line.one(lease=self.seconds(LEASE))
        await line.add(cancelled, expired)
        waits = [
            await self.begun(line.storage.wait([message.id], FOREVER))
            for message in (lost, cancelled, expired)
        ]
        await line.storage.cancel([cancelled.id], "no")
        await self.later(LEASE * 1.1)
        await line.sweep()
        reasons = []
        for waiting, message in zip(waits, (lost, cancelled, expired), strict=True):
            record = (await self.soon(waiting))[message.id]
            assert record is not None
            reasons.append(record.reason)
        assert reasons == ["worker_lost", "no", "expired"]

    async def test_waiting_for_nothing(self, line: Line) -> None:
        """Waiting for no task at all returns at once.

        If this fails: nothing will ever end, so the answer is empty.
        """
        assert await self.soon(line.storage.wait([], FOREVER)) == {}

    @needs("blocking")
    async def test_a_blocked_thread_is_woken(self, line: Line) -> None:
        """A twin that waits in a thread is woken by an end that happens elsewhere.

        If this fails: the twin's wait must block on something that other clients can signal.
        """
        twin = line.storage.client()
        assert twin is not None
        complete(twin.start())
        await line.add(message := self.message())
        waiting = in_thread(lambda: complete(twin.wait([message.id], 10 * self.PATIENCE)))
        await asyncio.wait({waiting}, timeout=0.02)
        await line.end(await line.one(), Success(b"x"))
        assert list(await self.soon(waiting)) == [message.id]
        assert complete(twin.wait([message.id], 0.0))[message.id] is not None
        complete(twin.stop())

    @needs("blocking")
    async def test_a_blocked_thread_gives_up(self, line: Line) -> None:
        """A twin's wait ends with its timeout, which counts real seconds.

        If this fails: limit the blocking call by the timeout.
        """
        twin = line.storage.client()
        assert twin is not None
        complete(twin.start())
        await line.add(message := self.message())
        waiting = in_thread(lambda: complete(twin.wait([message.id], 0.01)))
        assert await self.soon(waiting) == {}
        complete(twin.stop())
