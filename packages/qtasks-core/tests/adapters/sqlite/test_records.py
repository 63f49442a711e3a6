"""Records at the edges: ended by the storage itself, out of date, damaged, or beside a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from qtasks.exc import ConfigError
from qtasks.schemas import (
    Begun,
    Delivery,
    Fail,
    RecordQuery,
    Retention,
    Retry,
    Settlement,
    Success,
    TaskError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks.adapters.sqlite import SqliteBroker
    from qtasks.schemas import Message
    from qtasks.testing.clock import FakeClock

    Make = Callable[..., Message]
    Run = Callable[..., Any]

BROKEN = TaskError("package.Broken", "text", "trace")


def tampered(twin: SqliteBroker, statement: str, *params: Any) -> None:
    database = twin._engine._database
    with database._writer.lock:
        database._connection(database._writer).execute(statement, params)


def test_without_retention_nothing_is_kept(
    twin: SqliteBroker, clock: FakeClock, message: Make, request_for: Any, run: Run
) -> None:
    twin.retention = Retention(0.0, 0.0)
    waiting, expiring, lost = message(), message(expires=1.0), message()
    run(twin.publish([lost]))
    for _ in range(3):
        run(twin.claim(request_for()))
        run(twin.expire("w1"))
    run(twin.publish([waiting, expiring]))
    assert run(twin.storage.cancel([waiting.id], "x")) == {waiting.id: "cancelled"}
    clock.advance(2)
    assert run(twin.sweep()).expired == (expiring.id,)
    ids = [waiting.id, expiring.id, lost.id]
    assert run(twin.storage.get(ids)) == [None] * 3
    assert run(twin.storage.wait(ids, 0)) == dict.fromkeys(ids)
    stats = run(twin.stats("q"))
    assert (stats.ready, stats.leased, stats.finished, stats.dead) == (0, 0, 0, 0)


def test_an_id_is_free_when_its_time_is_over(
    twin: SqliteBroker, clock: FakeClock, message: Make, request_for: Any, run: Run
) -> None:
    """Also before the sweep comes by."""
    run(twin.publish([one := message()]))
    (delivery,) = run(twin.claim(request_for()))
    run(twin.settle([Settlement(one.id, delivery.token, Fail(BROKEN), ttl=10.0)]))
    assert run(twin.publish([one]))[0].created is False
    clock.advance(11)
    stats = run(twin.stats("q"))
    assert (stats.finished, stats.dead) == (0, 0)
    assert run(twin.storage.requeue([one.id])) == []
    assert run(twin.storage.cancel([one.id], "x")) == {one.id: "unknown"}
    assert run(twin.publish([one]))[0].created is True
    stats = run(twin.stats("q"))
    assert (stats.ready, stats.finished, stats.dead) == (1, 0, 0)


def test_headers_that_cannot_be_read(
    twin: SqliteBroker, message: Make, request_for: Any, run: Run
) -> None:
    run(twin.publish([one := message(headers={"a": "1"})]))
    tampered(twin, "UPDATE task SET headers = ?", b"\xc1")
    (record,) = run(twin.storage.get([one.id]))
    assert record.headers == {}
    (delivery,) = run(twin.claim(request_for()))
    assert delivery.malformed is not None
    assert "headers" in delivery.malformed
    assert delivery.message.payload == b"payload"


@pytest.mark.parametrize("cursor", ["nonsense", "1.0", "a:b", ""])
def test_a_cursor_from_nowhere(twin: SqliteBroker, cursor: str, run: Run) -> None:
    with pytest.raises(ConfigError, match="cursor"):
        run(twin.storage.list(RecordQuery(cursor=cursor)))


def test_letters_are_listed_by_their_end(
    twin: SqliteBroker, clock: FakeClock, message: Make, request_for: Any, run: Run
) -> None:
    messages = [message() for _ in range(5)]
    run(twin.publish(messages))
    deliveries = run(twin.claim(request_for()))
    for delivery in reversed(deliveries):
        clock.advance(1)
        run(twin.settle([Settlement(delivery.id, delivery.token, Fail(BROKEN), ttl=99.0)]))
    query = RecordQuery(dead=True, limit=2, error_type="Broken")
    ids: list[str] = []
    while True:
        page = run(twin.storage.list(query))
        ids += [record.id for record in page.records]
        if page.cursor is None:
            break
        query = RecordQuery(dead=True, limit=2, error_type="Broken", cursor=page.cursor)
    assert ids == [one.id for one in messages]
    since = RecordQuery(dead=True, since=clock.time() - 1)
    assert [one.id for one in run(twin.storage.list(since)).records] == ids[:2]


def test_a_key_that_was_taken_keeps_its_letter_dead(
    twin: SqliteBroker, message: Make, request_for: Any, run: Run
) -> None:
    run(twin.publish([first := message(unique_key="k")]))
    (delivery,) = run(twin.claim(request_for()))
    run(twin.settle([Settlement(first.id, delivery.token, Fail(BROKEN), ttl=99.0)]))
    run(twin.publish([second := message(unique_key="k")]))
    assert run(twin.storage.requeue([first.id])) == []
    run(twin.storage.cancel([second.id], "x"))
    assert run(twin.storage.requeue([first.id])) == [first.id]


def test_receipts_of_others_are_no_places_of_ours(
    twin: SqliteBroker, message: Make, run: Run
) -> None:
    """A broker elsewhere may use numbers as receipts, too."""
    storage = twin.storage
    first, second = message(), message()
    arrived = [Delivery(first, token=0, receipt=2), Delivery(second, token=0, receipt=1)]
    begun = run(storage.begin(arrived, "w", 100.0))
    assert [one.receipt for one in begun.deliveries] == [2, 1]
    done = [
        Settlement(one.id, one.token, Success(one.id.encode()), ttl=99.0, receipt=one.receipt)
        for one in begun.deliveries
    ]
    assert run(storage.finish(done)) == []
    for record in run(storage.get([first.id, second.id])):
        assert record.result == record.id.encode()


def test_a_wrong_receipt_finds_the_task_by_its_id(
    twin: SqliteBroker, message: Make, request_for: Any, run: Run
) -> None:
    run(twin.publish([message(), message()]))
    one, two = run(twin.claim(request_for()))
    mixed = [
        Settlement(one.id, one.token, Success(b"1"), ttl=99.0, receipt=two.receipt),
        Settlement(two.id, two.token, Success(b"2"), ttl=99.0, receipt=12345),
    ]
    assert run(twin.settle(mixed)) == []
    assert [record.result for record in run(twin.storage.get([one.id, two.id]))] == [b"1", b"2"]


def test_begin_ends_what_was_to_be_cancelled(
    twin: SqliteBroker, clock: FakeClock, message: Make, run: Run
) -> None:
    storage, one = twin.storage, message()
    arrived = [Delivery(one, token=0)]
    assert len(run(storage.begin(arrived, "w", 10.0)).deliveries) == 1
    assert run(storage.cancel([one.id], "enough")) == {one.id: "requested"}
    clock.advance(11)
    assert run(storage.begin(arrived, "w", 10.0)) == Begun(skip=(one.id,))
    (record,) = run(storage.get([one.id]))
    assert (record.status, record.reason) == ("cancel", "enough")


def test_begin_skips_a_task_whose_key_is_held(twin: SqliteBroker, message: Make, run: Run) -> None:
    storage = twin.storage
    run(storage.put([message(unique_key="k")]))
    other = message(unique_key="k")
    assert run(storage.begin([Delivery(other, token=0)], "w", 10.0)) == Begun(skip=(other.id,))
    assert run(storage.get([other.id])) == [None]


def test_the_schedule_gives_no_lease_twice(
    twin: SqliteBroker, clock: FakeClock, message: Make, run: Run
) -> None:
    """A keeper that reports late does not take a retry from the schedule, however short."""
    storage, one = twin.storage, message()
    run(storage.put([one], scheduled=True))
    assert [given.id for given in run(storage.due(10, 5.0))] == [one.id]
    (begun,) = run(storage.begin([Delivery(one, token=0)], "w", 10.0)).deliveries
    run(storage.finish([Settlement(one.id, begun.token, Retry(delay=1.0), attempts=1)]))
    run(storage.dispatched([one.id]))
    clock.advance(1)
    assert [given.id for given in run(storage.due(10, 5.0))] == [one.id]
    run(storage.dispatched([one.id]))
    clock.advance(100)
    assert run(storage.due(10, 5.0)) == []
    stats = run(storage.stats("q"))
    assert (stats.ready, stats.delayed, stats.leased) == (0, 0, 0)


def test_a_flush_leaves_tokens_and_strangers_tables(
    twin: SqliteBroker, message: Make, request_for: Any, run: Run
) -> None:
    run(twin.publish([one := message()]))
    (first,) = run(twin.claim(request_for()))
    run(twin.pause("other"))
    run(twin.storage.state_update("b", {"k": b"v"}))
    run(twin.storage.counter_add("c", 1))
    tampered(twin, "CREATE TABLE users_own (x)")
    run(twin.flush())
    assert run(twin.queues()) == []
    assert run(twin.storage.state_get("b")) == {}
    assert run(twin.storage.counter_add("c", 0)) == 0
    tampered(twin, "DROP TABLE users_own")
    run(twin.publish([one]))
    (second,) = run(twin.claim(request_for()))
    assert second.token > first.token
    assert run(twin.settle([Settlement(one.id, first.token, Success())])) == [one.id]


def test_a_purge_of_many_takes_steps(
    twin: SqliteBroker, clock: FakeClock, message: Make, request_for: Any, run: Run
) -> None:
    run(twin.publish([message() for _ in range(3000)]))
    run(twin.publish([message(delay=9.0) for _ in range(3000)]))
    run(twin.publish([message(expires=1.0, priority=-1) for _ in range(10)]))
    run(twin.publish([message(queue="other")]))
    held = run(twin.claim(request_for(1, "q")))
    clock.advance(2)
    run(twin.claim(request_for(1, "q")))
    assert run(twin.purge("q")) == 6008
    stats = run(twin.stats("q"))
    assert (stats.ready, stats.delayed, stats.leased) == (0, 0, 2)
    assert run(twin.stats("other")).ready == 1
    assert run(twin.settle([Settlement(held[0].id, held[0].token, Success())])) == []
