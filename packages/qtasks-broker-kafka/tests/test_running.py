"""Apps on Kafka, with each kind of storage beside it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer
from servers.patience import wait_until

import qtasks
import qtasks.asyncio
from qtasks.exc import ConfigError, RetryLater, ServerError, TaskFailedError, UnsupportedError
from qtasks_broker_kafka import DeadLetterTopic, KafkaBroker, key
from qtasks_broker_kafka.batches import Written
from qtasks_broker_kafka.names import topic_of
from qtasks_broker_kafka.options import parse_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NO_FILE = "no such file"


@pytest.fixture(params=["sqlite", "redis"])
def storage_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "redis":
        server: str = request.getfixturevalue("valkey")
        return server
    return f"sqlite:///{tmp_path / 'tasks.db'}"


@pytest.fixture
def app(kafka: str, storage_url: str) -> Iterator[qtasks.QueueTasks]:
    app = qtasks.QueueTasks(broker_url=f"{kafka}?partitions=3", storage_url=storage_url, plugins=[])
    yield app
    app.close()


def test_a_task_has_its_whole_life(app: qtasks.QueueTasks, kafka: str) -> None:
    attempts: list[int] = []

    @app.task
    def add(one: int, other: int) -> int:
        return one + other

    @app.task
    def broken() -> None:
        raise ValueError(NO_FILE)

    @app.task
    def again() -> str:
        attempts.append(1)
        if len(attempts) < 3:
            raise RetryLater(0.01)
        return "at last"

    handles = app.add_tasks([add.build(number, 1) for number in range(300)])
    failed, retried = broken.add_task(), again.add_task()
    delayed = add.options(delay=0.5).add_task(2, 2)
    cancelled = add.add_task(0, 0)
    app.cancel(cancelled.id, "not wanted")
    strange = asyncio.run(write_strange_bytes(kafka))

    def succeed_in_a_burst() -> bool:
        app.run_forever(burst=True)
        return all(handle.refresh().status == "success" for handle in (retried, delayed))

    # A burst ends when nothing is ready, and a retry or a delay may be due a moment after that.
    wait_until(succeed_in_a_burst, "what is due later does not run")

    assert [handle.refresh().returning for handle in handles] == [*range(1, 301)]
    assert retried.refresh().returning == "at last"
    assert delayed.refresh().returning == 4
    assert cancelled.refresh().status == "cancel"
    with pytest.raises(TaskFailedError, match="no such file"):
        failed.result(0)
    letters = {letter.record.reason: letter.record for letter in app.list_tasks(status="error")[0]}
    assert set(letters) == {"exhausted", "malformed"}
    assert "no QTasks of this version wrote it" in str(letters["malformed"].error)
    assert strange == letters["malformed"].queue == "default"
    (stats,) = app.stats()
    assert (stats.ready, stats.delayed, stats.leased, stats.dead) == (0, 0, 0, 2)


async def write_strange_bytes(kafka: str) -> str:
    broker = KafkaBroker(f"{kafka}?partitions=3")
    topic = topic_of(broker.options.prefix, "default")
    await broker.start()
    await broker.write([Written(topic, None, b"\xff\xfe{")])
    await broker.stop()
    return "default"


async def test_an_async_app_works_alike(kafka: str, tmp_path: Path) -> None:
    app = qtasks.asyncio.QueueTasks(
        broker_url=f"{kafka}?partitions=2", storage_url=f"sqlite:///{tmp_path / 'q.db'}", plugins=[]
    )

    @app.task
    async def double(number: int) -> int:
        return 2 * number

    async with app.worker():
        handle = await double.add_task(21)
        assert await handle.result(30) == 42
    await app.close()


def test_tasks_of_one_key_run_in_line(kafka: str, tmp_path: Path) -> None:
    running: set[str] = set()
    ran: dict[str, list[int]] = {}
    app = qtasks.QueueTasks(
        broker_url=f"{kafka}?partitions=4&order=key",
        storage_url=f"sqlite:///{tmp_path / 'q.db'}",
        plugins=[],
    )

    @app.task
    async def ship(customer: str, number: int) -> None:
        assert customer not in running
        running.add(customer)
        await asyncio.sleep(0)
        running.discard(customer)
        ran.setdefault(customer, []).append(number)

    handles = [
        ship.options(headers=key(customer)).add_task(customer, number)
        for number in range(20)
        for customer in ("a", "b", "c")
    ]
    app.run_forever(burst=True)
    assert {handle.refresh().status for handle in handles} == {"success"}
    app.close()
    assert ran == {customer: [*range(20)] for customer in ("a", "b", "c")}


def test_a_storage_is_needed(kafka: str) -> None:
    with pytest.raises(ConfigError, match="KafkaBroker keeps no records; set storage_url="):
        qtasks.QueueTasks(broker_url=kafka)


def test_a_priority_is_refused(app: qtasks.QueueTasks) -> None:
    @app.task
    def work() -> None: ...

    with pytest.raises(UnsupportedError, match="queue of their own"):
        work.options(priority=-5).add_task()
    assert app.list_tasks()[0] == []


def test_a_priority_of_a_task_stops_the_worker(app: qtasks.QueueTasks) -> None:
    @app.task(priority=-5)
    def work() -> None: ...

    with pytest.raises(UnsupportedError, match=r"task 'work' has priority=-5.*queue='urgent'"):
        app.worker()


@pytest.mark.parametrize(
    ("options", "message"),
    [("max_message=2000", "max_message=2000: raise it"), ("create=false", "and create=false")],
)
def test_a_task_that_kafka_refuses_leaves_no_record(
    kafka: str, storage_url: str, options: str, message: str
) -> None:
    app = qtasks.QueueTasks(broker_url=f"{kafka}?{options}", storage_url=storage_url, plugins=[])

    @app.task
    def work(data: bytes) -> None: ...

    with pytest.raises(ServerError, match=message):
        work.options(unique_key="one").add_task(bytes(3000))
    assert app.list_tasks()[0] == []
    assert app.stats()[0].finished == 0
    app.close()


def test_dead_letters_are_copied_to_a_topic(kafka: str, kafka_address: str, tmp_path: Path) -> None:
    topic = f"{parse_url(kafka).prefix}dead.letters"  # the dot makes it the topic of no queue
    plugin = DeadLetterTopic(f"{kafka}?partitions=1", topic)
    app = qtasks.QueueTasks(broker_url="memory://", plugins=[plugin], strict_plugins=True)

    @app.task
    def broken(number: int) -> None:
        raise ValueError(NO_FILE)

    handle = broken.add_task(7)
    app.run_forever(burst=True)
    app.close()

    async def read() -> dict[str, object]:
        consumer = AIOKafkaConsumer(
            topic, bootstrap_servers=kafka_address, auto_offset_reset="earliest"
        )
        await consumer.start()
        record = await asyncio.wait_for(consumer.getone(), 30)
        await consumer.stop()
        return dict(msgspec.json.decode(record.value))

    letter = asyncio.run(read())
    assert letter["id"] == str(handle.id)
    assert (letter["reason"], letter["task"], letter["queue"]) == ("exhausted", "broken", "default")


def test_a_topic_that_cannot_be_is_refused(kafka: str) -> None:
    for topic in ("no topic", ".."):
        with pytest.raises(ConfigError, match=f"topic={topic!r}"):
            DeadLetterTopic(kafka, topic)


@pytest.mark.parametrize("topic", ["qtasks.dead-letters", "qtasks._control"])
def test_dead_letters_do_not_go_where_tasks_are_looked_for(topic: str) -> None:
    with pytest.raises(ConfigError, match="give it another beginning"):
        DeadLetterTopic("kafka://localhost", topic)


FORK = """
import os, sys
from qtasks import QueueTasks

app = QueueTasks(broker_url=sys.argv[1], storage_url=sys.argv[2], plugins=[])

@app.task
def double(number):
    return 2 * number

double.add_task(1)
if os.fork() == 0:
    double.add_task(2)
    app.close()
    os._exit(0)
assert os.wait()[1] == 0
double.add_task(3)
app.run_forever(burst=True)
print(sorted(task.returning for task in app.list_tasks(status="success")[0]))
app.close()
"""


def test_a_fork_connects_anew(kafka: str, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, kafka, f"sqlite:///{tmp_path / 'q.db'}"],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    assert ran.stdout == "[2, 4, 6]\n"
    assert "Unclosed" not in ran.stderr
