"""What somebody did to the keys of one task costs that task, and no other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

import msgspec
import pytest
import redis

from qtasks.adapters.redis import RedisBroker
from qtasks.schemas import (
    Claim,
    Delivery,
    Fail,
    Held,
    Message,
    Presence,
    Record,
    RecordQuery,
    Settlement,
    Success,
    TaskError,
)
from qtasks.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

KEY: Final = "qtasks:t:bad"
FIELDS: Final = (
    "m", "s", "k", "q", "p", "u", "x", "cx", "lo", "w", "wt", "aw", "et", "g", "de", "du", "hh",
    "i", "c", "a", "n", "sn", "h", "hd", "sa", "cn", "f", "rs", "rn", "er", "rq",
)  # fmt: skip
VALUES: Final = {
    "no text": b"\xff\xfe",
    "empty": b"",
    "nan": b"nan",
    "deep": b"\x81\xa1a" + b"\x91" * 10_000 + b"\x01",
}
STATES: Final = {
    "waiting": Message("bad", "t", "q", b"p"),
    "delayed": Message("bad", "t", "q", b"p", delay=5.0),
    "expiring": Message("bad", "t", "q", b"p", expires=3.0, unique_key="key"),
}
GOOD: Final = tuple(f"good{number}" for number in range(4))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def broker(valkey: str, clock: FakeClock) -> AsyncIterator[RedisBroker]:
    broker = RedisBroker(valkey, clock=clock)
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture
def client(valkey: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey) as client:
        yield client


async def add(broker: RedisBroker, bad: Message) -> None:
    """Publishes a task between others."""
    first, second, *rest = (Message(id_, "t", "q", b"p") for id_ in GOOD)
    await broker.publish([first, second, bad, *rest])


async def claim(broker: RedisBroker, worker: str = "w") -> list[Delivery]:
    return await broker.claim(Claim(("q",), 10, 15.0, worker))


async def work(broker: RedisBroker, clock: FakeClock) -> list[Delivery]:
    """Does for a minute what workers do; returns the deliveries of the damaged task."""
    bad: list[Delivery] = []
    for _ in range(4):
        found = await claim(broker)
        await broker.extend([Held(d.id, d.token, "q") for d in found], 15.0)
        await broker.settle([settled(delivery) for delivery in found])
        bad += [delivery for delivery in found if delivery.id not in GOOD]
        clock.advance(16.0)
        await broker.sweep()
        await broker.expire("dead")
    return bad


def settled(delivery: Delivery) -> Settlement:
    failed = Fail(TaskError("x", "y"), "malformed")
    outcome = Success(b"r") if delivery.malformed is None else failed
    return Settlement(delivery.id, delivery.token, outcome, receipt=delivery.receipt)


async def look(broker: RedisBroker) -> list[Record | None]:
    """Reads and changes what people do; returns the records of the other tasks."""
    storage = broker.storage
    await storage.wait(["bad"], 0.0)
    await storage.list(RecordQuery())
    await storage.list(RecordQuery(dead=True, since=1.0))
    await broker.stats("q")
    await storage.cancel(["bad"], "why")
    await storage.requeue(["bad"])
    await storage.discard(["bad"])
    return await storage.get(GOOD)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("value", VALUES)
async def test_any_field_may_hold_anything(
    state: str, value: str, broker: RedisBroker, clock: FakeClock, client: redis.Redis
) -> None:
    for field in FIELDS:
        await add(broker, STATES[state])
        client.hset(KEY, field, VALUES[value])

        await look(broker)
        await work(broker, clock)

        assert await statuses(broker) == dict.fromkeys(GOOD, ("success", 0)), field
        await broker.publish([STATES[state]])
        await broker.purge("q")
        await broker.flush()


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("ended", [True, False])
async def test_any_field_of_a_task_that_was_claimed_may_hold_anything(
    value: str, ended: bool, broker: RedisBroker, clock: FakeClock, client: redis.Redis
) -> None:
    for field in FIELDS:
        await add(broker, STATES["waiting"])
        found = {delivery.id: delivery for delivery in await claim(broker, "dead")}
        bad = found.pop("bad")
        await broker.settle([settled(delivery) for delivery in found.values()])
        if ended:
            failed = Fail(TaskError("x", "y"))
            await broker.settle([Settlement("bad", bad.token, failed, receipt=bad.receipt)])
        client.hset(KEY, field, VALUES[value])

        await look(broker)
        await work(broker, clock)

        assert await statuses(broker) == dict.fromkeys(GOOD, ("success", 0)), field
        await broker.flush()


@pytest.mark.parametrize("state", STATES)
async def test_a_key_of_another_type_becomes_a_dead_letter(
    state: str, broker: RedisBroker, clock: FakeClock, client: redis.Redis
) -> None:
    await add(broker, STATES[state])
    client.delete(KEY)
    client.set(KEY, "mine")

    await look(broker)
    (bad,) = await work(broker, clock)

    assert bad.id == "bad"
    assert "cannot be read" in (bad.malformed or "")
    assert await statuses(broker) == dict.fromkeys(GOOD, ("success", 0))
    (letter,) = (await broker.storage.list(RecordQuery(dead=True))).records
    assert (letter.id, letter.reason) == ("bad", "malformed")


async def test_an_unknown_field_may_be_nested_deeper_than_anybody_can_follow(
    broker: RedisBroker, clock: FakeClock, client: redis.Redis
) -> None:
    await add(broker, STATES["waiting"])
    fields = msgspec.msgpack.encode(Message("bad", "t", "q", b"p"))
    client.hset(KEY, "m", b"\x85" + fields[1:] + b"\xa3new" + b"\x91" * 10_000 + b"\x01")

    (record,) = await broker.storage.get(["bad"])
    (bad,) = await work(broker, clock)

    assert record is not None
    assert "cannot be read" in (bad.malformed or "")
    assert await statuses(broker) == dict.fromkeys(GOOD, ("success", 0))


@pytest.mark.parametrize("key", ["r:0:q", "z:q", "s:q", "l", "b:q", "x", "f:q", "d:q", "d", "a"])
@pytest.mark.parametrize("member", [b"\xff\xfe", b"0" * 16 + b"nobody"])
async def test_an_entry_that_leads_nowhere_is_stepped_over(
    key: str, member: bytes, broker: RedisBroker, clock: FakeClock, client: redis.Redis
) -> None:
    """Somebody writes into a list of tasks what is none."""
    await add(broker, STATES["waiting"])
    for score in (-(2.0**60), 0.0, clock.time() * 1e6):
        client.zadd(f"qtasks:{key}", {member + str(score).encode(): score})
    client.zadd(f"qtasks:{key}", {member: 0.0})

    await look(broker)
    await work(broker, clock)

    assert await statuses(broker) == dict.fromkeys(GOOD, ("success", 0))


async def test_a_note_that_cannot_be_read_keeps_nobody_from_waiting(
    broker: RedisBroker, client: redis.Redis
) -> None:
    """Somebody pushes bytes into the list through which ends are told."""
    await add(broker, STATES["waiting"])
    waiting = asyncio.create_task(broker.storage.wait(["bad"], 60.0))
    while not (names := cast("bytes | None", client.hget(KEY, "wt"))):
        await asyncio.sleep(0)

    client.rpush(f"qtasks:n:{names.decode()}", b"\x91\xa1\xff")
    for delivery in await claim(broker):
        await broker.settle([settled(delivery)])

    assert [record.id for record in (await waiting).values() if record] == ["bad"]


async def test_a_message_of_another_task_is_malformed(
    broker: RedisBroker, clock: FakeClock, client: redis.Redis
) -> None:
    await add(broker, STATES["waiting"])
    client.hset(KEY, "m", msgspec.msgpack.encode(Message("good1", "t", "q", b"p")))

    (bad,) = await work(broker, clock)

    assert bad.id == "bad"
    assert bad.malformed == "its stored message is that of task 'good1'"
    assert await statuses(broker) == dict.fromkeys(GOOD, ("success", 0))


async def test_a_message_that_names_another_queue_runs_in_the_one_where_it_is(
    broker: RedisBroker, clock: FakeClock, client: redis.Redis
) -> None:
    await add(broker, STATES["waiting"])
    client.hset(KEY, "m", msgspec.msgpack.encode(Message("bad", "t", "other", b"p")))
    client.hset(KEY, "q", "other")

    found = {delivery.id: delivery for delivery in await claim(broker)}

    assert found["bad"].message.queue == "q"
    assert await broker.settle([settled(delivery) for delivery in found.values()]) == []
    assert (await broker.stats("q")).leased == 0


async def test_a_unique_key_whose_task_is_gone_is_free(
    broker: RedisBroker, client: redis.Redis
) -> None:
    await broker.publish([Message("bad", "t", "q", b"p", unique_key="key")])
    client.delete(KEY)

    (receipt,) = await broker.publish([Message("next", "t", "q", b"p", unique_key="key")])

    assert (receipt.id, receipt.created) == ("next", True)


async def test_a_scheduled_message_that_cannot_be_read_holds_up_no_other(
    broker: RedisBroker, client: redis.Redis
) -> None:
    storage = broker.storage
    await storage.put([STATES["waiting"], Message("fine", "t", "q", b"p")], scheduled=True)
    client.hset(KEY, "m", b"\x81")

    due = await storage.due(10, 15.0)
    begun = await storage.begin([Delivery(message, 0) for message in due], "w", 15.0)

    assert [message.id for message in due] == ["bad", "fine"]
    assert [bool(delivery.malformed) for delivery in begun.deliveries] == [True, False]


async def test_a_report_that_cannot_be_read_hides_no_other(
    broker: RedisBroker, client: redis.Redis
) -> None:
    await broker.report(Presence("fine", "host", 1, ("q",)), 60.0)
    await broker.report(Presence("poisoned", "host", 2, ("q",)), 60.0)
    await broker.report(Presence("gone", "host", 3, ("q",)), 60.0)
    client.hset("qtasks:pd", "poisoned", b"\x81\xff")
    client.hdel("qtasks:pd", "gone")

    assert [presence.worker for presence in await broker.workers()] == ["fine"]


async def test_a_queue_whose_name_is_no_text_stops_nobody(
    broker: RedisBroker, valkey: str, client: redis.Redis
) -> None:
    await broker.publish([STATES["waiting"]])
    client.sadd("qtasks:qs", b"\xff")

    another = RedisBroker(valkey)
    await another.start()
    await another.sweep()

    assert await another.queues() == ["\\xff", "q"]
    assert (await another.stats("\\xff")).ready == 0
    await another.stop()


async def statuses(broker: RedisBroker) -> dict[str, tuple[str, int] | None]:
    """Returns status and losses of the other tasks."""
    records = zip(GOOD, await broker.storage.get(GOOD), strict=True)
    return {id_: None if it is None else (it.status.value, it.lost) for id_, it in records}
