"""The accounts of the ACL files can do their work, and nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import redis
from redis.exceptions import NoPermissionError

from qtasks import QueueTasks
from qtasks.adapters.redis import RedisBroker
from qtasks.adapters.redis.acl import ROLES, read
from qtasks.adapters.redis.scripts import NAMES, load
from qtasks.exc import ConfigError
from qtasks.schemas import Chunk, Claim, Delivery, Fail, Message, Presence, Release, Retry, Success
from qtasks.testing.conformance.lines import BROKEN, hold, settlement

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from servers import Cluster, Program, Server

    from qtasks.schemas import Outcome

    Job = Callable[..., Awaitable[None]]

PASSWORD = "open-sesame"
GET_PRICE = "return redis.call('HGET', 'shop:prices', 'tea')"
OWNER = "user default on nopass ~* &* +@all"

#: How servers say that a script may not do something.
REFUSED_IN_SCRIPT = re.compile("ACL failure in script|The user executing the script can't")

#: What the driver and the adapter send beside scripts.
DIRECT = {"eval", "evalsha", "select", "command", "cluster|slots"}
WAITING = {"blpop"}

#: What no account may do; each of these is understood by every server.
FORBIDDEN: list[tuple[str | int, ...]] = [
    ("ACL", "LIST"),
    ("CLIENT", "LIST"),
    ("CONFIG", "GET", "*"),
    ("CONFIG", "SET", "maxmemory", 1),
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("KEYS", "*"),
    ("MONITOR",),
    ("PUBLISH", "qtasks:x", "x"),
    ("RENAME", "qtasks:a", "qtasks:b"),
    ("REPLICAOF", "NO", "ONE"),
    ("SCAN", 0),
    ("SCRIPT", "FLUSH"),
    ("SHUTDOWN",),
    ("SUBSCRIBE", "qtasks:x"),
    ("SWAPDB", 0, 1),
]

#: What an account that only reads may not do.
CHANGES: list[tuple[str | int, ...]] = [
    ("DEL", "qtasks:x"),
    ("EXPIRE", "qtasks:x", 1),
    ("HSET", "qtasks:x", "a", 1),
    ("LPUSH", "qtasks:x", 1),
    ("SADD", "qtasks:x", 1),
    ("SET", "qtasks:x", 1),
    ("UNLINK", "qtasks:x"),
    ("ZADD", "qtasks:x", 1, "a"),
    ("EVAL", "return redis.call('HSET', KEYS[1], 'a', 1)", 1, "qtasks:x"),
]


def commands_of(script: str) -> set[str]:
    """Returns every command that a script can reach: in its own lines, and in what they call."""
    functions, body = split(re.sub(r"--.*", "", load(script).text))
    reached = ""
    pending = [body]
    while pending:
        text = pending.pop()
        reached += text
        called = set(re.findall(r"\b(\w+)\(", text)) & functions.keys()
        pending += [functions.pop(name) for name in called]
    return {name.lower() for name in re.findall(r"\b(?:call|collected)\('(\w+)'", reached)}


def split(text: str) -> tuple[dict[str, str], str]:
    """Returns the functions at the left margin of a script by name, and all its other lines."""
    pattern = re.compile(r"^local function (\w+)\(.*?^end$", re.MULTILINE | re.DOTALL)
    return {found[1]: found[0] for found in pattern.finditer(text)}, pattern.sub("", text)


def granted(role: str) -> set[str]:
    """Returns the commands that a file grants."""
    return {word[1:] for word in read(role).split() if word.startswith("+")}


def opened(role: str) -> str:
    """Returns the line of a role after its owner has given it a password."""
    return read(role).replace(" off resetpass ", f" on >{PASSWORD} ")


def url_of(server: Server, role: str) -> str:
    """Returns the URL of a server for the account of a role."""
    return server.url_of(f"qtasks-{role}", PASSWORD)


@pytest.fixture
def guarded(redis_program: Program, make_server: Callable[..., Server]) -> Server:
    """A server with all accounts; the test runs once for every server that can be had."""
    accounts = "".join(opened(role) for role in ROLES)
    return make_server(redis_program, aclfile=f"{OWNER}\n{accounts}")


async def produce(broker: RedisBroker, prefix: str = "") -> None:
    """Does all that a producer does."""
    storage = broker.storage
    one, two, three = (f"{prefix}-{number}" for number in range(3))
    messages = [
        Message(one, "task", "default", b""),
        Message(two, "task", "default", b"", delay=60, unique_key=two, expires=90),
        Message(three, "task", "other", b"", priority=5),
    ]
    await broker.publish(messages)
    await broker.publish(messages)
    await storage.wait([one, two], 0.01)
    await storage.cancel([two, "none"], "enough")
    assert await storage.wait([one, two], 60)
    assert [record and record.id for record in await storage.get([one, "none"])] == [
        one,
        None,
    ]
    assert not (await storage.read_stream(one, 0, 0, 0.01)).ended
    assert await broker.queues() == ["default", "other"]


async def work(broker: RedisBroker, prefix: str = "") -> None:
    """Does all that a worker does; everything ends, in one way or another."""
    await produce(broker, prefix)
    await broker.report(Presence("me"), 60)
    assert [one.worker for one in await broker.workers()] == ["me"]
    claim = Claim(("default", "other"), 10, 60, "me")
    assert await broker.ready(claim.queues, 60)
    rounds: list[tuple[Outcome, Outcome]] = [(Retry(), Release()), (Fail(BROKEN), Success(b"1"))]
    for outcomes in rounds:
        deliveries = await broker.claim(claim)
        chunks = [Chunk(one.id, one.token, 0, (b"1",), 60, one.message.queue) for one in deliveries]
        await broker.storage.append_stream(chunks)
        assert (await broker.storage.read_stream(chunks[0].id, 0, 0, 60)).values == (b"1",)
        assert not (await broker.extend([hold(delivery) for delivery in deliveries], 60)).lost
        ends = zip(deliveries, outcomes, strict=True)
        assert not await broker.settle(
            [settlement(delivery, outcome) for delivery, outcome in ends]
        )
    await broker.publish([Message(f"{prefix}-lost", "task", "default", b"")])
    while await broker.claim(claim):
        assert await broker.expire("me") == 1
    await broker.ready(claim.queues, 0.01)
    await broker.sweep()
    await broker.report(Presence("me"), 0)


async def remember(broker: RedisBroker, prefix: str = "") -> None:
    """Uses what the storage keeps beside tasks."""
    storage = broker.storage
    await storage.state_update("bucket", {"a": b"1", "b": None}, 60)
    assert await storage.state_get("bucket") == {"a": b"1"}
    await storage.state_clear("bucket")
    assert await storage.counter_add(f"counter{prefix}", 2, 60) == 2


async def work_beside(broker: RedisBroker, prefix: str = "") -> None:
    """Keeps the records of tasks whose queue is elsewhere."""
    storage = broker.storage
    message = Message(f"{prefix}-beside", "task", "default", b"")
    await storage.put([message])
    delivery = Delivery(message, token=0)
    begun = await storage.begin([delivery], "me", 60)
    assert not await storage.finish([settlement(begun.deliveries[0], Retry())])
    due = await storage.due(10, 60)
    assert [one.id for one in due] == [message.id]
    await storage.dispatched([message.id])


async def export(broker: RedisBroker, prefix: str = "") -> None:
    """Does all that an exporter does."""
    for queue in await broker.queues():
        assert (await broker.stats(queue)).finished
    assert await broker.workers() == []


async def in_a_loop(url: str, jobs: Sequence[Job]) -> None:
    broker = RedisBroker(url)
    await broker.start()
    await broker.storage.start()
    try:
        for job in jobs:
            await job(broker)
    finally:
        await broker.storage.stop()
        await broker.stop()


def in_a_thread(url: str, jobs: Sequence[Job]) -> None:
    broker = RedisBroker(url).client()

    async def run() -> None:
        await broker.start()
        try:
            for job in jobs:
                await job(broker, "blocking")
        finally:
            await broker.stop()

    with pytest.raises(StopIteration):
        run().send(None)  # what blocks never suspends


#: What each role does; the exporter counts what the worker has left.
JOBS = {
    "producer": (produce,),
    "worker": (work, remember, work_beside),
    "exporter": (export,),
}


async def test_every_account_can_do_its_work(guarded: Server) -> None:
    for role, jobs in JOBS.items():
        await in_a_loop(url_of(guarded, role), jobs)
    for role, jobs in JOBS.items():
        in_a_thread(url_of(guarded, role), jobs)


def test_apps_work_with_the_accounts(guarded: Server) -> None:
    apps = {role: QueueTasks(broker_url=url_of(guarded, role)) for role in ROLES}
    for app in apps.values():
        app.task(double)

    added = apps["producer"].add_task("double", 21)
    apps["worker"].run_forever(burst=True)

    assert added.result(timeout=60) == 42
    assert [stats.finished for stats in apps["exporter"].stats()] == [1]
    for app in apps.values():
        app.close()


def double(number: int) -> int:
    return 2 * number


def test_a_server_that_forgot_the_scripts_gets_them_again(guarded: Server) -> None:
    in_a_thread(url_of(guarded, "producer"), [produce])
    guarded.execute("SCRIPT", "FLUSH")

    in_a_thread(url_of(guarded, "worker"), [work])


@pytest.mark.parametrize("role", ROLES)
def test_no_account_can_do_anything_else(role: str, guarded: Server) -> None:
    forbidden = FORBIDDEN + (CHANGES if role == "exporter" else [])

    with guarded.client(url_of(guarded, role)) as client:
        allowed = [command for command in forbidden if is_allowed(client, *command)]

        assert not allowed
        assert not is_allowed(client, "EVAL", "return redis.call('KEYS', '*')", 0)


@pytest.mark.parametrize("role", ROLES)
def test_no_account_reaches_the_keys_of_others(role: str, guarded: Server) -> None:
    guarded.execute("HSET", "shop:prices", "tea", "3")

    with guarded.client(url_of(guarded, role)) as client:
        assert not is_allowed(client, "HGET", "shop:prices", "tea")
        assert not is_allowed(client, "EVAL", GET_PRICE, 1, "shop:prices")
        assert not is_allowed(client, "EVAL", GET_PRICE, 1, "qtasks:x")
        assert client.hget("qtasks:prices", "tea") is None


async def test_accounts_work_on_a_cluster(
    redis_program: Program, make_cluster: Callable[..., Cluster]
) -> None:
    cluster = make_cluster(redis_program)
    for member in cluster.members:
        for role in ROLES:
            member.execute("ACL", "SETUSER", *opened(role).split()[1:])

    for role, jobs in JOBS.items():
        # A storage that belongs to a broker is never beside another one.
        own = [job for job in jobs if job is not work_beside]
        await in_a_loop(url_of(cluster.members[0], role), own)


def is_allowed(client: redis.Redis, *command: str | int) -> bool:
    """Whether a command does anything but be refused for want of a right."""
    try:
        client.execute_command(*command)  # type: ignore[no-untyped-call]
    except NoPermissionError:
        return False
    except redis.ResponseError as error:
        return REFUSED_IN_SCRIPT.search(str(error)) is None
    return True


@pytest.mark.parametrize("role", ROLES)
class TestFiles:
    def test_what_the_scripts_of_a_role_do_is_granted_and_nothing_more(self, role: str) -> None:
        needed = set().union(*(commands_of(script) for script in ROLES[role])) | DIRECT
        if role != "exporter":
            needed |= WAITING

        assert granted(role) == needed

    def test_an_account_is_closed_until_it_gets_a_password(
        self, role: str, make_server: Callable[..., Server]
    ) -> None:
        server = make_server(aclfile=f"{OWNER}\n{read(role)}")

        with (
            redis.Redis.from_url(server.url_of(f"qtasks-{role}", "guess")) as client,
            pytest.raises(redis.AuthenticationError),
        ):
            client.ping()

    def test_the_keys_are_those_of_the_prefix(self, role: str) -> None:
        assert " resetkeys ~shop:* resetchannels -@all " in read(role, "shop")

    def test_a_role_runs_scripts_that_exist(self, role: str) -> None:
        assert set(ROLES[role]) <= set(NAMES)


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'admin' is no role .* producer, worker, exporter"):
        read("admin")
