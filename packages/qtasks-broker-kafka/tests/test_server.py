"""Servers that cannot be used, what is seen of those that can, and what they keep."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from aiokafka import errors
from confluent_kafka import Producer
from servers.patience import PATIENCE
from servers.ports import free_port

from qtasks.exc import ServerError, ServerUnavailableError
from qtasks.schemas import Claim, Delivery, Message, Presence, Settlement, Success
from qtasks_broker_kafka import KafkaBroker
from qtasks_broker_kafka.batches import Written
from qtasks_broker_kafka.faults import find_out, translate
from qtasks_broker_kafka.names import control_topic, topic_of
from qtasks_broker_kafka.options import parse_url
from qtasks_broker_kafka.outage import Outage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from servers.certificates import Certificates
    from servers.kafka import KafkaServer


@pytest.fixture
async def opened() -> AsyncIterator[Any]:
    """Opens brokers, and closes them."""
    made: list[KafkaBroker] = []

    async def make(url: str) -> KafkaBroker:
        made.append(KafkaBroker(url))
        await made[-1].start()
        return made[-1]

    yield make
    for broker in made:
        await broker.stop()


def messages(number: int, queue: str = "default") -> list[Message]:
    return [Message(f"id-{n}", "t", queue, b"") for n in range(number)]


async def claim(broker: KafkaBroker, number: int, queue: str = "default") -> list[Delivery]:
    """Claims until so many deliveries came, then once more."""
    got: list[Delivery] = []
    request = Claim((queue,), 1000, 15.0, "w")
    async with asyncio.timeout(PATIENCE):
        while len(got) < number:
            await broker.ready([queue], 1.0)
            got += await broker.claim(request)
    return got + await broker.claim(request)


def success(delivery: Delivery) -> Settlement:
    return Settlement(delivery.id, delivery.token, Success(), receipt=delivery.receipt)


# Servers that cannot be used


@pytest.mark.parametrize("host", ["127.0.0.1", "no.such.host.invalid"])
async def test_a_server_that_is_not_there_is_told(opened: Any, host: str) -> None:
    with pytest.raises(ServerUnavailableError, match=f"Kafka at {host}:.* cannot be reached"):
        await opened(f"kafka://{host}:{free_port()}?timeout=3")


async def test_the_wrong_password_is_told(
    opened: Any, make_kafka: Callable[..., KafkaServer]
) -> None:
    server = make_kafka("--authentication")
    url = f"kafka://somebody:wrong-one@{server.address}?mechanism=SCRAM-SHA-256&timeout=3"
    with pytest.raises(ServerError, match="refused user 'somebody' with SCRAM-SHA-256") as caught:
        await opened(url)
    assert not caught.value.retriable
    assert "wrong-one" not in str(caught.value)


async def test_a_server_without_tls_is_told(opened: Any, kafka: str) -> None:
    url = kafka.replace("kafka://", "kafkas://") + "?timeout=600"
    with pytest.raises(ServerError, match="speaks without TLS on this port: write kafka://"):
        await opened(url)


async def test_a_server_with_tls_is_told(opened: Any, certificates: Certificates) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(
        silent, "127.0.0.1", 0, ssl=certificates.server
    ) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ServerError, match="speaks with TLS on this port: write kafkas://"):
            await opened(f"kafka://127.0.0.1:{port}?timeout=600")


async def test_a_server_that_shakes_no_hands_is_told(opened: Any) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ServerUnavailableError, match="see whether it wants plain connections"):
            await opened(f"kafkas://127.0.0.1:{port}?timeout=1")


async def test_a_missing_topic_is_told(opened: Any, kafka: str) -> None:
    broker = await opened(f"{kafka}?create=false")
    with pytest.raises(ServerError, match=r"has no topic '.*default', and create=false"):
        await broker.publish(messages(1))
    assert await broker.queues() == []


async def test_a_task_that_is_too_large_is_told_alone(opened: Any, kafka: str) -> None:
    broker = await opened(f"{kafka}?max_message=2000&partitions=1")
    large = Message("large", "t", "default", bytes(3000))
    answers = await asyncio.gather(
        *(broker.publish([message]) for message in (large, *messages(5))), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [ServerError, *[list] * 5]
    assert "max_message=2000: raise it" in str(answers[0])


async def test_small_tasks_do_not_ride_with_large_ones(opened: Any, kafka: str) -> None:
    broker = await opened(f"{kafka}?partitions=1")
    sizes = [10, 700_000, 10, 400_000, 400_000, 10]
    mixed = [Message(f"id-{n}", "t", "default", bytes(size)) for n, size in enumerate(sizes)]
    await broker.publish(mixed)
    got = await claim(broker, len(mixed))
    assert [delivery.message for delivery in got] == mixed


async def test_who_has_waited_for_a_silent_server_does_not_wait_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        options = parse_url(f"kafka://127.0.0.1:{silent.getsockname()[1]}?timeout=3600")
        async with asyncio.timeout(PATIENCE):
            told = await find_out(TimeoutError(), options, asyncio.get_running_loop().time())

    assert "cannot be reached: TimeoutError; if it runs, see whether it wants TLS" in str(told)


async def test_a_sign_of_life_does_not_hold_up_the_keeper(
    opened: Any, make_kafka: Callable[..., KafkaServer]
) -> None:
    """The thread that says it renews the leases at the storage, which must not run out."""
    server = make_kafka()
    broker = await opened(f"{server.url}/p.?timeout=600")
    await broker.report(Presence("w"), 60.0)
    server.freeze()
    for ttl in (1.0, 60.0, 0.0):
        with pytest.raises(ServerUnavailableError):
            async with asyncio.timeout(PATIENCE):
                await broker.report(Presence("w"), ttl)
    server.thaw()
    await broker.report(Presence("w"), 60.0)
    assert [presence.worker for presence in await broker.workers()] == ["w"]


async def test_a_queue_is_paused_before_its_first_task(opened: Any, kafka: str) -> None:
    broker = await opened(kafka)
    await broker.pause("later")
    assert (await broker.stats("later")).paused
    await broker.resume("later")
    assert not (await broker.stats("later")).paused


async def test_fewer_copies_than_asked_for_are_refused(opened: Any, kafka: str) -> None:
    broker = await opened(f"{kafka}?min_insync=2")
    with pytest.raises(ServerError, match=r"min_insync=2 .* smaller number") as caught:
        await broker.publish(messages(1))
    assert caught.value.refused == {"id-0"}
    assert not await broker.queues()


async def test_a_server_without_idempotence_is_told_if_it_must_have_it(
    opened: Any, kafka: str, caplog: pytest.LogCaptureFixture
) -> None:
    broker = await opened(f"{kafka}?idempotence=on")
    with pytest.raises(ServerError, match="leave idempotence=on out"):
        await broker.publish(messages(1))
    willing = await opened(kafka)

    def told() -> int:
        return sum("no idempotent producers" in line for line in caplog.messages)

    with caplog.at_level(logging.WARNING):
        await willing.publish(messages(1))
        assert told() == 0, "a program that adds a task says nothing"
        for number in (1, 2):
            await willing.claim(Claim((f"queue-{number}",), 1, 15.0, "w"))
            await willing.publish(messages(1, f"queue-{number}"))
    assert told() == 1, "a worker does, once"
    found = {finding.subject: finding for finding in await willing.diagnose()}
    assert "no idempotent producers" in found["idempotence"].message


@pytest.mark.parametrize(
    ("error", "retriable", "message"),
    [
        (errors.SaslAuthenticationFailed("bad pw"), False, "refused user 'u' with PLAIN: "),
        (errors.TopicAuthorizationFailedError("t"), False, "rights to read and write topics"),
        (errors.MessageSizeTooLargeError("9"), False, "raise max.message.bytes"),
        (errors.NotEnoughReplicasError("n"), True, "cannot serve now"),
        (errors.KafkaTimeoutError("n"), True, "cannot serve now"),
        (errors.UnknownError("n"), True, "cannot serve now"),
        (ConnectionResetError("n"), True, "cannot serve now"),
        (errors.InvalidTopicError("n"), False, "InvalidTopicError"),
    ],
)
def test_errors_are_told_in_a_line(error: Exception, retriable: bool, message: str) -> None:
    told = translate(error, parse_url("kafka://u:pw@host"))
    assert told.retriable is retriable
    assert message in str(told)
    assert "pw" not in str(told)


@pytest.mark.parametrize(
    ("password", "said", "shown"),
    [
        ("pp", "UnsupportedSasl, password=pp", "UnsupportedSasl, password=***"),
        ("pp", "kafka://u:pp@host said: pp.", "kafka://u:***@host said: ***."),
        ("a/b", "{'password': 'a/b', 'url': 'u:a%2Fb@h'}", "{'password': '***', 'url': 'u:***@h'}"),
        ("long-enough", "xlong-enoughx", "x***x"),
    ],
)
def test_a_password_is_hidden_and_no_part_of_a_word(password: str, said: str, shown: str) -> None:
    told = translate(
        errors.SaslAuthenticationFailed(said),
        parse_url(f"kafka://u:{quote(password, safe='')}@host"),
    )
    assert shown in str(told)
    assert "refused user 'u'" in str(told)


# What is seen


async def test_partitions_tell_how_they_stand(opened: Any, kafka: str) -> None:
    broker = await opened(f"{kafka}?partitions=2")
    for message in messages(6):  # one by one: the server counts a batch as one
        await broker.publish([message])
    waiting = await broker.partitions("default")
    assert [(one.lag, one.ready, one.leased, one.ours) for one in waiting] == [(3, 3, 0, False)] * 2
    assert all(one.oldest_age is not None and one.oldest_age >= 0 for one in waiting)
    first, *others = await claim(broker, 6)
    assert [one.leased for one in await broker.partitions("default")] == [3, 3]
    await broker.settle([success(delivery) for delivery in others])
    stats = await broker.stats("default")
    assert (stats.ready, stats.leased, stats.oldest_ready_age) == (0, 1, None)
    await broker.settle([success(first)])
    assert [one.lag for one in await broker.partitions("default")] == [0, 0]
    assert await broker.partitions("unknown") == []


async def test_the_doctor_sees_topics_that_lose_tasks(opened: Any, kafka: str) -> None:
    broker = await opened(f"{kafka}?partitions=1&retention=3600")
    found = await broker.diagnose()
    assert {one.subject for one in found if one.level != "ok"} == {"idempotence"}
    await broker.publish(messages(1))
    found = {finding.subject: finding for finding in await broker.diagnose()}
    assert {subject for subject, one in found.items() if one.level != "ok"} == {
        "replication", "min.insync.replicas", "retention", "partitions", "idempotence",
    }  # fmt: skip
    assert found["retention"].level == "error"
    assert topic_of(broker.options.prefix, "default") in found["retention"].message
    assert "1 tasks are not done" in found["lag"].message


async def test_a_pause_reaches_other_processes(opened: Any, kafka: str) -> None:
    worker, other = [await opened(f"{kafka}?partitions=1") for _ in range(2)]
    await worker.publish(messages(1))
    await claim(worker, 1)
    await other.pause("default")
    assert (await worker.stats("default")).paused
    await other.publish(messages(1))
    assert await worker.claim(Claim(("default",), 10, 15.0, "w")) == []
    await other.resume("default")
    await claim(worker, 1)


# What a server keeps that has idempotence, and metadata of commits


@pytest.fixture
def cluster() -> Iterator[str]:
    """Three servers that librdkafka plays, with the topics of a prefix."""
    producer = Producer({"test.mock.num.brokers": 3, "bootstrap.servers": "-", "log_level": 0})
    servers = producer.list_topics(timeout=PATIENCE).brokers.values()
    producer.list_topics("m.default", timeout=PATIENCE)  # asking makes them
    yield f"kafka://{','.join(f'{one.host}:{one.port}' for one in servers)}/m.?create=false"
    producer.flush(0)


async def test_what_is_done_beyond_a_commit_is_known_to_the_next(opened: Any, cluster: str) -> None:
    broker = await opened(f"{cluster}&idempotence=on")
    await broker.publish(messages(200))
    got = await claim(broker, 200)
    first: dict[Any, Delivery] = {}
    for delivery in got:
        record: Any = delivery.receipt
        first.setdefault(record.place, delivery)
    stuck = {delivery.id for delivery in first.values()}
    await broker.settle([success(delivery) for delivery in got if delivery.id not in stuck])
    await broker.stop()

    heir = await opened(cluster)
    waiting = await heir.partitions("default")
    assert sum(one.ready for one in waiting) == len(stuck)
    assert sum(one.lag for one in waiting) == 200
    assert {delivery.id for delivery in await claim(heir, len(stuck))} == stuck


async def test_without_a_control_topic_a_worker_works_alone(
    opened: Any, cluster: str, caplog: pytest.LogCaptureFixture
) -> None:
    broker = await opened(cluster)
    with caplog.at_level(logging.WARNING):
        await broker.report(Presence("w"), 15.0)
        await broker.report(Presence("w"), 15.0)
    assert sum("Nobody else sees this worker" in line for line in caplog.messages) == 1
    assert await broker.workers() == []


# Logs that are others than before


async def test_a_topic_that_was_made_anew_is_read_from_its_beginning(
    opened: Any, kafka: str, caplog: pytest.LogCaptureFixture
) -> None:
    broker = await opened(f"{kafka}?partitions=1")
    for message in messages(5):
        await broker.publish([message])
    await broker.settle([success(one) for one in await claim(broker, 5)])
    other = await opened(kafka)
    await other.flush()
    fresh = await opened(f"{kafka}?partitions=1")
    new = [Message(f"new-{n}", "t", "default", b"") for n in range(2)]
    for message in new:
        await fresh.publish([message])
    with caplog.at_level(logging.ERROR):
        got = await claim(broker, 2)
    assert [delivery.message for delivery in got] == new
    assert any("is another log than before" in line for line in caplog.messages)
    await broker.settle([success(one) for one in got])
    await broker.stop()
    assert [one.committed for one in await fresh.partitions("default")] == [2]


async def test_a_worker_looks_before_it_believes_that_nothing_waits(
    opened: Any, kafka: str
) -> None:
    first = await opened(f"{kafka}?partitions=1")
    await first.publish(messages(50))  # the server counts them as one
    got = await claim(first, 50)
    await first.settle([success(one) for one in got[:10]])
    await first.stop()
    heir = await opened(f"{kafka}?partitions=1")
    await heir.claim(Claim(("default",), 1, 15.0, "w"))
    assert (await heir.stats("default")).ready == 40


# Other words on the control topic


async def test_strange_words_pause_nothing(
    opened: Any, kafka: str, caplog: pytest.LogCaptureFixture
) -> None:
    worker = await opened(f"{kafka}?partitions=1")
    await worker.publish(messages(1))
    topic = control_topic(worker.options.prefix)
    strange = [(b"pause:default", b"yes"), (b"pause:", b"1"), (b"\xff", b"1"), (b"worker:x", b"?")]
    await worker.write([Written(topic, key, value) for key, value in [*strange, *strange]])
    with caplog.at_level(logging.WARNING):
        assert not (await worker.stats("default")).paused
        assert await worker.workers() == []
    told = [line for line in caplog.messages if "is ignored" in line]
    assert len(told) == len(strange)
    assert any(repr(b"pause:default") in line and topic in line for line in told)


async def test_a_control_topic_that_was_made_anew_is_heard(opened: Any, kafka: str) -> None:
    one, other = [await opened(f"{kafka}?partitions=1") for _ in range(2)]
    await one.publish(messages(1))
    for _ in range(3):
        await other.pause("default")
        await other.resume("default")
    await other.pause("default")
    assert (await one.stats("default")).paused
    await other.flush()
    await other.publish(messages(1))
    await other.report(Presence("w"), 60.0)
    async with asyncio.timeout(PATIENCE):
        while [presence.worker for presence in await one.workers()] != ["w"]:
            await asyncio.sleep(0.05)
    assert not (await one.stats("default")).paused


# Away and back


def test_an_outage_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(parse_url("kafka://host"))
    with caplog.at_level(logging.INFO):
        outage.answered()
        for _ in range(2):
            outage.failed(ConnectionResetError("gone"))
        for _ in range(2):
            outage.answered()
    away, back = caplog.messages
    assert away.startswith("Kafka is away")
    assert "gone" in away
    assert back == "Kafka at host:9092 is back"


async def test_a_server_that_is_away_is_told_by_the_worker(
    opened: Any, make_kafka: Callable[[], KafkaServer], caplog: pytest.LogCaptureFixture
) -> None:
    server = make_kafka()
    worker = await opened(f"{server.url}?partitions=1&timeout=1")
    await worker.publish(messages(1))
    await claim(worker, 1)

    async def told(text: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while not any(text in line for line in caplog.messages):
                await asyncio.sleep(0.02)

    with caplog.at_level(logging.INFO):
        server.freeze()
        await told("Kafka is away")
        server.thaw()
        await told("is back")
    await worker.report(Presence("w"), 60.0)
    assert [presence.worker for presence in await worker.workers()] == ["w"]
