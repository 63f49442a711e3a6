"""Connections to a cluster: one link to each node, and the map of the slots.

The driver has clients for clusters too. Ours differs in what matters here: a call that was not
carried out for certain is the only one that is repeated, one that fails leaves the connections of
all others alone, and nobody follows a slot that is just being moved (its keys are on two nodes).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
from redis import exceptions
from redis.crc import key_slot

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks.adapters.redis.links import Link
    from qtasks.adapters.redis.url import Target

__all__ = ["ClusterLink"]

#: Host and port of a node.
Place: TypeAlias = tuple[str, int]

#: What the driver raises when a node is away.
LOST: Final = (exceptions.ConnectionError, exceptions.TimeoutError, OSError)
#: How often one call follows a slot to its new place.
_MOVES: Final = 4
#: Where the key of a command is, if it has one.
_KEYS: Final = {"BLPOP": 1, "EVAL": 3, "EVALSHA": 3}


class ClusterLink:
    """Leads each command to the node that has the slot of its key.

    Args:
        target: where some nodes of the cluster are.
        kind: makes the link to one node.
    """

    def __init__(self, target: Target, kind: Callable[[Target], Link]) -> None:
        self._target = target
        self._kind = kind
        self._links: dict[Place, Link] = {}
        self._lock = threading.Lock()
        self._known: list[Place] = list(target.hosts)
        self._owners: dict[int, Place] = {}
        self._stale = True

    async def call(self, *command: Any) -> Any:
        """Sends one command; one without a key goes to any node."""
        return await self._send(command, blocking=False)

    async def block(self, *command: Any) -> Any:
        """Sends one command that waits at the server."""
        return await self._send(command, blocking=True)

    async def everywhere(self, *command: Any) -> dict[str, Any]:
        """Sends one command to every node that has slots; the errors are among the answers."""
        if self._stale:
            await self._look()
        answers: dict[str, Any] = {}
        for host, port in sorted(set(self._owners.values())):
            try:
                answer = await self._link((host, port)).call(*command)
            except (exceptions.RedisError, OSError) as error:
                answer = error
            answers[f"{host}:{port}"] = answer
        return answers

    async def close(self) -> None:
        """Disconnects from all nodes."""
        links, self._links = self._links, {}
        for link in links.values():
            await link.close()

    async def _send(self, command: tuple[Any, ...], *, blocking: bool) -> Any:
        where = _KEYS.get(command[0])
        if where is None:
            return await self._ask_anybody(command)
        slot = key_slot(_bytes(command[where]))
        moved: Place | None = None
        for _ in range(_MOVES):
            place = moved or await self._owner(slot)
            link = self._link(place)
            try:
                return await (link.block if blocking else link.call)(*command)
            except exceptions.MovedError as error:
                moved = (error.host or place[0], error.port)
                self._stale = True
            except exceptions.AskError as error:
                # Some of its keys are there already, the others still here, and a script would
                # take the one or the other for all. Work goes on when all have arrived.
                msg = f"slot {slot} is being moved"
                raise exceptions.TryAgainError(msg) from error
            except LOST:
                self._lost(place)
                raise
            except exceptions.ClusterDownError:
                self._stale = True
                raise
        msg = f"the nodes do not agree who has slot {slot}"
        raise exceptions.ClusterDownError(msg)

    async def _owner(self, slot: int) -> Place:
        """Returns the node that has a slot.

        Raises:
            ClusterDownError: none has it.
        """
        if self._stale:
            await self._look()
        place = self._owners.get(slot)
        if place is None:
            self._stale = True
            msg = f"no node has slot {slot}"
            raise exceptions.ClusterDownError(msg)
        return place

    async def _look(self) -> None:
        """Reads the map of the slots from the first node that answers."""
        slots = await self._ask_anybody(("CLUSTER", "SLOTS"))
        owners: dict[int, Place] = {}
        for start, end, (host, port, *_), *_replicas in slots:
            place = (_text(host) or self._known[0][0], int(port))
            owners.update(dict.fromkeys(range(start, end + 1), place))
        nodes = dict.fromkeys([*owners.values(), *self._known])
        self._owners, self._known, self._stale = owners, list(nodes), False

    async def _ask_anybody(self, command: tuple[Any, ...]) -> Any:
        """Sends a command to the first node that answers; those that do not are asked last."""
        for place in self._known[:-1]:
            try:
                return await self._link(place).call(*command)
            except LOST:
                self._lost(place)
        return await self._link(self._known[-1]).call(*command)

    def _lost(self, place: Place) -> None:
        """Notes that a node is away; another may have taken over its slots."""
        self._stale = True
        self._known = sorted(self._known, key=place.__eq__)

    def _link(self, place: Place) -> Link:
        with self._lock:
            link = self._links.get(place)
            if link is None:
                node = msgspec.structs.replace(self._target, hosts=(place,))
                link = self._links[place] = self._kind(node)
        return link


def _bytes(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else key


def _text(host: bytes | None) -> str:
    """Returns a host, empty if the node does not know its own address."""
    text = "" if host is None else host.decode()
    return "" if text == "?" else text
