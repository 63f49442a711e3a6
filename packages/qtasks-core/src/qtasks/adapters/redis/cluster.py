"""Connections to a cluster: one link to each node, and the map of the slots.

The driver has a client for clusters too. Ours differs in what matters here: only a call that was
not carried out for certain is repeated, one that fails leaves the connections of all others alone,
and nobody follows a slot that is just being moved, because its keys are on two nodes then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from redis import exceptions
from redis.crc import key_slot

from qtasks.adapters.redis.nodes import LOST, Nodes, Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks.adapters.redis.links import Link, Way
    from qtasks.adapters.redis.url import Target

__all__ = ["ClusterLink"]

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
        self._nodes = Nodes(target, kind)
        self._owners: dict[int, Place] = {}
        self._stale = True

    async def call(self, *command: Any) -> Any:
        """Sends one command; one without a key goes to any node."""
        return await self._send(command, "call")

    async def block(self, *command: Any) -> Any:
        """Sends one command that waits at the server."""
        return await self._send(command, "block")

    async def bulk(self, *command: Any) -> Any:
        """Sends one command, apart from the others."""
        return await self._send(command, "bulk")

    async def everywhere(self, *command: Any) -> dict[str, Any]:
        """Sends one command to every node that has slots; errors are among the answers."""
        if self._stale:
            await self._look()
        answers = {}
        for host, port in sorted(set(self._owners.values())):
            one = await self._nodes.link((host, port)).everywhere(*command)
            answers.update(dict.fromkeys([f"{host}:{port}"], *one.values()))
        return answers

    async def close(self) -> None:
        """Disconnects from all nodes."""
        await self._nodes.close()

    async def _send(self, command: tuple[Any, ...], way: Way) -> Any:
        where = _KEYS.get(command[0])
        if where is None:
            return await self._nodes.ask(*command)
        slot = key_slot(command[where].encode())
        moved: Place | None = None
        for _ in range(_MOVES):
            place = moved or await self._owner(slot)
            link = self._nodes.link(place)
            try:
                return await getattr(link, way)(*command)
            except exceptions.MovedError as error:
                moved = (error.host or place[0], error.port)
                self._stale = True
            except exceptions.AskError as error:
                # Some of its keys are there already, the others still here, and a script would
                # take the one or the other for all. Work goes on when all have arrived.
                msg = f"slot {slot} is being moved"
                raise exceptions.TryAgainError(msg) from error
            except LOST:
                self._nodes.lost(place)
                self._stale = True
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
        """Reads the map of the slots."""
        slots = await self._nodes.ask("CLUSTER", "SLOTS")
        owners: dict[int, Place] = {}
        for start, end, (host, port, *_), *_replicas in slots:
            place = (_text(host) or self._nodes.first[0], int(port))
            owners.update(dict.fromkeys(range(start, end + 1), place))
        self._nodes.met(owners.values())
        self._owners, self._stale = owners, False


def _text(host: bytes | None) -> str:
    """Returns a host, empty if the node does not know its own address."""
    text = "" if host is None else host.decode()
    return "" if text == "?" else text
