"""A master that Sentinels name: found, lost, and found again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import redis
from servers.patience import wait_until
from servers.ports import free_port

from qtasks.adapters.redis import RedisBroker
from qtasks.asyncio import QueueTasks
from qtasks.contracts.clock import SystemClock
from qtasks.exc import ConfigError, ServerUnavailableError
from qtasks.schemas import Claim, Message, Settlement, Success, TaskStatusEnum
from qtasks.testing.conformance.base import complete

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers.process import Server
    from servers.sentinel import Sentinels


def url_of(sentinels: Sentinels, name: str = "qtasks") -> str:
    hosts = ",".join(f"127.0.0.1:{port}" for port in sentinels.ports)
    return f"redis://{hosts}?sentinel={name}"


def copied(sentinels: Sentinels) -> None:
    """Waits until the replica has all that the master has."""
    master = sentinels.master

    def same() -> bool:
        offset = master.execute("INFO", "replication")["master_repl_offset"]
        return all(
            server is master
            or server.execute("INFO", "replication").get("slave_repl_offset") == offset
            for server in sentinels.servers
        )

    wait_until(same, "the replica did not catch up")


def role_of(server: Server) -> str:
    """Returns the role of a server; a change of it breaks connections."""
    try:
        return str(server.execute("ROLE")[0])
    except redis.ConnectionError:
        return ""


async def test_work_goes_on_after_a_failover(make_sentinels: Callable[..., Sentinels]) -> None:
    """A run that began before it ends after it, and what waits for a task still waits."""
    sentinels = make_sentinels()
    app = QueueTasks(broker_url=url_of(sentinels))
    started, gate = asyncio.Event(), asyncio.Event()
    runs: list[str] = []

    @app.task
    async def slow() -> str:
        runs.append("slow")
        started.set()
        await gate.wait()
        return "done"

    @app.task
    async def quick(n: int) -> int:
        runs.append(f"quick {n}")
        return n

    try:
        async with app.worker():
            handle = await slow.add_task()
            waiting = asyncio.create_task(handle.wait(60))
            await started.wait()
            copied(sentinels)
            await asyncio.to_thread(sentinels.fail_over)
            gate.set()
            await waiting
            assert handle.returning == "done"
            later = await quick.add_task(1)
            await later.wait(60)
            assert later.returning == 1
    finally:
        await app.close()
    assert runs == ["slow", "quick 1"]


async def test_what_was_copied_survives_the_master(
    make_sentinels: Callable[..., Sentinels],
) -> None:
    sentinels = make_sentinels()
    broker = RedisBroker(url_of(sentinels))
    await broker.start()
    try:
        messages = [Message(f"id-{n}", "task", "q", b"") for n in range(10)]
        await broker.publish(messages)
        held = await broker.claim(Claim(queues=("q",), limit=4, lease=1000.0, worker="w"))
        copied(sentinels)
        await asyncio.to_thread(sentinels.fail_over)
        settlements = [Settlement(d.id, d.token, Success(), receipt=d.receipt) for d in held]
        assert await broker.settle(settlements) == []
        rest = await broker.claim(Claim(queues=("q",), limit=100, lease=1000.0, worker="w"))
        assert [d.id for d in (*held, *rest)] == [message.id for message in messages]
        (record,) = await broker.storage.get([held[0].id])
        assert record is not None
        assert record.status is TaskStatusEnum.SUCCESS
    finally:
        await broker.stop()


async def test_a_twin_follows_too(make_sentinels: Callable[..., Sentinels]) -> None:
    sentinels = make_sentinels()
    twin = RedisBroker(url_of(sentinels)).client()
    complete(twin.start())
    try:
        complete(twin.publish([Message("a", "task", "q", b"")]))
        copied(sentinels)
        sentinels.fail_over()
        receipts = complete(twin.publish([Message(id_, "task", "q", b"") for id_ in "ab"]))
        assert [receipt.created for receipt in receipts] == [False, True]
    finally:
        complete(twin.stop())


async def test_some_sentinels_may_be_away(make_sentinels: Callable[..., Sentinels]) -> None:
    sentinels = make_sentinels()
    sentinels.sentinels[0].kill()
    sentinels.sentinels[1].kill()
    broker = RedisBroker(url_of(sentinels))
    await broker.start()
    assert await broker.queues() == []
    await broker.stop()


async def test_a_wrong_name_is_one_line(make_sentinels: Callable[..., Sentinels]) -> None:
    sentinels = make_sentinels(count=1)
    broker = RedisBroker(url_of(sentinels, "mymaster"))
    with pytest.raises(ConfigError) as caught:
        await broker.start()
    assert str(caught.value) == (
        f"Redis at 127.0.0.1:{sentinels.ports[0]} (master 'mymaster') cannot be found: the"
        " Sentinels know no master 'mymaster': correct ?sentinel= in the URL"
    )


async def test_a_sentinel_in_place_of_a_server_is_one_line(
    make_sentinels: Callable[..., Sentinels],
) -> None:
    (port,) = make_sentinels(count=1).ports
    with pytest.raises(ConfigError) as caught:
        await RedisBroker(f"redis://127.0.0.1:{port}").start()
    assert str(caught.value) == (
        f"Redis at 127.0.0.1:{port} is a Sentinel: add ?sentinel=NAME with the name of its master"
        " to the URL"
    )


async def test_a_server_in_place_of_a_sentinel_is_one_line(
    make_server: Callable[..., Server],
) -> None:
    server = make_server()
    with pytest.raises(ConfigError) as caught:
        await RedisBroker(f"{server.url}?sentinel=x").start()
    assert str(caught.value) == (
        f"Redis at 127.0.0.1:{server.port} (master 'x') cannot be found: these are no Sentinels:"
        " name those, at port 26379 usually, or drop ?sentinel="
    )


async def test_no_sentinel_at_all_may_pass() -> None:
    port = free_port()
    with pytest.raises(ServerUnavailableError) as caught:
        await RedisBroker(f"redis://127.0.0.1:{port}?sentinel=x").start()
    assert str(caught.value) == (
        f"Redis at 127.0.0.1:{port} (master 'x') cannot be reached: no Sentinel answers; are they"
        " started, are hosts and ports right?"
    )


async def test_a_master_that_is_away_is_not_taken_for_the_sentinels(
    make_sentinels: Callable[..., Sentinels],
) -> None:
    sentinels = make_sentinels(count=1)
    for server in sentinels.servers:
        server.kill()

    broker = RedisBroker(url_of(sentinels))
    with pytest.raises(ServerUnavailableError, match="where the Sentinels say that the master is"):
        await broker.start()
    await broker.stop()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "the Sentinels ask for a password: add &sentinel_password= to the URL"),
        ("&sentinel_password=wr0ng", "the Sentinels refuse the password in sentinel_password="),
    ],
)
async def test_a_password_of_the_sentinels_is_one_line(
    make_sentinels: Callable[..., Sentinels], given: str, said: str
) -> None:
    sentinels = make_sentinels(count=1)
    sentinels.sentinels[0].execute("ACL", "SETUSER", "default", "resetpass", ">s3cret")
    sentinels.sentinels[0].password = "s3cret"
    with pytest.raises(ConfigError) as caught:
        await RedisBroker(url_of(sentinels) + given).start()
    assert str(caught.value).endswith(f"cannot be found: {said}")
    broker = RedisBroker(f"{url_of(sentinels)}&sentinel_password=s3cret")
    await broker.start()
    await broker.stop()


async def test_a_master_that_became_a_replica_is_left(
    make_sentinels: Callable[..., Sentinels],
) -> None:
    """Its connections stay, and it refuses writes."""
    sentinels = make_sentinels()
    broker = RedisBroker(url_of(sentinels))
    await broker.start()
    try:
        await broker.publish([Message("a", "task", "q", b"")])
        copied(sentinels)
        old = sentinels.master
        sentinels.sentinels[0].execute("SENTINEL", "FAILOVER", "qtasks")
        wait_until(lambda: role_of(old) == "slave", "the master did not step back")
        wait_until(lambda: sentinels.master is not old, "no other master came")
        deadline = SystemClock().monotonic() + 60
        receipts = None
        while receipts is None:
            assert SystemClock().monotonic() < deadline
            try:
                receipts = await broker.publish([Message("b", "task", "q", b"")])
            except ServerUnavailableError:
                await asyncio.sleep(0.05)
        found = await broker.claim(Claim(queues=("q",), limit=9, lease=1000.0, worker="w"))
        assert [delivery.id for delivery in found] == ["a", "b"]
    finally:
        await broker.stop()
