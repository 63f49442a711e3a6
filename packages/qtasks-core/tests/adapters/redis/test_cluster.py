"""What is different on a cluster: slots, moves, and members that are away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from redis.crc import key_slot

from qtasks.adapters.redis import RedisBroker
from qtasks.adapters.redis.engine import Engine
from qtasks.adapters.redis.greeting import Greeting
from qtasks.exc import ServerUnavailableError
from qtasks.schemas import Claim, Message, Receipt, Settlement, Success

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from servers.cluster import Cluster
    from servers.process import Server


def message(number: int, queue: str = "q", **fields: Any) -> Message:
    return Message(f"id-{number}", "task", queue, b"", **fields)


def claim(*queues: str, limit: int = 100) -> Claim:
    return Claim(queues=queues, limit=limit, lease=1000.0, worker="w")


@pytest.fixture
async def broker(valkey_cluster: Cluster) -> AsyncIterator[RedisBroker]:
    broker = RedisBroker(valkey_cluster.urls[0])
    await broker.start()
    yield broker
    await broker.stop()


def queue_of(cluster: Cluster, member: Server) -> str:
    """Returns the name of a queue whose slot a member has."""
    return next(f"q{n}" for n in range(1000) if cluster.owner(f"{{q{n}}}") is member)


def move(cluster: Cluster, queue: str, source: Server, sink: Server, *, until: str = "") -> None:
    """Moves the slot of a queue as ``redis-cli --cluster reshard`` does, up to a step."""
    slot = key_slot(f"{{{queue}}}".encode())
    ids = {member: member.execute("CLUSTER", "MYID") for member in cluster.members}
    sink.execute("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
    source.execute("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[sink])
    keys = source.execute("CLUSTER", "GETKEYSINSLOT", slot, 1000)
    if until == "half":
        keys = keys[: len(keys) // 2]
    for key in keys:
        source.execute("MIGRATE", "127.0.0.1", sink.port, key, 0, 5000)
    if until != "half":
        for member in (sink, source):
            member.execute("CLUSTER", "SETSLOT", slot, "NODE", ids[sink])


@pytest.mark.parametrize(
    "name", ["q", "{q}", "}{", "a}b{c}", "@", "{@}", "%7D", "{}", "очередь", "%"]
)
def test_all_keys_of_a_queue_are_in_one_slot(name: str) -> None:
    engine = Engine("redis://localhost", None, per_queue=True)
    engine.greeting = Greeting(mode="cluster")
    shard = engine.shard(name)
    assert key_slot(shard.encode()) == key_slot(f"{shard}r:0:{name}".encode())
    assert shard != engine.main


def test_names_that_look_alike_have_shards_of_their_own() -> None:
    engine = Engine("redis://localhost", None, per_queue=True)
    engine.greeting = Greeting(mode="cluster")
    names = ["a}", "a%7D", "a%257D", "a", "@", "%40", "{@}", "{a}", "", "%"]
    assert len({engine.shard(name) for name in names}) == len(names)


async def test_queues_are_spread_over_the_members(
    broker: RedisBroker, valkey_cluster: Cluster
) -> None:
    queues = [queue_of(valkey_cluster, member) for member in valkey_cluster.members]
    messages = [message(number, queue) for number, queue in enumerate(queues)]
    await broker.publish(messages)
    assert all(member.execute("DBSIZE") for member in valkey_cluster.members)
    found = await broker.claim(claim(*queues))
    assert {delivery.id for delivery in found} == {message.id for message in messages}
    assert await broker.queues() == sorted(queues)


async def test_one_call_to_several_queues_may_be_sent_again(broker: RedisBroker) -> None:
    """Such a call is a step for each queue; the repetition queues what is missing."""
    some, all_of_it = [message(1, "a")], [message(1, "a"), message(2, "b"), message(3, "c")]
    await broker.publish(some)
    receipts = await broker.publish(all_of_it)
    assert [receipt.created for receipt in receipts] == [False, True, True]
    assert len(await broker.claim(claim("a", "b", "c"))) == 3


async def test_unique_keys_hold_within_a_queue(broker: RedisBroker) -> None:
    """As documented: on a cluster another queue does not see them."""
    await broker.publish([message(1, "a", unique_key="k")])
    same, other = message(2, "a", unique_key="k"), message(3, "b", unique_key="k")
    assert await broker.publish([same, other]) == [
        Receipt("id-1", created=False),
        Receipt("id-3", created=True),
    ]


async def test_a_moved_slot_is_followed(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster()
    source, sink, _ = cluster.members
    queue = queue_of(cluster, source)
    broker = RedisBroker(cluster.urls[2])
    await broker.start()
    try:
        await broker.publish([message(1, queue), message(2, queue)])
        (held,) = await broker.claim(claim(queue, limit=1))
        move(cluster, queue, source, sink)
        assert (
            await broker.settle([Settlement(held.id, held.token, Success(), receipt=held.receipt)])
            == []
        )
        (other,) = await broker.claim(claim(queue))
        assert (held.id, other.id) == ("id-1", "id-2")
        assert sink.execute("DBSIZE") > 0
    finally:
        await broker.stop()


async def test_a_slot_that_moves_at_once_is_followed(
    make_cluster: Callable[..., Cluster],
) -> None:
    """As Valkey 9 can do it: the keys are on one node at any time."""
    cluster = make_cluster()
    source, sink, _ = cluster.members
    queue = queue_of(cluster, source)
    slot = key_slot(f"{{{queue}}}".encode())
    broker = RedisBroker(cluster.urls[2])
    await broker.start()
    try:
        await broker.publish([message(n, queue) for n in range(50)])
        id_ = sink.execute("CLUSTER", "MYID")
        source.execute("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", id_)
        found: list[str] = []
        while len(found) < 50:
            found += await patiently(broker, claim(queue, limit=5))
        assert found == [f"id-{n}" for n in range(50)]
        async with asyncio.timeout(60):
            while not sink.execute("CLUSTER", "COUNTKEYSINSLOT", slot):
                await asyncio.sleep(0.01)
        assert await broker.publish([message(1, queue)]) == [Receipt("id-1", created=False)]
    finally:
        await broker.stop()


async def test_a_queue_waits_while_its_slot_is_moved(make_cluster: Callable[..., Cluster]) -> None:
    """Half of its keys would look like all of them: known ids unknown, tasks not there."""
    cluster = make_cluster()
    source, sink, _ = cluster.members
    queue = queue_of(cluster, source)
    broker = RedisBroker(cluster.urls[0])
    await broker.start()
    try:
        await broker.publish([message(1, queue)])
        move(cluster, queue, source, sink, until="half")
        for call in (
            broker.publish([message(1, queue)]),
            broker.claim(claim(queue)),
            broker.ready([queue], 1.0),
        ):
            with pytest.raises(ServerUnavailableError, match="being moved"):
                await call
        move(cluster, queue, source, sink)
        assert await broker.publish([message(1, queue)]) == [Receipt("id-1", created=False)]
        assert [delivery.id for delivery in await broker.claim(claim(queue))] == ["id-1"]
    finally:
        await broker.stop()


async def test_a_member_that_comes_back_is_used_again(
    make_cluster: Callable[..., Cluster],
) -> None:
    cluster = make_cluster(durable=True, cluster_require_full_coverage="no")
    member = cluster.members[1]
    queues = [queue_of(cluster, each) for each in cluster.members]
    broker = RedisBroker(cluster.urls[0])
    await broker.start()
    try:
        await broker.publish([message(number, queue) for number, queue in enumerate(queues)])
        member.kill()
        with pytest.raises(ServerUnavailableError):
            await broker.claim(claim(*queues))
        member.start()
        found = await patiently(broker, claim(*queues))
        assert sorted(found) == ["id-0", "id-1", "id-2"]
    finally:
        await broker.stop()


async def test_nothing_is_claimed_for_nobody_when_a_member_is_away(
    make_cluster: Callable[..., Cluster],
) -> None:
    """What the members before it had handed out comes again with the next claim."""
    cluster = make_cluster(durable=True, cluster_require_full_coverage="no")
    first, second, _ = (queue_of(cluster, member) for member in cluster.members)
    broker = RedisBroker(cluster.urls[0])
    await broker.start()
    try:
        await broker.publish([message(1, first), message(2, second)])
        cluster.members[1].kill()
        with pytest.raises(ServerUnavailableError):
            await broker.claim(claim(first, second))
        (delivery,) = await broker.claim(claim(first))
        assert (delivery.id, delivery.deliveries, delivery.lost) == ("id-1", 1, 0)
    finally:
        await broker.stop()


async def test_a_member_that_dies_for_good_is_replaced_by_its_replica(
    make_cluster: Callable[..., Cluster],
    make_server: Callable[..., Server],
) -> None:
    cluster = make_cluster()
    member = cluster.members[1]
    queue = queue_of(cluster, member)
    replica = make_server(cluster_enabled="yes", cluster_node_timeout=2000, databases=1)
    replica.execute("CLUSTER", "MEET", "127.0.0.1", member.port)
    broker = RedisBroker(cluster.urls[0])
    await broker.start()
    try:
        await broker.publish([message(1, queue)])
        await joined(replica, member)
        member.kill()
        assert await patiently(broker, claim(queue)) == ["id-1"]
    finally:
        await broker.stop()


async def joined(replica: Server, member: Server) -> None:
    """Makes a server the replica of a member, and waits until it has its data."""
    id_ = member.execute("CLUSTER", "MYID")
    async with asyncio.timeout(60):
        while id_ not in str(replica.execute("CLUSTER NODES")):
            await asyncio.sleep(0.01)
        replica.execute("CLUSTER", "REPLICATE", id_)
        while not (replica.execute("ROLE")[3] == "connected" and replica.execute("DBSIZE")):
            await asyncio.sleep(0.01)


async def patiently(broker: RedisBroker, request: Claim) -> list[str]:
    """Claims until the servers are there again and something is found; returns the ids."""
    async with asyncio.timeout(60):
        while True:
            try:
                found = await broker.claim(request)
            except ServerUnavailableError:
                await asyncio.sleep(0.05)
                continue
            if found:
                return [delivery.id for delivery in found]
