"""Unique keys."""

from __future__ import annotations

from qtasks.schemas import (
    MAX_LOST,
    Cancel,
    Fail,
    Receipt,
    RecordQuery,
    Retry,
    Success,
    TaskStatusEnum,
)
from qtasks.testing.conformance.base import FOREVER, LEASE, Conformance, needs
from qtasks.testing.conformance.lines import BROKEN, Line

__all__ = ["Uniqueness"]


class Uniqueness(Conformance):
    """Rules of ``unique_key``."""

    @needs("unique")
    async def test_a_held_key_answers_with_its_holder(self, line: Line) -> None:
        """While an unfinished task holds a key, adding another one returns the holder's id.

        If this fails: check and take the key in the step that writes the task.
        """
        await line.add(holder := self.message(unique_key="k"))
        other = self.message(unique_key="k")
        assert await line.add(other) == [Receipt(holder.id, created=False)]
        assert await line.gone(other.id)
        delivery = await line.one()
        assert await line.add(other) == [Receipt(holder.id, created=False)]
        await line.end(delivery, Retry(), attempts=1)
        assert await line.add(other) == [Receipt(holder.id, created=False)]
        assert len(await line.take(10)) == 1

    @needs("unique")
    async def test_an_end_frees_the_key(self, line: Line) -> None:
        """Every end of the holder frees the key for the next.

        If this fails: free the key in the step that writes the terminal status, and when a
        waiting task is cancelled.
        """
        for outcome in (Success(), Fail(BROKEN), Cancel()):
            message = self.message(unique_key="k")
            assert await line.add(message) == [Receipt(message.id, created=True)]
            await line.end(await line.one(), outcome)
        message = self.message(unique_key="k")
        assert await line.add(message) == [Receipt(message.id, created=True)]
        await line.storage.cancel([message.id], "x")
        message = self.message(unique_key="k")
        assert await line.add(message) == [Receipt(message.id, created=True)]

    @needs("unique")
    async def test_keys_differ(self, line: Line) -> None:
        """Different keys, and tasks without one, do not get into each other's way.

        If this fails: compare whole keys; no key is not a key.
        """
        messages = [
            self.message(unique_key="a"),
            self.message(unique_key="b"),
            self.message(unique_key=""),
            self.message(),
            self.message(),
        ]
        receipts = await line.add(*messages)
        assert [receipt.created for receipt in receipts] == [True] * 5

    @needs("unique")
    async def test_one_holder_within_a_call(self, line: Line) -> None:
        """Of several messages with one key in one call, the first becomes the holder.

        If this fails: the messages of a call see those before them.
        """
        first, second = self.messages(2, unique_key="k")
        receipts = await line.add(first, second)
        assert receipts == [Receipt(first.id, created=True), Receipt(first.id, created=False)]

    @needs("unique")
    async def test_a_key_may_be_free_once_the_task_is_started(self, line: Line) -> None:
        """``started`` frees the key when the task is handed out first, for good.

        If this fails: a second task may wait while the first one runs, and neither the retry nor
        the end of the first touches the key of the second.
        """
        first, second, third = self.messages(3, unique_key="k", unique_until="started")
        assert await line.add(first, second) == [
            Receipt(first.id, created=True),
            Receipt(first.id, created=False),
        ]
        delivery = await line.one()
        assert await line.add(second) == [Receipt(second.id, created=True)]
        await line.end(delivery, Retry(delay=self.seconds(LEASE)), attempts=1)
        assert await line.add(third) == [Receipt(second.id, created=False)]
        await self.later(LEASE * 1.1)
        assert len(await line.take(10)) == 2
        assert await line.add(third) == [Receipt(third.id, created=True)]

    @needs("unique")
    async def test_a_window_follows_the_end(self, line: Line) -> None:
        """With ``unique_window`` the key is held for so long after the end, however it ended.

        If this fails: the window counts from the end, outlives the record, and frees the key
        without anybody's doing.
        """
        how = {"unique_key": "k", "unique_window": self.seconds(LEASE)}
        for outcome, ttl in ((Success(), FOREVER), (Fail(BROKEN), FOREVER), (Cancel(), 0.0)):
            first, second = self.messages(2, **how)
            assert await line.add(first) == [Receipt(first.id, created=True)]
            await self.later(LEASE * 2)
            assert await line.add(second) == [Receipt(first.id, created=False)]
            await line.end(await line.one(), outcome, ttl=ttl)
            assert await line.add(second) == [Receipt(first.id, created=False)]
            await self.later(LEASE * 1.2)
            assert await line.add(second) == [Receipt(second.id, created=True)]
            await line.storage.cancel([second.id], "x")
            await self.later(LEASE * 1.2)

    @needs("unique")
    async def test_a_window_may_follow_the_adding(self, line: Line) -> None:
        """``added`` holds the key for the window from the acceptance on, whatever the task does.

        If this fails: neither the start nor the end of the task changes when the key is free.
        """
        how = {
            "unique_key": "k",
            "unique_until": "added",
            "unique_window": self.seconds(LEASE),
        }
        first, second, third = self.messages(3, **how)
        await line.add(first)
        await line.end(await line.one(), Success())
        assert await line.add(second) == [Receipt(first.id, created=False)]
        await self.later(LEASE * 1.2)
        assert await line.add(second) == [Receipt(second.id, created=True)]
        await self.later(LEASE * 1.2)  # it still waits
        assert await line.add(third) == [Receipt(third.id, created=True)]
        assert len(await line.take(10)) == 2

    @needs("unique")
    async def test_windows_leave_nothing_behind(self, line: Line) -> None:
        """When windows are over and swept, keys are free and the storage is as it was.

        If this fails: forget windows in the sweep, so that keys nobody wants again do not pile up.
        """
        how = {"unique_window": self.seconds(LEASE)}
        await line.add(*(self.message(unique_key=f"k{number}", **how) for number in range(5)))
        for delivery in await line.take(5):
            await line.end(delivery, Success(), ttl=self.seconds(1))
        await self.later(LEASE * 1.2)
        assert (await line.sweep()).purged == 5
        await line.sweep()
        again = [self.message(unique_key=f"k{number}") for number in range(5)]
        assert [receipt.created for receipt in await line.add(*again)] == [True] * 5

    @needs("unique")
    async def test_a_waiting_holder_may_be_replaced(self, line: Line) -> None:
        """``unique_replaces`` cancels a holder that waits and takes its key, in one step.

        If this fails: the old task ends as ``cancel`` with the reason ``replaced``, kept for
        ``retention.result_ttl``; of one call the last message stays.
        """
        old, middle, new = self.messages(3, unique_key="k", unique_replaces=True)
        delayed = self.message(unique_key="k", delay=self.seconds(LEASE))
        assert await line.add(delayed) == [Receipt(delayed.id, created=True)]
        assert await line.add(old) == [Receipt(old.id, created=True)]
        receipts = await line.add(middle, new)
        assert receipts == [Receipt(middle.id, created=True), Receipt(new.id, created=True)]
        for message in (delayed, old, middle):
            record = await line.record(message.id)
            assert (record.status, record.reason) == (TaskStatusEnum.CANCEL, "replaced")
            assert record.dead is False
        assert [delivery.id for delivery in await line.take(10)] == [new.id]
        await self.later(LEASE * 1.2)
        assert await line.take(10) == []

    @needs("unique")
    async def test_a_running_holder_is_not_replaced(self, line: Line) -> None:
        """A task in the hands of a worker keeps its key; so does one in its window.

        If this fails: what runs cannot be called back, so the newcomer gets its id.
        """
        how = {"unique_key": "k", "unique_replaces": True}
        first = self.message(**how, unique_window=self.seconds(LEASE))
        await line.add(first)
        delivery = await line.one()
        assert await line.add(self.message(**how)) == [Receipt(first.id, created=False)]
        await line.end(delivery, Success())
        assert await line.add(self.message(**how)) == [Receipt(first.id, created=False)]
        assert (await line.record(first.id)).status is TaskStatusEnum.SUCCESS

    @needs("unique")
    async def test_a_repeated_publication_is_no_conflict(self, line: Line) -> None:
        """The same message again changes nothing, whoever holds the key by now.

        If this fails: look for the id before the key.
        """
        message = self.message(unique_key="k", unique_replaces=True)
        for _ in range(3):
            (receipt,) = await line.add(message)
            assert receipt.id == message.id
        assert (await line.record(message.id)).status is TaskStatusEnum.NEW
        await line.end(await line.one(), Success())
        await line.add(other := self.message(unique_key="k"))
        assert await line.add(message) == [Receipt(message.id, created=False)]
        assert [delivery.id for delivery in await line.take(10)] == [other.id]

    @needs("unique")
    async def test_who_came_too_late_to_start_holds_nothing(self, line: Line) -> None:
        """A task past its ``expires`` gives its key away, swept or not.

        If this fails: whoever gets its id waits for a task that will never run.
        """
        await line.add(late := self.message(unique_key="k", expires=self.seconds(LEASE)))
        await self.later(LEASE * 1.1)
        new, other = self.messages(2, unique_key="k")
        assert await line.add(new) == [Receipt(new.id, created=True)]
        assert (await line.sweep()).expired == (late.id,)
        assert await line.add(other) == [Receipt(new.id, created=False)]

    @needs("unique")
    async def test_a_lost_run_keeps_the_key(self, line: Line) -> None:
        """A task whose worker died still holds its key, until it is convicted.

        If this fails: taking back a lease is no end; a conviction is one.
        """
        await line.add(message := self.message(unique_key="k"))
        other = self.message(unique_key="k")
        for _ in range(MAX_LOST):
            await line.one(lease=self.seconds(LEASE))
            await self.later(LEASE * 1.1)
            assert await line.add(other) == [Receipt(message.id, created=False)]
            await line.sweep()
        assert await line.add(other) == [Receipt(other.id, created=True)]

    @needs("unique")
    async def test_a_removed_letter_holds_nothing(self, line: Line) -> None:
        """A letter that was sent back holds its key again; one that was removed does not.

        If this fails: requeueing takes the key, discarding leaves none behind.
        """
        await line.add(letter := self.message(unique_key="k"))
        await line.end(await line.one(), Fail(BROKEN))
        assert list(await line.storage.requeue([letter.id])) == [letter.id]
        other = self.message(unique_key="k")
        assert await line.add(other) == [Receipt(letter.id, created=False)]
        await line.end(await line.one(), Fail(BROKEN))
        assert list(await line.storage.discard([letter.id])) == [letter.id]
        assert await line.add(other) == [Receipt(other.id, created=True)]

    @needs("unique")
    async def test_a_letter_without_a_claim_returns_without_the_key(self, line: Line) -> None:
        """A letter whose key was free from its start on comes back beside the new holder.

        If this fails: only a key that is held until the end is taken again.
        """
        how = {"unique_key": "k", "unique_until": "started"}
        await line.add(letter := self.message(**how))
        await line.end(await line.one(), Fail(BROKEN))
        await line.add(holder := self.message(**how))
        assert list(await line.storage.requeue([letter.id])) == [letter.id]
        assert await line.add(self.message(**how)) == [Receipt(holder.id, created=False)]
        assert len(await line.take(10)) == 2

    @needs("unique")
    async def test_a_returning_letter_respects_the_key(self, line: Line) -> None:
        """A dead letter that is sent back never makes a second unfinished holder of its key.

        If this fails: leave the letter where it is, or let it return without the key.
        """
        await line.add(letter := self.message(unique_key="k"))
        await line.end(await line.one(), Fail(BROKEN))
        await line.add(self.message(unique_key="k"))
        await line.storage.requeue([letter.id])
        page = await line.storage.list(RecordQuery())
        unfinished = [record for record in page.records if record.finished_at is None]
        assert len([record for record in unfinished if record.unique_key == "k"]) == 1

    @needs("unique")
    async def test_of_letters_with_one_key_one_returns(self, line: Line) -> None:
        """Of several dead letters with one key that one call sends back, the first one returns.

        If this fails: the letters of a call see the keys that those before them took; a letter
        that returned can be in no worker's hands yet, and still counts as unfinished.
        """
        letters = self.messages(3, unique_key="k")
        for letter in letters:
            await line.add(letter)
            await line.end(await line.one(), Fail(BROKEN))
        first, *others = [letter.id for letter in letters]
        assert list(await line.storage.requeue([first, *others])) == [first]
        assert list(await line.storage.requeue(others)) == []
        assert [delivery.id for delivery in await line.take(10)] == [first]
