"""Housekeeping: what is taken back, convicted, cancelled and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qtasks.schemas import MAX_LOST, Retention, Retry, Success, Swept, TaskStatusEnum
from qtasks.testing.conformance.base import FOREVER, LEASE, Conformance

if TYPE_CHECKING:
    from qtasks.testing.conformance.lines import Line

__all__ = ["Sweeping"]


class Sweeping(Conformance):
    """Rules of ``sweep``."""

    async def lose(self, line: Line, times: int = 1) -> Swept:
        """Lets a worker vanish with the task it holds, over and over."""
        swept = Swept()
        for _ in range(times):
            await line.one(lease=self.seconds(LEASE))
            await self.later(LEASE * 1.1)
            swept = await line.sweep()
        return swept

    async def rounds(self, line: Line) -> list[Swept]:
        """Sweeps two at a time until there is no more, and returns the answers."""
        rounds = []
        for _ in range(10):
            rounds.append(await line.sweep(2))
            if not rounds[-1].more:
                return rounds
        pytest.fail("the sweep says that there is more, over and over")

    async def test_nothing_to_sweep(self, line: Line) -> None:
        """A sweep that finds nothing says so.

        If this fails: waiting, running and freshly finished tasks are none of its business.
        """
        assert await line.sweep() == Swept()
        await line.add(*self.messages(3))
        await line.end(await line.one(), Success())
        await line.one(lease=FOREVER)
        swept = await line.sweep()
        assert swept == Swept(next_lease_end=swept.next_lease_end)

    async def test_a_lost_delivery_waits_again(self, line: Line) -> None:
        """What a vanished worker held is due at once and counts as lost, not as an attempt.

        If this fails: taking back adds one to ``lost`` and nothing to ``attempts``; the status
        stays ``process`` until the task is handed out again.
        """
        await line.add(message := self.message())
        swept = await self.lose(line)
        assert swept.taken_back == (message.id,)
        assert (swept.convicted, swept.expired) == ((), ())
        record = await line.record(message.id)
        assert (record.status, record.lost) == (TaskStatusEnum.PROCESS, 1)
        again = await line.one(worker="w2")
        assert (again.lost, again.attempts, again.deliveries) == (1, 0, 2)
        assert (await line.record(message.id)).worker == "w2"

    async def test_the_third_loss_convicts(self, line: Line) -> None:
        """Exactly the third consecutive loss makes a dead letter with reason ``worker_lost``.

        If this fails: convict when ``lost`` reaches ``MAX_LOST``, in the step that takes back.
        """
        await line.add(message := self.message())
        swept = await self.lose(line, MAX_LOST - 1)
        assert (swept.taken_back, swept.convicted) == ((message.id,), ())
        swept = await self.lose(line)
        assert (swept.taken_back, swept.convicted) == ((), (message.id,))
        record = await line.record(message.id)
        assert (record.status, record.dead) == (TaskStatusEnum.ERROR, True)
        assert (record.reason, record.lost) == ("worker_lost", MAX_LOST)
        assert record.finished_at is not None
        assert await line.take() == []

    async def test_losses_must_be_consecutive(self, line: Line) -> None:
        """A run that comes to an end between losses starts the count anew.

        If this fails: settling a retry sets ``lost`` to 0.
        """
        await line.add(message := self.message())
        await self.lose(line, MAX_LOST - 1)
        await line.end(await line.one(), Retry(), attempts=1)
        swept = await self.lose(line, MAX_LOST - 1)
        assert (swept.taken_back, swept.convicted) == ((message.id,), ())
        await line.end(await line.one(), Success())

    async def test_a_convicted_task_is_kept_for_its_time(self, line: Line) -> None:
        """A conviction is kept for ``retention.dead_ttl`` seconds.

        If this fails: the broker ends this task by itself, so it uses its retention.
        """
        line.keep(Retention(result_ttl=0.0, dead_ttl=self.seconds(LEASE)))
        await line.add(message := self.message())
        await self.lose(line, MAX_LOST)
        assert (await line.record(message.id)).dead is True
        await self.later(LEASE * 1.1)
        assert (await line.sweep()).purged == 1
        assert await line.gone(message.id)

    async def test_a_round_is_bounded(self, line: Line) -> None:
        """One round does at most ``limit`` of each kind and says that there is more.

        If this fails: a crash of a large worker must not stop the server for seconds.
        """
        messages = self.messages(5)
        await line.add(*messages)
        await line.take(5, lease=self.seconds(LEASE))
        await self.later(LEASE * 1.1)
        rounds = await self.rounds(line)
        assert max(len(swept.taken_back) for swept in rounds) == 2
        assert [swept.more for swept in rounds[:2]] == [True, True]
        taken = [id_ for swept in rounds for id_ in swept.taken_back]
        assert sorted(taken) == sorted(message.id for message in messages)

    async def test_removing_is_bounded(self, line: Line) -> None:
        """Old records are removed a few at a time as well.

        If this fails: apply ``limit`` to the removal of finished records too.
        """
        await line.add(*self.messages(5))
        for delivery in await line.take(5):
            await line.end(delivery, Success(), ttl=self.seconds(LEASE))
        await self.later(LEASE * 1.1)
        purged = [swept.purged for swept in await self.rounds(line)]
        assert max(purged) <= 2
        assert sum(purged) == 5

    async def test_what_was_not_started_in_time_is_cancelled(self, line: Line) -> None:
        """A task past its ``expires`` ends as ``cancel`` with reason ``expired``.

        If this fails: ``sweep`` cancels waiting tasks whose time to start is over, lists them
        and keeps them for ``retention.result_ttl``.
        """
        line.keep(Retention(result_ttl=self.seconds(LEASE)))
        message = self.message(expires=self.seconds(LEASE))
        await line.add(message, self.message())
        await self.later(LEASE * 1.1)
        swept = await line.sweep()
        assert (swept.expired, swept.taken_back) == ((message.id,), ())
        record = await line.record(message.id)
        assert (record.status, record.reason) == (TaskStatusEnum.CANCEL, "expired")
        assert record.dead is False
        assert len(await line.take(10)) == 1
        await self.later(LEASE * 1.1)
        await line.sweep()
        assert await line.gone(message.id)

    async def test_what_was_started_in_time_may_finish(self, line: Line) -> None:
        """``expires`` is about the start; a running task is not cancelled by it.

        If this fails: leave leased tasks alone when you look for expired ones.
        """
        await line.add(message := self.message(expires=self.seconds(LEASE)))
        delivery = await line.one()
        await self.later(LEASE * 1.1)
        assert (await line.sweep()).expired == ()
        await line.end(delivery, Success())
        assert (await line.record(message.id)).status is TaskStatusEnum.SUCCESS

    async def test_a_retry_past_its_time_is_not_started(self, line: Line) -> None:
        """``expires`` also ends a task that waits for another attempt.

        If this fails: no run starts after that time, not the first and not a later one.
        """
        await line.add(message := self.message(expires=self.seconds(LEASE)))
        await line.end(await line.one(), Retry(delay=self.seconds(LEASE * 1.5)), attempts=1)
        await self.later(LEASE * 2)
        assert await line.take() == []
        assert (await line.sweep()).expired == (message.id,)
        assert (await line.record(message.id)).reason == "expired"

    async def test_a_lost_task_that_was_to_be_cancelled_is_cancelled(self, line: Line) -> None:
        """If the holder vanishes before it heard of a request to cancel, the task does not run.

        If this fails: taking back a delivery with a pending request ends the task as ``cancel``
        with the request's reason.
        """
        await line.add(message := self.message())
        await line.one(lease=self.seconds(LEASE))
        await line.storage.cancel([message.id], "enough")
        await self.later(LEASE * 1.1)
        await line.sweep()
        assert await line.take() == []
        record = await line.record(message.id)
        assert (record.status, record.reason) == (TaskStatusEnum.CANCEL, "enough")
