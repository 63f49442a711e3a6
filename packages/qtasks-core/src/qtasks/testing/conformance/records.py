"""Reading records."""

from __future__ import annotations

from typing import Any

import pytest

from qtasks.schemas import Fail, RecordQuery, Retry, Success, TaskError, TaskStatusEnum
from qtasks.testing.conformance.base import LEASE, Conformance
from qtasks.testing.conformance.lines import BROKEN, Line

__all__ = ["Records"]


class Records(Conformance):
    """Rules of ``get`` and ``list``."""

    async def listed(self, line: Line, **query: Any) -> list[str]:
        """Returns the ids that a query finds, from all pages."""
        ids: list[str] = []
        cursor = None
        for _ in range(20):
            page = await line.storage.list(RecordQuery(**query, cursor=cursor))
            ids += [record.id for record in page.records]
            cursor = page.cursor
            if cursor is None:
                return ids
        pytest.fail("there is a cursor, over and over")

    async def test_get_keeps_the_order(self, line: Line) -> None:
        """``get`` answers one entry for each id asked for, in order, None where there is none.

        If this fails: a query with ``IN (...)`` returns rows in any order and each only once.
        """
        first, second = self.messages(2)
        await line.add(first, second)
        ids = [second.id, "00000000-0000-4000-8000-999999999999", first.id, second.id]
        records = await line.storage.get(ids)
        found = [record and record.id for record in records]
        assert found == [second.id, None, first.id, second.id]
        assert list(await line.storage.get([])) == []

    async def test_a_record_shows_the_message(self, line: Line) -> None:
        """A new record carries every field of its message.

        If this fails: a field is not stored, or not read back.
        """
        message = self.message(
            task="задача.имя",
            payload=bytes(range(256)),
            priority=-7,
            headers={"trace": "ü", "empty": ""},
            unique_key="one of a kind",
            parent_id="parent",
            root_id="root",
        )
        start = self.now()
        await line.add(message)
        record = await line.record(message.id)
        assert record.status is TaskStatusEnum.NEW
        for field in ("id", "task", "queue", "payload", "priority", "headers"):
            assert getattr(record, field) == getattr(message, field)
        for field in ("unique_key", "parent_id", "root_id"):
            assert getattr(record, field) == getattr(message, field)
        assert (record.attempts, record.deliveries, record.lost, record.requeues) == (0, 0, 0, 0)
        assert (record.started_at, record.finished_at, record.result) == (None, None, None)
        assert (record.error, record.history, record.dead) == (None, None, False)
        assert abs(record.created_at - start) < self.PATIENCE

    async def test_a_record_follows_the_run(self, line: Line) -> None:
        """While a task runs, its record names the worker and the start.

        If this fails: write them when the task is handed out.
        """
        await line.add(message := self.message())
        await self.later(LEASE)
        delivery = await line.one(worker="worker-7")
        record = await line.record(message.id)
        assert (record.status, record.worker) == (TaskStatusEnum.PROCESS, "worker-7")
        assert (record.token, record.deliveries) == (delivery.token, 1)
        assert record.started_at is not None
        assert record.started_at > record.created_at
        await line.end(delivery, Success())
        record = await line.record(message.id)
        assert record.finished_at is not None
        assert record.finished_at >= (record.started_at or 0.0)

    async def test_pages_are_complete(self, line: Line) -> None:
        """Paging shows every record once, newest first.

        If this fails: the cursor must stand for a place in a total order, not for a number of
        rows or for a time that several records share.
        """
        messages = self.messages(7)
        for message in messages:
            await line.add(message)
        newest_first = [message.id for message in reversed(messages)]
        for limit in (1, 3, 7, 100):
            assert await self.listed(line, limit=limit) == newest_first

    async def test_the_last_page_has_no_cursor(self, line: Line) -> None:
        """The cursor is None when nothing follows.

        If this fails: look one record ahead.
        """
        await line.add(*self.messages(4))
        page = await line.storage.list(RecordQuery(limit=4))
        assert (len(page.records), page.cursor) == (4, None)
        page = await line.storage.list(RecordQuery(limit=3))
        assert len(page.records) == 3
        assert page.cursor is not None
        assert (await line.storage.list(RecordQuery(status=TaskStatusEnum.ERROR))).records == ()

    async def test_paging_is_stable(self, line: Line) -> None:
        """Records that are added while somebody turns the pages do not shift them.

        If this fails: the cursor counts rows from the newest.
        """
        messages = self.messages(6)
        await line.add(*messages)
        page = await line.storage.list(RecordQuery(limit=3))
        await line.add(*self.messages(3))
        second = await line.storage.list(RecordQuery(limit=3, cursor=page.cursor))
        seen = [record.id for record in (*page.records, *second.records)]
        assert seen == [message.id for message in reversed(messages)]

    async def test_filters(self, line: Line) -> None:
        """Each field of a query filters, and all together do.

        If this fails: the record and the query are named in the assertion.
        """
        await line.add(a := self.message(task="a"), b := self.message(task="b"))
        first, second = await line.take(2)
        ends = {first.id: first, second.id: second}
        await line.end(ends[a.id], Success())
        await line.end(ends[b.id], Fail(BROKEN, "rejected"))
        await line.add(c := self.message(task="a"))
        assert await self.listed(line, status=TaskStatusEnum.SUCCESS) == [a.id]
        assert await self.listed(line, status=TaskStatusEnum.NEW) == [c.id]
        assert await self.listed(line, task="a") == [c.id, a.id]
        assert await self.listed(line, queue=self.QUEUE) == [c.id, b.id, a.id]
        assert await self.listed(line, queue="elsewhere") == []
        assert await self.listed(line, dead=True) == [b.id]
        assert await self.listed(line, dead=False) == [c.id, a.id]
        assert await self.listed(line, reason="rejected") == [b.id]
        assert await self.listed(line, task="a", status=TaskStatusEnum.NEW) == [c.id]
        assert await self.listed(line, task="b", status=TaskStatusEnum.NEW) == []

    async def test_filter_by_error_type(self, line: Line) -> None:
        """Failures are found by the qualified and by the bare name of the exception.

        If this fails: ``ValueError`` finds ``builtins.ValueError`` and ``app.ValueError``, and
        not ``MyValueError``.
        """
        await line.add(*self.messages(3))
        names = ["builtins.ValueError", "app.MyValueError", "app.ValueError"]
        ids = []
        for name in names:
            delivery = await line.one()
            ids.append(delivery.id)
            await line.end(delivery, Fail(TaskError(name, "")))
        assert await self.listed(line, error_type="builtins.ValueError") == [ids[0]]
        assert sorted(await self.listed(line, error_type="ValueError")) == sorted([ids[0], ids[2]])
        assert await self.listed(line, error_type="Value") == []

    async def test_filter_by_time(self, line: Line) -> None:
        """``since`` is about the creation of tasks, and about the end of dead letters.

        If this fails: a letter of today from a task of last week is today's.
        """
        await line.add(old := self.message())
        delivery = await line.one()
        await self.later(LEASE)
        middle = self.now()
        await self.later(LEASE)
        await line.add(young := self.message())
        await line.end(delivery, Fail(BROKEN))
        assert await self.listed(line, since=middle) == [young.id]
        assert await self.listed(line, since=middle, dead=True) == [old.id]
        assert await self.listed(line, since=self.now() + self.seconds(LEASE)) == []

    async def test_filter_by_words_of_the_error(self, line: Line) -> None:
        """``error`` is the name of an exception type, or a text in the message.

        If this fails: a bare or qualified name finds as ``error_type`` does; what is no such
        name is looked for in the message, exactly as it stands, signs like % included.
        """
        await line.add(*self.messages(4))
        failures = [
            ("builtins.ValueError", "100% of disk"),
            ("app.NoDisk", "A ValueError was hidden"),
            ("app.MyValueError", "1000 of disk"),
            ("app.NoDisk", ""),
        ]
        ids = []
        for kind, message in failures:
            delivery = await line.one()
            ids.append(delivery.id)
            await line.end(delivery, Fail(TaskError(kind, message)))
        assert sorted(await self.listed(line, error="ValueError")) == sorted(ids[:2])
        assert sorted(await self.listed(line, error="app.NoDisk")) == sorted([ids[1], ids[3]])
        assert await self.listed(line, error="100% of") == [ids[0]]
        assert await self.listed(line, error="nowhere") == []
        assert await self.listed(line, error="NoDisk", error_type="MyValueError") == []

    async def test_filter_up_to_a_time(self, line: Line) -> None:
        """``until`` ends before its time, for tasks by creation, for dead letters by their end.

        If this fails: with ``since`` it makes windows that neither overlap nor leave gaps.
        """
        await line.add(old := self.message())
        delivery = await line.one()
        await self.later(LEASE)
        middle = self.now()
        await self.later(LEASE)
        await line.add(young := self.message())
        assert await self.listed(line, until=middle) == [old.id]
        assert await self.listed(line, since=middle, until=self.now() + 1e6) == [young.id]
        await line.end(delivery, Fail(BROKEN))
        assert await self.listed(line, until=middle, dead=True) == []
        finished = (await line.record(old.id)).finished_at
        assert await self.listed(line, until=finished, dead=True) == []
        assert await self.listed(line, since=finished, dead=True) == [old.id]

    async def test_letters_are_listed_by_their_end(self, line: Line) -> None:
        """Of dead letters those come first that died last, page by page.

        If this fails: order dead letters by when they ended, and let the cursor stand for that.
        """
        await line.add(*self.messages(5))
        deliveries = await line.take(5)
        order = [deliveries[place] for place in (2, 0, 4, 1, 3)]
        for delivery in order:
            await line.end(delivery, Fail(BROKEN))
            await self.later(1)
        newest_first = [delivery.id for delivery in reversed(order)]
        for limit in (1, 2, 5):
            assert await self.listed(line, dead=True, limit=limit) == newest_first

    async def test_the_error_is_shown_while_a_retry_waits(self, line: Line) -> None:
        """People see why a task waits for another attempt.

        If this fails: keep the error of a ``Retry``.
        """
        await line.add(message := self.message())
        await line.end(await line.one(), Retry(delay=FAR, error=BROKEN), attempts=1)
        record = await line.record(message.id)
        assert record.error == BROKEN
        assert record.due_at > self.now()


#: A delay that does not run out.
FAR = 100_000.0
