"""The brokers of the plan: a SQLite file, or a Valkey of its own that can be killed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from servers import Server, find_programs
from servers.programs import explain_missing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["BROKERS", "Broker", "open_broker"]

#: What ``--broker`` may say beside a URL, and what it is.
BROKERS = {
    "sqlite": "a file, durability=process",
    "sqlite-power": "a file, durability=power",
    "redis": "a Valkey that syncs every write, appendfsync always",
    "redis-everysec": "a Valkey that syncs once a second, appendfsync everysec",
}
_PROGRAM = "valkey-9"


class Broker:
    """A broker under fault.

    Args:
        kind: a word of `BROKERS`, or a URL.
        url: where it is.
        server: its process; None for a file, or a server that is not ours to kill.
        file: its file, if it is one.
    """

    def __init__(
        self, kind: str, url: str, server: Server | None = None, file: Path | None = None
    ) -> None:
        self.kind = kind
        self.url = url
        self.server = server
        self.file = file


@contextlib.contextmanager
def open_broker(kind: str, folder: Path) -> Iterator[Broker]:
    """Makes an empty broker, and removes it at the end.

    Args:
        kind: a word of `BROKERS`, or a URL that is used as it is.
        folder: for files.

    Raises:
        LookupError: there is no such kind, or no server on this machine.
    """
    if "://" in kind:
        yield Broker(kind, kind)
        return
    if kind not in BROKERS:
        msg = f"no broker {kind!r}; use a URL or one of {', '.join(BROKERS)}"
        raise LookupError(msg)
    if kind.startswith("sqlite"):
        file = folder / "plan.db"
        mode = "?durability=power" if kind.endswith("power") else ""
        yield Broker(kind, f"sqlite:///{file}{mode}", file=file)
        return
    program = find_programs().get(_PROGRAM)
    if program is None:
        raise LookupError(explain_missing(_PROGRAM))
    fsync = "everysec" if kind.endswith("everysec") else "always"
    server = Server(program, durable=True, appendfsync=fsync)
    server.start()
    try:
        yield Broker(kind, server.url, server)
    finally:
        server.close()
