"""A master, a replica, and the sentinels that make the one into the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servers.patience import wait_until
from servers.process import Server

if TYPE_CHECKING:
    from servers.programs import Program

#: The settings of a server that a sentinel has as well.
KEPT = ("bind", "dir", "unixsocket")


class Sentinel(Server):
    """A server that holds no data and watches others."""

    def __init__(self, program: Program) -> None:
        super().__init__(program, extra=("--sentinel",))
        self._settings = {name: self._settings[name] for name in KEPT}


class Sentinels:
    """A watched pair of servers on free loopback ports.

    Args:
        program: what all of them run.
        count: how many sentinels there are; most of them must agree.
        settings: as of a server, for master and replica.

    Attributes:
        service: the name under which the sentinels know the master.
        servers: the first master and its replica.
        sentinels: the sentinels.
    """

    service = "qtasks"

    def __init__(self, program: Program, *, count: int = 3, **settings: Any) -> None:
        self._quorum = count // 2 + 1
        self._down_after = 1000  # milliseconds
        settings = {"repl_diskless_sync_delay": 0} | settings
        self.servers = [Server(program, **settings) for _ in range(2)]
        self.sentinels = [Sentinel(program) for _ in range(count)]

    @property
    def ports(self) -> list[int]:
        """The ports of the sentinels."""
        return [sentinel.port for sentinel in self.sentinels]

    @property
    def master(self) -> Server:
        """The server that the first living sentinel calls the master."""
        for sentinel in self.sentinels:
            if sentinel.running:
                _host, port = sentinel.execute("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service)
                return next(server for server in self.servers if server.port == int(port))
        msg = "no sentinel runs"
        raise RuntimeError(msg)

    def start(self) -> None:
        """Starts all, and waits until every sentinel knows every server."""
        master, replica = self.servers
        master.start()
        replica.start()
        for server in self.servers:
            if server.password:
                server.config(masterauth=server.password)
        replica.execute("REPLICAOF", "127.0.0.1", master.port)
        # Sentinels look for new replicas every ten seconds, and at once when they begin.
        wait_until(lambda: replica.execute("ROLE")[3] == "connected", "the replica did not connect")
        for sentinel in self.sentinels:
            sentinel.start()
            self._command(sentinel, "MONITOR", "127.0.0.1", master.port, self._quorum)
            self._command(sentinel, "SET", "down-after-milliseconds", self._down_after)
            self._command(sentinel, "SET", "failover-timeout", 5000)
            if master.password:
                self._command(sentinel, "SET", "auth-pass", master.password)
        wait_until(lambda: all(map(self._knows_all, self.sentinels)), "the sentinels did not meet")

    def fail_over(self) -> Server:
        """Kills the master, and returns the server that has become the new one."""
        lost = self.master
        lost.kill()
        wait_until(lambda: self.master is not lost, "the sentinels chose no new master")
        new = self.master
        wait_until(lambda: new.execute("ROLE")[0] == "master", f"{new} is still a replica")
        return new

    def close(self) -> None:
        """Ends all and removes their files."""
        for server in (*self.sentinels, *self.servers):
            server.close()

    def _command(self, sentinel: Server, word: str, *arguments: str | int) -> None:
        sentinel.execute("SENTINEL", word, self.service, *arguments)

    def _knows_all(self, sentinel: Server) -> bool:
        with sentinel.client() as client:
            state: Any = client.sentinel_master(self.service)
            replicas: Any = client.sentinel_slaves(self.service)
        return (
            state["num-other-sentinels"] == len(self.sentinels) - 1
            and len(replicas) == 1
            and replicas[0]["master-link-status"] == "ok"
        )
