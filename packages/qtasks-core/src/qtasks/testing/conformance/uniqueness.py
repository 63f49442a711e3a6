"""Unique keys."""

from __future__ import annotations

from qtasks.schemas import Cancel, Fail, Receipt, RecordQuery, Retry, Success
from qtasks.testing.conformance.base import Conformance, needs
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
