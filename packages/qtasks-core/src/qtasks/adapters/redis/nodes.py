"""Several servers of one kind, of which some may be away."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
from redis import exceptions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from qtasks.adapters.redis.links import Link
    from qtasks.adapters.redis.url import Target

__all__ = ["LOST", "Nodes", "Place", "attempt"]

#: Host and port of a node.
Place: TypeAlias = tuple[str, int]

#: What the driver raises when a node is away.
LOST: Final = (exceptions.ConnectionError, exceptions.TimeoutError, OSError)


class Nodes:
    """Links to nodes, made when they are needed.

    Args:
        target: the hosts that are known at first, and how to talk to them.
        kind: makes the link to one node.
    """

    def __init__(self, target: Target, kind: Callable[[Target], Link]) -> None:
        self._target = target
        self._kind = kind
        self._known: list[Place] = list(target.hosts)
        self._links: dict[Place, Link] = {}
        self._lock = threading.Lock()

    @property
    def first(self) -> Place:
        """The node that is asked first."""
        return self._known[0]

    def link(self, place: Place) -> Link:
        """Returns the link to a node."""
        with self._lock:
            link = self._links.get(place)
            if link is None:
                node = msgspec.structs.replace(self._target, hosts=(place,), sentinel=None)
                link = self._links[place] = self._kind(node)
        return link

    def met(self, places: Iterable[Place]) -> None:
        """Notes that these are nodes too."""
        self._known = list(dict.fromkeys([*self._known, *places]))

    def lost(self, place: Place) -> None:
        """Notes that a node is away; it is asked last."""
        self._known = sorted(self._known, key=place.__eq__)

    async def ask(self, *command: Any) -> Any:
        """Sends a command to the first node that answers."""
        *others, last = self._known
        for place in others:
            try:
                return await self.link(place).call(*command)
            except LOST:
                self.lost(place)
        return await self.link(last).call(*command)

    async def close(self) -> None:
        """Disconnects from all."""
        with self._lock:
            links, self._links = self._links, {}
        for link in links.values():
            await link.close()


async def attempt(call: Awaitable[Any]) -> Any:
    """Returns the answer of a call, or the error it met."""
    try:
        return await call
    except (exceptions.RedisError, OSError) as error:
        return error
