"""Connections to the master that Sentinels name.

The driver has a client for that too; ours tells a wrong name from a failover and from Sentinels
that are away, and asks them again after any failure only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from redis import exceptions

from qtasks.adapters.redis.faults import refused
from qtasks.adapters.redis.nodes import LOST, Nodes, Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks.adapters.redis.links import Link, Way
    from qtasks.adapters.redis.url import Target

__all__ = ["MasterUnknownError", "SentinelLink"]


class MasterUnknownError(exceptions.ConnectionError):
    """The Sentinels answer, but name no master."""


class SentinelLink:
    """Leads each command to the master, and to the next master after a failover.

    Args:
        target: where the Sentinels are, and what they call the master.
        kind: makes the link to one server.
    """

    def __init__(self, target: Target, kind: Callable[[Target], Link]) -> None:
        self._name = target.sentinel or ""
        self._has_password = target.sentinel_password is not None
        asked = msgspec.structs.replace(
            target, db=0, username=target.sentinel_username, password=target.sentinel_password
        )
        self._sentinels = Nodes(asked, kind)
        self._servers = Nodes(target, kind)
        self._master: Place | None = None

    async def call(self, *command: Any) -> Any:
        """Sends one command to the master."""
        return await self._send(command, "call")

    async def block(self, *command: Any) -> Any:
        """Sends one command to the master that waits there."""
        return await self._send(command, "block")

    async def bulk(self, *command: Any) -> Any:
        """Sends one command to the master, apart from the others."""
        return await self._send(command, "bulk")

    async def everywhere(self, *command: Any) -> dict[str, Any]:
        """Sends one command to the master; an error is its answer."""
        host, port = self._master or await self._find()
        one = await self._servers.link((host, port)).everywhere(*command)
        return dict.fromkeys([f"{host}:{port}"], *one.values())

    async def close(self) -> None:
        """Disconnects from all."""
        await self._sentinels.close()
        await self._servers.close()

    async def _send(self, command: tuple[Any, ...], way: Way) -> Any:
        place = self._master or await self._find()
        link = self._servers.link(place)
        try:
            return await getattr(link, way)(*command)
        except exceptions.NoScriptError:
            raise
        except (exceptions.RedisError, OSError) as error:
            self._master = None  # it may be a replica by now, or dead
            if not refused(error) or place == await self._find():
                raise
        return await self._send(command, way)

    async def _find(self) -> Place:
        """Asks the Sentinels.

        Raises:
            MasterUnknownError: they know none of this name, or do not tell.
            ConnectionError: none of them answers.
        """
        try:
            found = await self._sentinels.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._name)
        except (exceptions.AuthenticationError, exceptions.NoPermissionError) as error:
            msg = "the Sentinels ask for a password: add &sentinel_password= to the URL"
            if self._has_password:
                msg = "the Sentinels refuse the password in sentinel_password="
            raise MasterUnknownError(msg) from error
        except LOST:
            msg = "no Sentinel answers; are they started, are hosts and ports right?"
            raise exceptions.ConnectionError(msg) from None
        except exceptions.ResponseError as error:
            msg = "these are no Sentinels: name those, at port 26379 usually, or drop ?sentinel="
            raise MasterUnknownError(msg) from error
        if not found:
            msg = f"the Sentinels know no master {self._name!r}: correct ?sentinel= in the URL"
            raise MasterUnknownError(msg)
        self._master = (found[0].decode(), int(found[1]))
        return self._master
