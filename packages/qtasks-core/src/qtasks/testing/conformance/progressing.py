"""How far running tasks are, as they say themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks.schemas import (
    Cancel,
    Fail,
    Progressed,
    RecordQuery,
    Release,
    Retry,
    Success,
    TaskStatusEnum,
)
from qtasks.testing.conformance.base import LEASE, Conformance
from qtasks.testing.conformance.lines import BROKEN, Line

if TYPE_CHECKING:
    from qtasks.schemas import Delivery

__all__ = ["Progressing"]


def said(delivery: Delivery, data: bytes) -> Progressed:
    """Returns a report of the run of a delivery."""
    return Progressed(delivery.id, delivery.token, data, delivery.message.queue)


class Progressing(Conformance):
    """Rules of ``progress``."""

    async def test_progress_is_kept_and_shown(self, line: Line) -> None:
        """The last report of a running task is in its record, byte for byte, however it is read.

        If this fails: write ``data`` as it is, for every entry of a call, and read it back in
        ``get`` and ``list``.
        """
        await line.add(*self.messages(2))
        one, two = await line.take(2)
        await line.storage.progress([said(one, b"\x001"), said(two, b"2")])
        await line.storage.progress([said(one, b"\x003\xff")])
        await line.storage.progress([])
        shown = {one.id: b"\x003\xff", two.id: b"2"}
        for record in await line.storage.get([one.id, two.id]):
            assert record is not None
            assert (record.progress, record.status) == (shown[record.id], TaskStatusEnum.PROCESS)
        page = await line.storage.list(RecordQuery(queue=self.QUEUE))
        assert {record.id: record.progress for record in page.records} == shown

    async def test_a_stale_run_says_nothing(self, line: Line) -> None:
        """A report counts only while its task runs under the token of the report.

        If this fails: compare the token, and look whether the task is in anybody's hands; what
        does not fit is dropped, and the other entries of the call are written.
        """
        await line.add(waiting := self.message())
        lost = await line.one(lease=self.seconds(LEASE))
        await self.later(LEASE * 1.1)
        await line.sweep()
        await line.storage.progress([said(lost, b"waits again")])
        assert (await line.record(waiting.id)).progress is None
        newer = await line.one(worker="w2")
        nobody = "00000000-0000-4000-8000-999999999999"
        unknown = Progressed(nobody, newer.token, b"x", self.QUEUE)
        reports = [said(lost, b"stale"), unknown, said(newer, b"newer"), said(lost, b"stale")]
        await line.storage.progress(reports)
        assert (await line.record(waiting.id)).progress == b"newer"
        assert await line.gone(unknown.id)
        await line.end(newer, Success())
        await line.storage.progress([said(newer, b"too late")])
        assert (await line.record(waiting.id)).progress == b"newer"

    async def test_progress_outlives_the_run(self, line: Line) -> None:
        """What was said last stays when the task ends, waits again, or is given back.

        If this fails: settling leaves the progress alone.
        """
        for outcome in (Success(b"x"), Fail(BROKEN), Cancel("x"), Retry(LEASE * 100), Release()):
            await line.add(message := self.message())
            delivery = await line.one()
            await line.storage.progress([said(delivery, b"half")])
            await line.end(delivery, outcome)
            assert (await line.record(message.id)).progress == b"half"

    async def test_a_dead_letter_sent_back_begins_anew(self, line: Line) -> None:
        """Requeueing drops the progress of the life before.

        If this fails: ``requeue`` forgets it with the reason.
        """
        await line.add(message := self.message())
        delivery = await line.one()
        await line.storage.progress([said(delivery, b"half")])
        await line.end(delivery, Fail(BROKEN), attempts=1)
        assert list(await line.storage.requeue([message.id])) == [message.id]
        assert (await line.record(message.id)).progress is None
