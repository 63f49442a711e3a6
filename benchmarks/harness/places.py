"""Where a queue lives while it is measured: on a Valkey of its own, or in a file."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from servers import Proxy, Server

from harness.running import SERVER_CPU, pinned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from redis import Redis
    from servers import Program

__all__ = ["FilePlace", "Place", "ServerPlace"]


class Place(Protocol):
    """What a measurement asks of the place of a queue.

    Attributes:
        url: where it is.
        noise: what an idle worker may say in a second.
    """

    url: str
    noise: int

    def clear(self) -> None:
        """Removes everything."""

    def close(self) -> None:
        """Ends it and removes its files."""

    def cpu_seconds(self) -> float | None:
        """Returns the processor time that a server has used; None if there is none."""

    def size(self) -> int:
        """Returns how many bytes it takes."""

    def listening(self) -> contextlib.AbstractContextManager[Callable[[], int]]:
        """Counts what workers say: commands, or changes of a file."""

    def through_proxy(self) -> contextlib.AbstractContextManager[Proxy]:
        """Puts a wire before a server."""


class ServerPlace:
    """A server without persistence on a processor of its own.

    Args:
        program: what to start.
    """

    noise = 30

    def __init__(self, program: Program) -> None:
        self._server = Server(program)
        with pinned(SERVER_CPU):
            self._server.start()
        self.url = self._server.url

    def clear(self) -> None:
        self._server.execute("FLUSHALL")

    def close(self) -> None:
        self._server.close()

    def cpu_seconds(self) -> float:
        used = self._server.execute("INFO", "cpu")
        return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])

    def size(self) -> int:
        return int(self._server.execute("INFO", "memory")["used_memory"])

    @contextlib.contextmanager
    def listening(self) -> Iterator[Callable[[], int]]:
        """Counts all commands, those inside scripts included, but not its own questions."""
        with self._server.client() as client:
            asked = 0
            before = _commands(client)

            def said() -> int:
                nonlocal asked
                # The question is one of the commands of the next answer.
                asked += 1
                return _commands(client) - before - asked

            yield said

    @contextlib.contextmanager
    def through_proxy(self) -> Iterator[Proxy]:
        with Proxy(self._server) as proxy:
            yield proxy


class FilePlace:
    """A SQLite file in a folder of its own."""

    noise = 0  # an outcome of many tasks is one change

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="bench-"))
        self._file = self._folder / "queue.db"
        self.url = f"sqlite:///{self._file}"

    def clear(self) -> None:
        shutil.rmtree(self._folder)
        self._folder.mkdir()

    def close(self) -> None:
        shutil.rmtree(self._folder)

    def cpu_seconds(self) -> None:
        return None

    def size(self) -> int:
        return sum(path.stat().st_size for path in self._folder.iterdir())

    @contextlib.contextmanager
    def listening(self) -> Iterator[Callable[[], int]]:
        """Counts the looks that found a change, which SQLite tells without a query."""
        with contextlib.closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)) as file:
            seen: list[int] = []

            def said() -> int:
                (version,) = file.execute("PRAGMA data_version").fetchone()
                if not seen or seen[-1] != version:
                    seen.append(version)
                return len(seen) - 1

            said()
            yield said

    def through_proxy(self) -> contextlib.AbstractContextManager[Proxy]:
        msg = "a file has no wire"
        raise NotImplementedError(msg)


def _commands(client: Redis) -> int:
    stats: Any = client.info("stats")
    return int(stats["total_commands_processed"])
