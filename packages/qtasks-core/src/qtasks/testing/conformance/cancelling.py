"""Cancelling tasks, in every state they can be in."""

from __future__ import annotations

from qtasks.schemas import Fail, Release, Retention, Retry, Success, TaskStatusEnum
from qtasks.testing.conformance.base import LEASE, Conformance
from qtasks.testing.conformance.lines import BROKEN, Line

__all__ = ["Cancelling"]


class Cancelling(Conformance):
    """Rules of ``cancel``."""

    async def test_a_waiting_task_is_cancelled_at_once(self, line: Line) -> None:
        """A task that waits ends as ``cancel`` with the reason, and is never handed out.

        If this fails: the answer ``cancelled`` is a promise; take the task from the queue in
        the same step.
        """
        await line.add(message := self.message(), other := self.message())
        assert await line.storage.cancel([message.id], "mistake") == {message.id: "cancelled"}
        record = await line.record(message.id)
        assert (record.status, record.reason) == (TaskStatusEnum.CANCEL, "mistake")
        assert (record.dead, record.finished_at is not None) == (False, True)
        assert [delivery.id for delivery in await line.take(10)] == [other.id]

    async def test_a_delayed_task_is_cancelled_at_once(self, line: Line) -> None:
        """A task that waits for its time ends as well.

        If this fails: look among the delayed tasks too.
        """
        await line.add(message := self.message(delay=self.seconds(LEASE)))
        assert await line.storage.cancel([message.id], "x") == {message.id: "cancelled"}
        await self.later(LEASE * 1.1)
        assert await line.take() == []

    async def test_a_task_between_attempts_is_cancelled_at_once(self, line: Line) -> None:
        """A task that waits for its next attempt ends, and so does one that was taken back.

        If this fails: ``retry`` and taken-back tasks are waiting tasks.
        """
        await line.add(retried := self.message())
        await line.end(await line.one(), Retry(delay=self.seconds(LEASE)), attempts=1)
        await line.add(lost := self.message())
        await line.one(lease=self.seconds(LEASE / 2))
        await self.later(LEASE * 0.6)
        await line.sweep()
        answers = await line.storage.cancel([retried.id, lost.id], "x")
        assert answers == {retried.id: "cancelled", lost.id: "cancelled"}
        await self.later(LEASE)
        assert await line.take(10) == []

    async def test_a_running_task_is_asked(self, line: Line) -> None:
        """A running task is not touched; the request waits for its holder.

        If this fails: answer ``requested`` and leave the lease alone, so that the holder's own
        outcome is still accepted.
        """
        await line.add(message := self.message())
        delivery = await line.one()
        assert await line.storage.cancel([message.id], "x") == {message.id: "requested"}
        assert (await line.record(message.id)).status is TaskStatusEnum.PROCESS
        await line.end(delivery, Success(b"was faster"))
        record = await line.record(message.id)
        assert (record.status, record.result) == (TaskStatusEnum.SUCCESS, b"was faster")

    async def test_a_request_outlives_a_retry(self, line: Line) -> None:
        """A task that was to be cancelled does not run again: its retry or release cancels it.

        If this fails: settling ``Retry`` or ``Release`` looks for a pending request and ends
        the task as ``cancel`` with the request's reason.
        """
        for outcome in (Retry(error=BROKEN), Retry(counted=False), Release()):
            await line.add(message := self.message())
            delivery = await line.one()
            await line.storage.cancel([message.id], "stop it")
            await line.end(delivery, outcome)
            record = await line.record(message.id)
            assert (record.status, record.reason) == (TaskStatusEnum.CANCEL, "stop it")
            assert await line.take() == []

    async def test_a_finished_task_stays(self, line: Line) -> None:
        """Cancelling what has ended changes nothing and says so.

        If this fails: terminal is final.
        """
        await line.add(good := self.message(), bad := self.message())
        await line.end(await line.one(), Success())
        await line.end(await line.one(), Fail(BROKEN))
        before = list(await line.storage.get([good.id, bad.id]))
        answers = await line.storage.cancel([good.id, bad.id], "x")
        assert answers == {good.id: "finished", bad.id: "finished"}
        assert list(await line.storage.get([good.id, bad.id])) == before

    async def test_answers_by_id(self, line: Line) -> None:
        """One call may cancel any mixture; cancelling twice says ``finished``.

        If this fails: answer for every id that was asked for.
        """
        await line.add(waiting := self.message(), running := self.message())
        deliveries = {d.id: d for d in await line.take(2)}
        await line.end(deliveries[waiting.id], Retry(), attempts=1)
        unknown = "00000000-0000-4000-8000-999999999999"
        ids = [unknown, waiting.id, running.id]
        answers = {unknown: "unknown", waiting.id: "cancelled", running.id: "requested"}
        assert await line.storage.cancel(ids, "x") == answers
        assert await line.storage.cancel(ids, "y") == {**answers, waiting.id: "finished"}
        assert (await line.record(waiting.id)).reason == "x"
        assert await line.storage.cancel([], "x") == {}

    async def test_a_cancelled_task_is_kept_for_its_time(self, line: Line) -> None:
        """A cancelled task is kept for ``retention.result_ttl`` seconds.

        If this fails: the server ends this task by itself, so it uses its retention.
        """
        line.keep(Retention(result_ttl=self.seconds(LEASE)))
        await line.add(message := self.message())
        await line.storage.cancel([message.id], "x")
        assert (await line.record(message.id)).status is TaskStatusEnum.CANCEL
        await self.later(LEASE * 1.1)
        await line.sweep()
        assert await line.gone(message.id)
