"""Three masters without replicas that share the hash slots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servers.patience import wait_until
from servers.process import Server

if TYPE_CHECKING:
    from servers.programs import Program

SLOTS = 16_384
MASTERS = 3


class Cluster:
    """A cluster on free loopback ports.

    Args:
        program: what its members run.
        slots: whether the members own the slots; without, every key is refused.
        settings: as of a server, for every member.

    Attributes:
        members: the servers.
    """

    def __init__(self, program: Program, *, slots: bool = True, **settings: Any) -> None:
        self._slots = slots
        self.members = [
            Server(
                program,
                cluster_enabled="yes",
                cluster_node_timeout=2000,
                databases=1,
                **settings,
            )
            for _ in range(MASTERS)
        ]

    @property
    def urls(self) -> list[str]:
        """The URL of every member."""
        return [member.url for member in self.members]

    def start(self) -> None:
        """Starts the members, lets them meet, and waits until all agree."""
        for number, member in enumerate(self.members):
            member.start()
            member.execute("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if self._slots:
                start, end = (SLOTS * i // MASTERS for i in (number, number + 1))
                member.execute("CLUSTER", "ADDSLOTS", *range(start, end))
        first, *others = self.members
        for member in others:
            first.execute("CLUSTER", "MEET", "127.0.0.1", member.port)
        wait_until(lambda: all(map(self._agrees, self.members)), "the cluster did not form")

    def close(self) -> None:
        """Ends the members and removes their files."""
        for member in self.members:
            member.close()

    def flush(self) -> None:
        """Removes every key."""
        for member in self.members:
            member.execute("FLUSHALL")

    def owner(self, key: str) -> Server:
        """Returns the member that has the slot of a key."""
        slot = self.members[0].execute("CLUSTER", "KEYSLOT", key)
        return next(
            member
            for number, member in enumerate(self.members)
            if slot < SLOTS * (number + 1) // MASTERS
        )

    def _agrees(self, member: Server) -> bool:
        """Whether a member knows all others and, if they have any, all slots."""
        info = member.execute("CLUSTER INFO")
        nodes = member.execute("CLUSTER NODES").values()
        if self._slots and not all(node["slots"] for node in nodes):
            return False
        return (
            info["cluster_state"] == ("ok" if self._slots else "fail")
            and len(nodes) == MASTERS
            and not any("handshake" in node["flags"] for node in nodes)
        )
