"""What each end of a run does: the outcome table of the design, row by row."""

from __future__ import annotations

from qtasks.schemas import Cancel, Fail, Release, Retry, Success, TaskStatusEnum
from qtasks.testing.conformance.base import LEASE, Conformance
from qtasks.testing.conformance.lines import BROKEN, Line, settlement

__all__ = ["Outcomes"]


class Outcomes(Conformance):
    """Rules of ``settle`` and ``finish``."""

    async def test_success_is_recorded(self, line: Line) -> None:
        """A success ends the task as ``success`` with its result, and it does not run again.

        If this fails: write status, result and the time of the end in the step that
        acknowledges the delivery.
        """
        await line.add(message := self.message())
        await line.end(await line.one(), Success(b"result"))
        record = await line.record(message.id)
        assert record.status is TaskStatusEnum.SUCCESS
        assert (record.result, record.dead, record.reason) == (b"result", False, "")
        assert record.finished_at is not None
        assert await line.take() == []

    async def test_success_without_result(self, line: Line) -> None:
        """A result of None means that none is kept; an empty one is a result.

        If this fails: do not mistake ``b""`` for None.
        """
        await line.add(first := self.message(), second := self.message())
        await line.end(await line.one(), Success(None))
        await line.end(await line.one(), Success(b""))
        assert (await line.record(first.id)).result is None
        assert (await line.record(second.id)).result == b""

    async def test_counted_retry(self, line: Line) -> None:
        """A counted retry waits as ``retry`` and carries its counts into the next delivery.

        If this fails: write ``attempts``, ``snoozes`` and ``history`` exactly as the settlement
        says; count nothing yourself except deliveries.
        """
        await line.add(message := self.message())
        first = await line.one()
        await line.end(first, Retry(error=BROKEN), attempts=1, history=b"history")
        record = await line.record(message.id)
        assert record.status is TaskStatusEnum.RETRY
        assert (record.attempts, record.error, record.history) == (1, BROKEN, b"history")
        assert (record.finished_at, record.dead) == (None, False)
        second = await line.one()
        assert second.id == first.id
        assert (second.attempts, second.deliveries, second.lost) == (1, 2, 0)
        assert second.history == b"history"

    async def test_uncounted_retry(self, line: Line) -> None:
        """A retry that does not count waits as ``new``.

        If this fails: the status after ``Retry(counted=False)`` must be ``new``.
        """
        await line.add(message := self.message())
        await line.end(await line.one(), Retry(counted=False, reason="later"), snoozes=1)
        record = await line.record(message.id)
        assert record.status is TaskStatusEnum.NEW
        assert (record.attempts, record.snoozes) == (0, 1)
        assert (await line.one()).snoozes == 1

    async def test_retry_waits_for_its_delay(self, line: Line) -> None:
        """A retry with a delay is handed out when the delay is over, and not before.

        If this fails: compute the time from the server's clock at the time of settling.
        """
        await line.add(self.message())
        await self.later(LEASE)
        await line.end(await line.one(), Retry(delay=self.seconds(LEASE)), attempts=1)
        assert await line.take() == []
        await self.later(LEASE / 5)
        assert await line.take() == []
        await self.later(LEASE)
        assert (await line.one()).attempts == 1

    async def test_failure_is_a_dead_letter(self, line: Line) -> None:
        """A failure ends the task as ``error`` among the dead letters, with error and reason.

        If this fails: a ``Fail`` sets status, error, reason and the dead mark in one step.
        """
        await line.add(message := self.message())
        await line.end(await line.one(), Fail(BROKEN, "rejected"), attempts=1)
        record = await line.record(message.id)
        assert record.status is TaskStatusEnum.ERROR
        assert (record.error, record.reason, record.dead) == (BROKEN, "rejected", True)
        assert record.finished_at is not None
        assert await line.take() == []

    async def test_cancel_is_no_dead_letter(self, line: Line) -> None:
        """A cancelled run ends as ``cancel`` with its reason, and is no dead letter.

        If this fails: only ``Fail`` and a third loss make dead letters.
        """
        await line.add(message := self.message())
        await line.end(await line.one(), Cancel("discarded"))
        record = await line.record(message.id)
        assert record.status is TaskStatusEnum.CANCEL
        assert (record.reason, record.dead) == ("discarded", False)
        assert await line.take() == []

    async def test_release_gives_back(self, line: Line) -> None:
        """A released delivery waits as ``new`` and may be handed out at once; nothing counts.

        If this fails: a release changes neither attempts nor losses, and the hand-out that was
        given back stays counted in ``deliveries``.
        """
        await line.add(message := self.message())
        await line.end(await line.one(), Release())
        record = await line.record(message.id)
        assert record.status is TaskStatusEnum.NEW
        assert (record.attempts, record.lost, record.deliveries) == (0, 0, 1)
        again = await line.one()
        assert (again.attempts, again.lost, again.deliveries) == (0, 0, 2)

    async def test_retry_forgets_losses_and_release_does_not(self, line: Line) -> None:
        """A run that came to an end clears the suspicion; a delivery given back unrun does not.

        If this fails: reset ``lost`` in every settlement except a release.
        """
        await line.add(self.message())
        await line.one(lease=self.seconds(LEASE))
        await self.later(LEASE * 1.1)
        await line.sweep()
        suspect = await line.one()
        assert suspect.lost == 1
        await line.end(suspect, Release())
        suspect = await line.one()
        assert suspect.lost == 1
        await line.end(suspect, Retry(), attempts=1)
        assert (await line.one()).lost == 0

    async def test_history_is_replaced_or_left(self, line: Line) -> None:
        """A settlement's history replaces the stored one; None leaves it as it is.

        If this fails: do not append; core sends the whole history.
        """
        await line.add(message := self.message())
        await line.end(await line.one(), Retry(), attempts=1, history=b"one")
        await line.end(await line.one(), Retry(), attempts=2, history=None)
        assert (await line.record(message.id)).history == b"one"
        await line.end(await line.one(), Success(), history=b"one two")
        assert (await line.record(message.id)).history == b"one two"

    async def test_headers_are_replaced_or_left(self, line: Line) -> None:
        """A settlement's headers become the message's; None leaves them as they are.

        If this fails: store the headers as they come and hand them out with the next delivery.
        """
        await line.add(message := self.message(headers={"a": "1"}))
        await line.end(await line.one(), Retry(), headers=None)
        delivery = await line.one()
        assert delivery.message.headers == {"a": "1"}
        await line.end(delivery, Retry(), headers={"b": "2"})
        assert (await line.one()).message.headers == {"b": "2"}
        assert (await line.record(message.id)).headers == {"b": "2"}

    async def test_no_time_to_live_removes_at_once(self, line: Line) -> None:
        """With a ttl of 0 the record is gone with the settlement.

        If this fails: a ttl of 0 or less removes record and message instead of keeping them.
        """
        messages = self.messages(3)
        await line.add(*messages)
        for outcome in (Success(b"x"), Fail(BROKEN), Cancel()):
            await line.end(await line.one(), outcome, ttl=0.0)
        assert list(await line.storage.get([message.id for message in messages])) == [None] * 3
        assert await line.take() == []

    async def test_records_are_kept_for_their_time(self, line: Line) -> None:
        """A finished task's record is removed after its ttl, and not before.

        If this fails: ``sweep`` removes finished records whose time is over, and counts them.
        """
        await line.add(short := self.message(), long := self.message())
        await line.end(await line.one(), Success(), ttl=self.seconds(LEASE))
        await line.end(await line.one(), Success())
        await self.later(LEASE / 5)
        await line.sweep()
        assert (await line.record(short.id)).status is TaskStatusEnum.SUCCESS
        await self.later(LEASE)
        await line.sweep()
        assert await line.gone(short.id)
        assert (await line.record(long.id)).status is TaskStatusEnum.SUCCESS

    async def test_a_batch_is_settled_one_by_one(self, line: Line) -> None:
        """One call settles any mixture; what is refused does not touch the others.

        If this fails: check the token of each settlement by itself.
        """
        messages = self.messages(4)
        await line.add(*messages)
        one, two, three, four = await line.take(4)
        stale = settlement(three, Success(), token=three.token + 1000)
        settled = [settlement(one, Success(b"1")), stale, settlement(two, Fail(BROKEN))]
        refused = await line.settle(*settled, settlement(four, Retry(), attempts=1))
        assert refused == [three.id]
        statuses = [(await line.record(message.id)).status.value for message in messages]
        assert statuses == ["success", "error", "process", "retry"]

    async def test_an_unknown_task_is_refused(self, line: Line) -> None:
        """A settlement for a task that is not there is refused and creates nothing.

        If this fails: an update that finds no row is a refusal.
        """
        await line.add(message := self.message())
        delivery = await line.one()
        await line.storage.flush()
        assert await line.settle(settlement(delivery, Success())) == [message.id]
        assert await line.gone(message.id)

    async def test_nothing_to_settle(self, line: Line) -> None:
        """Settling nothing is allowed and refuses nothing.

        If this fails: return early for an empty sequence.
        """
        assert await line.settle() == []
