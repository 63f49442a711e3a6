"""Which topics there are, and making those that are missing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from aiokafka import errors
from aiokafka.admin import NewTopic

from qtasks.exc import ServerError
from qtasks_broker_kafka.faults import translate
from qtasks_broker_kafka.names import control_topic, queue_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiokafka.admin import AIOKafkaAdminClient

    from qtasks_broker_kafka.options import Options

__all__ = ["Topics"]

#: A topic has this many copies unless the URL says otherwise, or fewer servers are there.
_COPIES: Final = 3
_EXISTS: Final = 36
_MS: Final = 1000
_HOUR: Final = "3600000"


class Topics:
    """Knows the topics of a server, and makes those of a prefix.

    Args:
        admin: asks and tells the server.
        options: what the URL says.
    """

    def __init__(self, admin: AIOKafkaAdminClient, options: Options) -> None:
        self._admin = admin
        self._options = options
        self._known: set[str] = set()
        self._making = asyncio.Lock()

    async def refresh(self) -> set[str]:
        """Returns the names of all topics of the server."""
        self._known = {*await self._admin.list_topics()}
        return set(self._known)

    def forget(self) -> None:
        """Looks anew when topics are asked for next."""
        self._known = set()

    async def missing(self, names: Iterable[str]) -> set[str]:
        """Returns those of the topics that are not there."""
        missing = set(names) - self._known
        return missing - await self.refresh() if missing else missing

    async def queues(self) -> list[str]:
        """Returns the names of the queues that have topics, sorted."""
        found = (queue_of(self._options.prefix, name) for name in await self.refresh())
        return sorted(queue for queue in found if queue is not None)

    async def ensure(self, names: Iterable[str]) -> bool:
        """Makes topics that are missing; returns whether there were any.

        Raises:
            ServerError: they may not be made, or cannot be.
        """
        wanted = set(names)
        if wanted <= self._known:
            return False
        async with self._making:
            missing = await self.missing(wanted)
            if missing and not self._options.create:
                shown = ", ".join(repr(name) for name in sorted(missing))
                msg = (
                    f"Kafka at {self._options.place} has no topic {shown}, and create=false: make"
                    " it, or leave create= out of the URL"
                )
                raise ServerError(msg)
            if missing:
                await self._make(missing)
            return bool(missing)

    async def _make(self, names: set[str]) -> None:
        servers = len((await self._admin.describe_cluster())["brokers"])
        copies = self._options.replication or min(_COPIES, servers)
        if self._options.min_insync > copies:  # nobody is to believe in copies that are not there
            msg = (
                f"Kafka at {self._options.place} has {servers} server(s), so a topic gets {copies}"
                f" copies, and min_insync={self._options.min_insync} of them can never have a task:"
                " add servers, or use a smaller number in the URL"
            )
            raise ServerError(msg)
        control = control_topic(self._options.prefix)
        new = [
            self._control(name, copies) if name == control else self._queue(name, copies)
            for name in sorted(names)
        ]
        answer = await self._admin.create_topics(new, timeout_ms=int(self._options.timeout * _MS))
        for name, code, *text in answer.topic_errors:
            if code not in {0, _EXISTS}:
                reason = errors.for_code(code)(*[part for part in text if part])
                raise self._cannot_make(name, copies, servers, reason)
        while not names <= await self.refresh():  # noqa: ASYNC110 - the servers tell each other
            await asyncio.sleep(0.05)

    def _cannot_make(
        self, name: str, copies: int, servers: int, reason: errors.KafkaError
    ) -> ServerError:
        if isinstance(reason, errors.InvalidReplicationFactorError):
            return ServerError(
                f"Kafka at {self._options.place} cannot make topic {name!r} with {copies} copies:"
                f" it has {servers} server(s); use replication={servers} in the URL"
            )
        return translate(reason, self._options)

    def _queue(self, name: str, copies: int) -> NewTopic:
        return self._new(
            name,
            self._options.partitions,
            copies,
            {
                "cleanup.policy": "delete",
                "max.message.bytes": str(self._options.max_message),
                "retention.ms": str(int(self._options.retention * _MS)),
            },
        )

    def _control(self, name: str, copies: int) -> NewTopic:
        # Signs of life come every few seconds: without short segments they would pile up for days.
        configs = {
            "cleanup.policy": "compact",
            "delete.retention.ms": _HOUR,
            "min.cleanable.dirty.ratio": "0.1",
            "segment.ms": _HOUR,
        }
        return self._new(name, 1, copies, configs)

    def _new(self, name: str, partitions: int, copies: int, configs: dict[str, Any]) -> NewTopic:
        in_sync = self._options.min_insync or max(1, copies - 1)
        return NewTopic(
            name,
            partitions,
            copies,
            topic_configs={**configs, "min.insync.replicas": str(in_sync)},
        )

    async def remove_all(self) -> None:
        """Removes all topics of the prefix, with what is in them."""
        while names := {
            name for name in await self.refresh() if name.startswith(self._options.prefix)
        }:
            await self._admin.delete_topics(sorted(names))
            if names & await self.refresh():
                await asyncio.sleep(0.05)
