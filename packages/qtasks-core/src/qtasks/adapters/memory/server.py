"""What the brokers and storages of one URL share."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from qtasks.adapters.memory.leases import sweep
from qtasks.adapters.memory.state import Buckets, Counters
from qtasks.adapters.memory.store import Store
from qtasks.adapters.memory.streams import Streams
from qtasks.adapters.memory.waiting import Bells
from qtasks.exc import ConfigError
from qtasks.schemas import Finding

if TYPE_CHECKING:
    from qtasks.schemas import Presence, Retention, Swept

__all__ = ["MemoryServer", "serve"]

SCHEME = "memory://"


class MemoryServer:
    """A store with its lock and with all who wait for it.

    Attributes:
        lock: held by every use of the other attributes.
        store: the tasks.
        buckets: the state.
        counters: the counters.
        streams: what running tasks gave.
        presences: worker by id, with the time until which the report holds.
        ready_bells: rung by queue when a claim may find more.
        end_bells: rung by id when a task ended.
        stream_bells: rung by id when a task ended or gave a value.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.store = Store()
        self.ready_bells = Bells()
        self.end_bells = Bells()
        self.store.on_ready = self.ready_bells.ring
        self.stream_bells = Bells()
        self.store.on_end = self._ended
        self._clear()

    def _clear(self) -> None:
        self.buckets = Buckets()
        self.counters = Counters()
        self.streams = Streams()
        self.presences: dict[str, tuple[Presence, float]] = {}

    def _ended(self, task_id: str) -> None:
        self.end_bells.ring(task_id)
        self.stream_bells.ring(task_id)

    def flush(self) -> None:
        """Removes everything."""
        self.store.flush()
        self._clear()

    def sweep(self, limit: int, now: float, retention: Retention) -> Swept:
        """Does one round of housekeeping, for tasks at most ``limit`` of each kind."""
        self.buckets.sweep(now)
        self.counters.sweep(now)
        self.streams.sweep(now)
        self.forget_absent(now)
        return sweep(self.store, limit, now, retention)

    def diagnose(self) -> list[Finding]:
        """Says what it is, and what that means."""
        with self.lock:
            count = len(self.store.rows)
        return [
            Finding(
                "ok", "server", f"The queue is in the memory of this process, {count:,} tasks."
            ),
            Finding(
                "warning",
                "persistence",
                "Nothing survives the end of this process, and no other process sees it.",
                "Set broker_url to sqlite:///qtasks.db, or to a server, unless this is a test.",
            ),
        ]

    def forget_absent(self, now: float) -> None:
        """Removes the workers whose last report is too old."""
        kept = {key: value for key, value in self.presences.items() if value[1] > now}
        self.presences = kept


#: Named servers live as long as the process, so that whoever comes later finds their tasks.
_servers: dict[str, MemoryServer] = {}
_servers_lock = threading.Lock()


def serve(url: str) -> MemoryServer:
    """Returns the server of a URL: a new one for ``memory://``, a shared one for a name.

    Raises:
        ConfigError: the URL is not of this kind.
    """
    if not url.startswith(SCHEME):
        msg = f"{url!r} is not a memory URL; write {SCHEME!r} or 'memory://name'"
        raise ConfigError(msg)
    name = url.removeprefix(SCHEME).strip("/")
    if not name:
        return MemoryServer()
    with _servers_lock:
        return _servers.setdefault(name, MemoryServer())
