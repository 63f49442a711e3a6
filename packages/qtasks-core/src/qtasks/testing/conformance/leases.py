"""Leases: kept by renewing, lost by silence, never stolen back."""

from __future__ import annotations

from qtasks.schemas import Extension, Held, Success, TaskStatusEnum
from qtasks.testing.conformance.base import FOREVER, LEASE, Conformance
from qtasks.testing.conformance.lines import Line, hold

__all__ = ["Leases"]


class Leases(Conformance):
    """Rules of ``extend``."""

    async def test_a_renewed_lease_is_kept(self, line: Line) -> None:
        """A worker that renews in time keeps its delivery for as long as it likes.

        If this fails: the lease runs anew from the time of the renewal.
        """
        await line.add(self.message())
        delivery = await line.one(lease=self.seconds(LEASE))
        for _ in range(4):
            await self.later(LEASE * 0.6)
            assert await line.extend([hold(delivery)], self.seconds(LEASE)) == Extension()
            assert (await line.sweep()).taken_back == ()
        await line.end(delivery, Success())

    async def test_a_live_lease_is_left_alone(self, line: Line) -> None:
        """Housekeeping does not touch a delivery whose lease has not run out.

        If this fails: compare the end of the lease with the server's clock, not the age of the
        delivery with some timeout.
        """
        await line.add(self.message())
        delivery = await line.one(lease=self.seconds(LEASE))
        await self.later(LEASE / 5)
        assert (await line.sweep()).taken_back == ()
        assert await line.take() == []
        await line.end(delivery, Success())

    async def test_a_renewal_counts_from_now(self, line: Line) -> None:
        """A renewal sets the end of the lease; it does not add to what was left.

        If this fails: a short renewal of a long lease must shorten it.
        """
        await line.add(message := self.message())
        delivery = await line.one(lease=FOREVER)
        assert await line.extend([hold(delivery)], self.seconds(LEASE)) == Extension()
        await self.later(LEASE * 1.1)
        assert (await line.sweep()).taken_back == (message.id,)

    async def test_a_sweep_tells_when_the_next_lease_ends(self, line: Line) -> None:
        """What is not renewed is taken back when its lease ends, not some seconds later.

        If this fails: tell in ``next_lease_end`` how long the earliest of all leases still
        holds, by the server's clock, renewals included; None if nothing is leased.
        """
        assert (await line.sweep()).next_lease_end is None
        await line.add(self.message(), self.message())
        short = await line.one(lease=self.seconds(LEASE))
        long = await line.one(lease=FOREVER)
        end = (await line.sweep()).next_lease_end
        assert end is not None
        assert 0 < end <= self.seconds(LEASE)
        await line.extend([hold(short)], FOREVER / 2)
        end = (await line.sweep()).next_lease_end
        assert end is not None
        assert self.seconds(LEASE) < end <= FOREVER / 2
        await line.end(short, Success())
        end = (await line.sweep()).next_lease_end
        assert end is not None
        assert FOREVER / 2 < end <= FOREVER
        await line.end(long, Success())
        assert (await line.sweep()).next_lease_end is None

    async def test_a_stale_token_cannot_renew(self, line: Line) -> None:
        """A renewal with an old token, or for an unknown task, is answered with ``lost``.

        If this fails: a worker that is not told goes on running what another one runs too.
        """
        await line.add(message := self.message())
        delivery = await line.one(lease=self.seconds(LEASE))
        await self.later(LEASE * 1.1)
        await line.sweep()
        unknown = Held("00000000-0000-4000-8000-999999999999", 1, self.QUEUE)
        answer = await line.extend([hold(delivery), unknown], self.seconds(LEASE))
        assert sorted(answer.lost) == sorted([message.id, unknown.id])
        assert answer.cancelled == {}
        assert (await line.one()).id == message.id

    async def test_a_renewal_never_steals_back(self, line: Line) -> None:
        """A late renewal changes nothing about the lease of the new holder.

        If this fails: check the token in the same step that writes the lease.
        """
        await line.add(message := self.message())
        old = await line.one(worker="old", lease=self.seconds(LEASE))
        await self.later(LEASE * 1.1)
        await line.sweep()
        new = await line.one(worker="new", lease=self.seconds(LEASE))
        answer = await line.extend([hold(old)], FOREVER)
        assert answer.lost == (message.id,)
        assert (await line.record(message.id)).worker == "new"
        assert await line.extend([hold(new)], self.seconds(LEASE)) == Extension()
        await line.extend([hold(old)], FOREVER)
        await self.later(LEASE * 1.1)
        assert (await line.sweep()).taken_back == (message.id,)

    async def test_an_expired_lease_may_be_renewed_until_it_is_taken_back(self, line: Line) -> None:
        """A holder that was slow keeps its delivery if nobody took it back meanwhile.

        If this fails: only the token decides; the lease's end is for the sweep.
        """
        await line.add(self.message())
        delivery = await line.one(lease=self.seconds(LEASE))
        await self.later(LEASE * 1.5)
        assert await line.extend([hold(delivery)], self.seconds(LEASE)) == Extension()
        assert (await line.sweep()).taken_back == ()
        await line.end(delivery, Success())

    async def test_a_renewal_does_not_revive(self, line: Line) -> None:
        """Renewing a settled delivery leaves the task finished.

        If this fails: a renewal must find a lease; it must never write one.
        """
        await line.add(message := self.message())
        delivery = await line.one(lease=self.seconds(LEASE))
        await line.end(delivery, Success(b"done"))
        await line.extend([hold(delivery)], self.seconds(LEASE))
        await self.later(LEASE * 2)
        assert (await line.sweep()).taken_back == ()
        assert (await line.record(message.id)).status is TaskStatusEnum.SUCCESS
        assert await line.take() == []

    async def test_a_renewal_brings_cancel_requests(self, line: Line) -> None:
        """The holder of a task hears of a request to cancel it, with the reason, and keeps it.

        If this fails: ``extend`` returns the reasons of requests for the tasks it renewed.
        """
        await line.add(first := self.message(), self.message())
        one, two = await line.take(2, lease=self.seconds(LEASE))
        if one.id != first.id:
            one, two = two, one
        assert await line.storage.cancel([one.id], "user left") == {one.id: "requested"}
        answer = await line.extend([hold(one), hold(two)], self.seconds(LEASE))
        assert answer == Extension((), {one.id: "user left"})
        await line.end(one, Success())
        await line.end(two, Success())

    async def test_nothing_to_renew(self, line: Line) -> None:
        """Renewing nothing is allowed.

        If this fails: return early for an empty sequence.
        """
        assert await line.extend([], self.seconds(LEASE)) == Extension()
