"""What the doctor says of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from qtasks.adapters.redis import RedisBroker
from qtasks.adapters.redis.acl import read
from qtasks.adapters.redis.checks import durability, exposure, releases, service
from qtasks.adapters.redis.checks.sight import Sight
from qtasks.adapters.redis.greeting import Greeting
from qtasks.adapters.redis.url import parse_url
from qtasks.exc import ServerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers.cluster import Cluster
    from servers.process import Server
    from servers.programs import Program
    from servers.sentinel import Sentinels

    from qtasks.schemas import Finding

GIB = 1 << 30


def sight(url: str = "redis://127.0.0.1", **changes: Any) -> Sight:
    """Returns what a server in order shows, with changes; ``info`` and ``settings`` are merged."""
    info = {
        "redis_version": "8.10.3",
        "role": "master",
        "aof_enabled": 1,
        "aof_last_write_status": "ok",
        "maxmemory_policy": "noeviction",
        "maxmemory": GIB,
        "used_memory": GIB // 2,
        "maxclients": 10_000,
        "connected_clients": 3,
    }
    settings = {"appendfsync": "always", "bind": "127.0.0.1 -::1", "protected-mode": "yes"}
    whole = Sight(
        place="127.0.0.1:6379",
        target=parse_url(url),
        greeting=Greeting("redis", "8.10.3"),
        info=info | changes.pop("info", {}),
        settings=settings | changes.pop("settings", {}),
        default_open=False,
        ahead=0.0,
    )
    return msgspec.structs.replace(whole, **changes)


def level(finding: Finding | None) -> str | None:
    return None if finding is None else finding.level


async def diagnosis(url: str) -> dict[str, Finding]:
    """Returns what the doctor finds, by subject."""
    broker = RedisBroker(url)
    await broker.start()
    try:
        found = await broker.diagnose()
    finally:
        await broker.stop()
    assert len({finding.subject for finding in found}) == len(found)
    return {finding.subject: finding for finding in found}


async def test_a_server_in_order_is_well(
    redis_program: Program, make_server: Callable[..., Server]
) -> None:
    server = make_server(redis_program, durable=True, password="s3cret")
    found = await diagnosis(server.url)
    found.pop("release")
    assert {finding.level for finding in found.values()} == {"ok"}
    assert list(found) == [
        *("server", "persistence", "disk", "eviction", "memory", "password", "account", "clock"),
        "connections",
    ]
    name = "Valkey" if "valkey" in redis_program.name else "Redis"
    place = f"{name} {redis_program.version} at 127.0.0.1:{server.port}"
    assert found["server"].message == f"{place}."
    assert found["password"].message == "Nobody gets in without one."


async def test_a_server_that_keeps_nothing_is_told(make_server: Callable[..., Server]) -> None:
    finding = (await diagnosis(make_server().url))["persistence"]
    assert (finding.level, finding.fix) == ("warning", "Set appendonly yes.")
    assert finding.message == "Nothing is written to disk: a restart of the server loses all tasks."


async def test_snapshots_alone_are_told(make_server: Callable[..., Server]) -> None:
    server = make_server()
    server.config(save="3600 1")
    finding = (await diagnosis(server.url))["persistence"]
    assert finding.message == (
        "Only snapshots are taken (save 3600 1): a crash loses all tasks since the last."
    )


async def test_eviction_is_an_error(make_server: Callable[..., Server]) -> None:
    server = make_server(maxmemory="200mb", maxmemory_policy="allkeys-lru")
    finding = (await diagnosis(server.url))["eviction"]
    assert (finding.level, finding.fix) == ("error", "Set maxmemory-policy noeviction.")


async def test_what_may_not_be_asked_is_a_finding(
    redis_program: Program, make_server: Callable[..., Server]
) -> None:
    line = read("worker").replace(" off resetpass ", " on >s3cret ")
    server = make_server(redis_program, aclfile=f"user default on nopass ~* &* +@all\n{line}")
    found = await diagnosis(server.url_of("qtasks-worker", "s3cret"))
    assert found["rights"].level == "warning"
    assert found["rights"].message == (
        "This user may not ask INFO, CONFIG GET, ACL GETUSER: persistence, eviction and memory"
        " are unknown."
    )
    assert not {"persistence", "eviction", "memory", "disk"} & set(found)
    assert found["account"].message == "User 'qtasks-worker'."


async def test_an_account_may_be_allowed_to_look(make_server: Callable[..., Server]) -> None:
    line = read("worker").replace(" off resetpass ", " on >s3cret ").rstrip()
    rights = "+info +time +config|get +acl|getuser +cluster|info"
    server = make_server(aclfile=f"user default off\n{line} {rights}\n")
    server.password = None
    found = await diagnosis(server.url_of("qtasks-worker", "s3cret"))
    assert "rights" not in found
    assert found["password"].message == "Nobody gets in without one."


async def test_a_cluster_is_looked_at_as_a_whole(valkey_cluster: Cluster) -> None:
    found = await diagnosis(valkey_cluster.urls[0])
    assert found["server"].message.endswith(", a cluster of 3 masters.")
    assert found["cluster"].level == "ok"
    bad = valkey_cluster.members[1]
    bad.config(maxmemory_policy="allkeys-lru", maxmemory=GIB)
    try:
        finding = (await diagnosis(valkey_cluster.urls[0]))["eviction"]
    finally:
        bad.config(maxmemory_policy="noeviction", maxmemory=0)
    assert finding.level == "error"
    assert finding.message.startswith(f"127.0.0.1:{bad.port}: When memory is full")


async def test_a_member_that_is_away_is_told(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(cluster_require_full_coverage="no")
    broker = RedisBroker(cluster.urls[0])
    await broker.start()
    try:
        cluster.members[2].kill()
        found = await broker.diagnose()
    finally:
        await broker.stop()
    assert (found[0].level, found[0].subject) == ("error", "member")
    assert found[0].message.startswith(f"127.0.0.1:{cluster.members[2].port}: ")


async def test_a_watched_master_is_looked_at(make_sentinels: Callable[..., Sentinels]) -> None:
    (port,) = (sentinels := make_sentinels(count=1)).ports
    found = await diagnosis(f"redis://127.0.0.1:{port}?sentinel={sentinels.service}")
    assert found["replicas"].level == "ok"
    assert found["replicas"].message.startswith("1 copy the data, a moment later")


async def test_no_answer_is_an_error(make_server: Callable[..., Server]) -> None:
    server = make_server()
    broker = RedisBroker(server.url)
    await broker.start()
    try:
        server.kill()
        with pytest.raises(ServerUnavailableError):
            await broker.diagnose()
    finally:
        await broker.stop()


@pytest.mark.parametrize(
    ("server", "version", "expected", "newest"),
    [
        ("redis", "6.2.14", "warning", "6.2.24"),
        ("redis", "6.2.24", "ok", ""),
        ("redis", "7.0.15", "warning", "7.2.16"),
        ("redis", "7.4.6", "warning", "7.4.11"),
        ("redis", "7.4.11", "ok", ""),
        ("redis", "8.0.4", "warning", "8.2.9"),
        ("redis", "8.8.1", "warning", "8.8.2"),
        ("redis", "9.0.0", "ok", ""),
        ("valkey", "8.1.4", "warning", "8.1.9"),
        ("valkey", "8.1.9", "ok", ""),
        ("valkey", "9.1.2", "ok", ""),
        ("valkey", "10.0.0", "ok", ""),
        ("dragonfly", "1.0", None, ""),
        ("redis", "unstable", None, ""),
    ],
)
def test_releases_with_holes(server: str, version: str, expected: str | None, newest: str) -> None:
    info = {f"{server}_version": version}
    finding = releases.release(sight(info=info, greeting=Greeting(server, version)))
    assert level(finding) == expected
    if newest:
        assert finding is not None
        assert f"Update to {newest} or newer" in finding.fix


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "ok"),
        ({"settings": {"appendfsync": "everysec"}}, "ok"),
        ({"settings": {"appendfsync": "no"}}, "warning"),
        ({"info": {"aof_enabled": 0}, "settings": {"save": ""}}, "warning"),
        ({"info": {"aof_enabled": 0}}, "warning"),
    ],
)
def test_persistence(changes: dict[str, Any], expected: str) -> None:
    assert level(durability.persistence(sight(**changes))) == expected


@pytest.mark.parametrize(
    "field", ["aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status"]
)
def test_a_write_that_failed_is_an_error(field: str) -> None:
    assert level(durability.disk(sight())) == "ok"
    assert level(durability.disk(sight(info={field: "err"}))) == "error"


@pytest.mark.parametrize(
    ("policy", "limit", "expected"),
    [
        ("noeviction", GIB, "ok"),
        ("allkeys-lru", 0, "ok"),
        ("allkeys-lru", GIB, "error"),
        ("volatile-ttl", GIB, "warning"),
    ],
)
def test_eviction(policy: str, limit: int, expected: str) -> None:
    info = {"maxmemory_policy": policy, "maxmemory": limit}
    assert level(durability.eviction(sight(info=info))) == expected


def test_keys_that_were_evicted_are_told() -> None:
    assert durability.evicted(sight()) is None
    assert level(durability.evicted(sight(info={"evicted_keys": 3}))) == "warning"


@pytest.mark.parametrize(
    ("used", "limit", "expected"),
    [(1, 10, "ok"), (9, 10, "warning"), (10, 10, "error"), (19, 0, "warning"), (2, 0, "ok")],
)
def test_memory(used: int, limit: int, expected: str) -> None:
    info = {"used_memory": used * GIB, "maxmemory": limit * GIB, "total_system_memory": 20 * GIB}
    assert level(durability.memory(sight(info=info))) == expected


def test_a_watched_master_needs_a_replica() -> None:
    assert durability.replicas(sight()) is None
    assert level(durability.replicas(sight("redis://h?sentinel=m"))) == "warning"


@pytest.mark.parametrize(
    ("url", "changes", "expected"),
    [
        ("redis://127.0.0.1", {"default_open": True}, "ok"),
        ("unix:///run/redis.sock", {"default_open": True}, "ok"),
        ("redis://redis.example", {"default_open": True}, "warning"),
        ("redis://redis.example", {"default_open": None}, "warning"),
        ("redis://:pw@redis.example", {"default_open": None}, None),
        ("redis://redis.example", {"default_open": False}, "ok"),
        ("redis://localhost", {"default_open": True, "settings": {"bind": "0.0.0.0"}}, "ok"),
        (
            "redis://localhost",
            {"default_open": True, "settings": {"bind": "0.0.0.0", "protected-mode": "no"}},
            "warning",
        ),
        (
            "redis://localhost",
            {
                "default_open": True,
                "settings": {"bind": "0.0.0.0"},
                "greeting": Greeting("redis", "6.2.24"),
            },
            "warning",
        ),
        (
            "redis://localhost",
            {
                "default_open": True,
                "settings": {"bind": ""},
                "greeting": Greeting("redis", "6.2.24"),
            },
            "ok",
        ),
    ],
)
def test_passwords(url: str, changes: dict[str, Any], expected: str | None) -> None:
    assert level(exposure.password(sight(url, **changes))) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://127.0.0.1", None),
        ("unix:///run/redis.sock", None),
        ("redis://redis.example", "warning"),
        ("rediss://redis.example?ssl_verify=none", "warning"),
        ("rediss://redis.example", "ok"),
    ],
)
def test_encryption(url: str, expected: str | None) -> None:
    assert level(exposure.encryption(sight(url))) == expected


@pytest.mark.parametrize(
    ("ahead", "expected"), [(0.5, "ok"), (-90.0, "warning"), (90.0, "warning"), (None, None)]
)
def test_clocks(ahead: float | None, expected: str | None) -> None:
    finding = service.clock(sight(ahead=ahead))
    assert level(finding) == expected
    if expected == "warning":
        assert finding is not None
        assert f"90 s {'ahead of' if ahead == 90.0 else 'behind'} the one here" in finding.message


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({}, "ok"),
        ({"connected_clients": 9_000}, "warning"),
        ({"rejected_connections": 1}, "warning"),
    ],
)
def test_connections(info: dict[str, int], expected: str) -> None:
    assert level(service.connections(sight(info=info))) == expected


def test_a_time_limit_on_rest_is_told() -> None:
    assert service.idle(sight(settings={"timeout": "0"})) is None
    assert "after 300 s of rest" in str(service.idle(sight(settings={"timeout": "300"})))


def test_a_replica_is_an_error() -> None:
    assert service.role(sight()) is None
    assert level(service.role(sight(info={"role": "slave"}))) == "error"


def test_slots_that_nobody_serves_are_an_error() -> None:
    whole = {"cluster_state": "ok", "cluster_slots_ok": "16384"}
    assert service.slots(sight()) is None
    assert level(service.slots(sight(cluster=whole))) == "ok"
    finding = service.slots(sight(cluster=whole | {"cluster_slots_ok": "10000"}))
    assert level(finding) == "error"
    assert "Only 10000 of 16384 slots are served" in str(finding)


async def test_a_look_needs_few_round_trips(make_server: Callable[..., Server]) -> None:
    """Each setting is asked for alone, but that is all; and nothing is written."""
    server = make_server()
    broker = RedisBroker(server.url)
    await broker.start()
    try:
        before = server.execute("INFO", "stats")["total_commands_processed"]
        changes = server.execute("INFO", "persistence")["rdb_changes_since_last_save"]
        await broker.diagnose()
        after = server.execute("INFO", "stats")["total_commands_processed"]
        assert after - before < 20
        assert server.execute("INFO", "persistence")["rdb_changes_since_last_save"] == changes
    finally:
        await broker.stop()
