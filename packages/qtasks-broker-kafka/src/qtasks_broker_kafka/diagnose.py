"""What a look at the servers tells about their fitness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiokafka import errors
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from qtasks.schemas import Finding
from qtasks_broker_kafka.names import topic_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtasks_broker_kafka.engine import Engine

__all__ = ["diagnose"]

_DAY: Final = 86400.0
#: The part of the time that a task is kept after which its age is worth a warning.
_OLD: Final = 0.5
_MS: Final = 1000


async def diagnose(engine: Engine) -> list[Finding]:
    """Returns findings about servers, topics and lag; it only reads."""
    cluster = await engine.admin.describe_cluster()
    servers = len(cluster["brokers"])
    topics = {
        topic_of(engine.options.prefix, queue): queue for queue in await engine.topics.queues()
    }
    described = await engine.admin.describe_topics(sorted(topics)) if topics else []
    configs = await _configs(engine, topics)
    return [
        Finding("ok", "server", f"Kafka at {engine.options.place} has {servers} server(s)."),
        _encryption(engine),
        _replication(described, servers),
        _in_sync(configs),
        _retention(configs),
        _partitions(described),
        await _idempotence(engine),
        await _age(engine, configs, topics),
    ]


async def _configs(engine: Engine, topics: Iterable[str]) -> dict[str, dict[str, str]]:
    """Returns the settings of topics; of those that may not be read, none."""
    found: dict[str, dict[str, str]] = {}
    wanted = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in sorted(topics)]
    if not wanted:
        return found
    try:
        answers = await engine.admin.describe_configs(wanted)
    except (errors.KafkaError, IndexError):
        return found
    for answer in answers:
        for code, _, _, name, entries in answer.resources:
            if code == 0:
                found[name] = {entry[0]: entry[1] for entry in entries if entry[1] is not None}
    return found


def _encryption(engine: Engine) -> Finding:
    hosts = {host for host, _ in engine.options.hosts}
    local = all(host in {"localhost", "::1"} or host.startswith("127.") for host in hosts)
    if engine.options.tls or local:
        how = "encrypted" if engine.options.tls else "local"
        return Finding("ok", "connection", f"The connection is {how}.")
    return Finding(
        "warning",
        "connection",
        "The connection is not encrypted, so others in the network can read tasks.",
        "Write kafkas:// and the port for TLS.",
    )


def _replication(described: Iterable[dict[str, Any]], servers: int) -> Finding:
    copies = {
        topic["topic"]: min((len(one["replicas"]) for one in topic["partitions"]), default=0)
        for topic in described
    }
    least = min(copies.values(), default=0)
    if not copies:
        return Finding("ok", "replication", "There are no topics yet.")
    if least > 1:
        return Finding("ok", "replication", f"Every topic has {least} copies or more.")
    single = _some(topic for topic, number in copies.items() if number == least)
    fix = (
        "Give these topics more replicas with kafka-reassign-partitions.sh."
        if servers > 1
        else "Run three servers, and give the topics three replicas."
    )
    message = f"{single} have one copy, so the loss of one server's disk loses tasks."
    return Finding("warning", "replication", message, fix)


def _in_sync(configs: dict[str, dict[str, str]]) -> Finding:
    values = {topic: _whole(found.get("min.insync.replicas")) for topic, found in configs.items()}
    known = {topic: value for topic, value in values.items() if value is not None}
    if not known:
        return Finding("ok", "min.insync.replicas", "The server does not tell it, or has no topic.")
    low = [topic for topic, value in known.items() if value < 2]  # noqa: PLR2004 - one is none
    if not low:
        return Finding("ok", "min.insync.replicas", "Two servers or more have each accepted task.")
    return Finding(
        "warning",
        "min.insync.replicas",
        f"{_some(low)} accept tasks that one server alone has, so its loss may lose them.",
        "Set min.insync.replicas to 2 with three replicas.",
    )


def _retention(configs: dict[str, dict[str, str]]) -> Finding:
    short = [
        topic
        for topic, found in configs.items()
        if (kept := _kept(found)) is not None and kept < _DAY
    ]
    sized = [
        topic
        for topic, found in configs.items()
        if (_whole(found.get("retention.bytes")) or -1) > 0
    ]
    if not short and not sized:
        return Finding("ok", "retention", "No topic drops tasks within a day, or by size.")
    why = "drop tasks that wait for less than a day" if short else "drop tasks beyond a size"
    return Finding(
        "error",
        "retention",
        f"{_some(short or sized)} {why}, whether they have run or not.",
        "Set retention.ms to longer than workers may ever be away, and retention.bytes to -1.",
    )


def _partitions(described: Iterable[dict[str, Any]]) -> Finding:
    numbers = {topic["topic"]: len(topic["partitions"]) for topic in described}
    single = [topic for topic, number in numbers.items() if number == 1]
    if not single:
        return Finding("ok", "partitions", "Every topic can be shared by several workers.")
    return Finding(
        "warning",
        "partitions",
        f"{_some(single)} have one partition, so one worker at a time takes from them.",
        "Add partitions with kafka-topics.sh --alter, unless one order of all tasks is wanted.",
    )


async def _idempotence(engine: Engine) -> Finding:
    reason = await engine.publisher.idempotence()
    if not reason or engine.options.idempotence == "off":
        what = "are not asked for" if reason else "are used"
        return Finding("ok", "idempotence", f"Idempotent producers {what}.")
    return Finding(
        "warning",
        "idempotence",
        f"The server has no idempotent producers ({reason}), so a repeated send may leave two"
        " records of a task, of which one is run.",
        "Nothing is lost or run twice by it; idempotence=off in the URL says that you know.",
    )


async def _age(
    engine: Engine, configs: dict[str, dict[str, str]], topics: dict[str, str]
) -> Finding:
    oldest, lag, late = 0.0, 0, ""
    for topic, queue in topics.items():
        kept = _kept(configs.get(topic, {})) or engine.options.retention
        for one in await engine.counting.partitions(queue):
            lag += one.lag
            oldest = max(oldest, one.oldest_age or 0.0)
            if (one.oldest_age or 0.0) > kept * _OLD:
                late = late or f"{topic!r}, partition {one.partition}"
    if late:
        return Finding(
            "error",
            "lag",
            f"Tasks of {late} have waited for more than half of the time that they are kept.",
            "Start more workers, or raise retention.ms before the tasks are dropped.",
        )
    return Finding("ok", "lag", f"{lag} tasks are not done; the oldest is {oldest:.0f} s old.")


def _kept(found: dict[str, str]) -> float | None:
    """Returns for how many seconds a topic keeps tasks, or None if it says nothing or for ever."""
    kept = _whole(found.get("retention.ms"))
    return None if kept is None or kept < 0 else kept / _MS


def _whole(text: str | None) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None


def _some(topics: Iterable[str]) -> str:
    """Returns a few names for a sentence."""
    names = sorted(topics)
    shown = ", ".join(repr(name) for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown  # noqa: PLR2004 - few
