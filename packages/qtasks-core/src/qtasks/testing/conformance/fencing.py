"""At most one holder: tokens decide whose outcome is written."""

from __future__ import annotations

from qtasks.schemas import Fail, Release, Retry, Success, TaskStatusEnum
from qtasks.testing.conformance.base import FOREVER, LEASE, Conformance
from qtasks.testing.conformance.lines import BROKEN, Line, settlement

__all__ = ["Fencing"]


class Fencing(Conformance):
    """Rules of the fencing token."""

    async def test_tokens_grow(self, line: Line) -> None:
        """Every delivery of a task gets a larger token than any before it.

        If this fails: take tokens from a counter that only grows, and take a new one for every
        hand-out, whatever ended the last.
        """
        await line.add(self.message())
        tokens = []
        for outcome in (Retry(), Release(), Retry(counted=False)):
            delivery = await line.one()
            tokens.append(delivery.token)
            await line.end(delivery, outcome)
        tokens.append((await line.one(lease=self.seconds(LEASE))).token)
        await self.later(LEASE * 1.1)
        await line.sweep()
        tokens.append((await line.one()).token)
        assert tokens == sorted(set(tokens))

    async def test_take_back_makes_the_token_stale(self, line: Line) -> None:
        """What was taken back cannot be settled any more, even if nobody holds it yet.

        If this fails: taking back must change the token (or forget the lease the settlement is
        checked against) in the same step.
        """
        await line.add(message := self.message())
        delivery = await line.one(lease=self.seconds(LEASE))
        await self.later(LEASE * 1.1)
        assert (await line.sweep()).taken_back == (message.id,)
        late = settlement(delivery, Success(b"late"), history=b"late", headers={"late": "1"})
        assert await line.settle(late) == [message.id]
        record = await line.record(message.id)
        assert (record.result, record.history, record.headers) == (None, None, {})
        assert record.finished_at is None
        assert (await line.one()).id == message.id

    async def test_a_stale_outcome_never_wins(self, line: Line) -> None:
        """Once another worker holds the task, only that worker's outcome is recorded.

        If this fails: compare the settlement's token with the newest one in the same step that
        writes.
        """
        await line.add(message := self.message())
        stale = await line.one(worker="paused", lease=self.seconds(LEASE))
        await self.later(LEASE * 1.1)
        await line.sweep()
        fresh = await line.one(worker="fresh")
        assert await line.settle(settlement(stale, Fail(BROKEN))) == [message.id]
        await line.end(fresh, Success(b"fresh"))
        assert await line.settle(settlement(stale, Success(b"stale"))) == [message.id]
        record = await line.record(message.id)
        assert (record.status, record.result) == (TaskStatusEnum.SUCCESS, b"fresh")
        assert (record.worker, record.dead) == ("fresh", False)

    async def test_a_final_settlement_may_be_repeated(self, line: Line) -> None:
        """A settlement that was applied is not refused when it comes again, and changes nothing.

        If this fails: after a lost reply the worker sends the same call again; an equal token
        on a settled task is a repeat, not a stale one.
        """
        await line.add(good := self.message(), bad := self.message())
        first, second = await line.take(2)
        settlements = [settlement(first, Success(b"1")), settlement(second, Fail(BROKEN))]
        assert await line.settle(*settlements) == []
        before = list(await line.storage.get([good.id, bad.id]))
        assert await line.settle(*settlements) == []
        assert list(await line.storage.get([good.id, bad.id])) == before

    async def test_a_retry_may_be_repeated(self, line: Line) -> None:
        """A repeated ``Retry`` or ``Release`` neither doubles nor postpones the task.

        If this fails: the repeat found the task waiting and queued it once more; look at
        whether it is leased, not only at the token.
        """
        await line.add(*self.messages(2))
        first, second = await line.take(2)
        settlements = [
            settlement(first, Retry(delay=self.seconds(LEASE)), attempts=1),
            settlement(second, Release()),
        ]
        assert await line.settle(*settlements) == []
        await self.later(LEASE * 0.6)
        assert await line.settle(*settlements) == []
        await self.later(LEASE * 0.6)
        deliveries = await line.take(10)
        assert sorted(delivery.id for delivery in deliveries) == sorted([first.id, second.id])
        assert await line.take(10) == []

    async def test_a_repeat_after_the_next_hand_out_is_refused(self, line: Line) -> None:
        """A repeated ``Retry`` does not take the task from its next holder.

        If this fails: the newer token must win.
        """
        await line.add(message := self.message())
        first = await line.one()
        again = settlement(first, Retry(), attempts=1)
        assert await line.settle(again) == []
        second = await line.one()
        assert await line.settle(again) == [message.id]
        assert (await line.record(message.id)).status is TaskStatusEnum.PROCESS
        await line.end(second, Success())

    async def test_terminal_is_final(self, line: Line) -> None:
        """No later settlement changes a finished task, not even one with the right token.

        If this fails: write only to leased tasks.
        """
        await line.add(message := self.message())
        delivery = await line.one()
        await line.end(delivery, Success(b"first"))
        for outcome in (Fail(BROKEN), Retry(), Release(), Success(b"second")):
            await line.settle(settlement(delivery, outcome))
        record = await line.record(message.id)
        assert (record.status, record.result) == (TaskStatusEnum.SUCCESS, b"first")
        assert record.dead is False
        assert await line.take() == []

    async def test_a_late_settlement_counts_until_the_lease_is_taken_back(self, line: Line) -> None:
        """A lease that ran out ends when it is taken back, not before.

        If this fails: do not compare the lease with the clock while settling; nobody else got
        the task, so its outcome is as good as any.
        """
        await line.add(message := self.message())
        delivery = await line.one(lease=self.seconds(LEASE))
        await self.later(LEASE * 2)
        await line.end(delivery, Success(b"late"))
        await line.sweep()
        record = await line.record(message.id)
        assert (record.status, record.result) == (TaskStatusEnum.SUCCESS, b"late")

    async def test_a_token_from_nowhere_is_refused(self, line: Line) -> None:
        """Only the newest token settles, larger numbers included.

        If this fails: compare for equality.
        """
        await line.add(message := self.message())
        delivery = await line.one()
        wrong = settlement(delivery, Success(), token=delivery.token + 1)
        assert await line.settle(wrong) == [message.id]
        assert (await line.record(message.id)).status is TaskStatusEnum.PROCESS
        await line.end(delivery, Success())

    async def test_tokens_outlive_the_record(self, line: Line) -> None:
        """An id that is used again after its record was removed gets larger tokens than before.

        If this fails: tokens counted in the task's row start over with a new row, and a stale
        worker of the first task can settle the second. Take them from a counter of the server.
        """
        message = self.message()
        await line.add(message)
        first = await line.one()
        await line.end(first, Success(), ttl=0.0)
        await line.add(message)
        second = await line.one()
        assert second.token > first.token
        assert await line.settle(settlement(first, Success(b"stale"))) == [message.id]
        await line.end(second, Success(b"fresh"), ttl=FOREVER)
        assert (await line.record(message.id)).result == b"fresh"
