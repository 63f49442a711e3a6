"""The queues that go through the same faults: what each needs, and how it is set up to recover.

All promise the same: every task runs at least once, and its result is stored.
Settings are what each one's own documentation offers for a quick recovery.
"""

from __future__ import annotations

from dataclasses import dataclass

from faultplan.system import WorkerSettings

__all__ = ["PEERS", "SHARED", "Peer"]

#: How workers of every queue are set up.
SHARED = WorkerSettings(lease=5.0, slots=4)


@dataclass(frozen=True)
class Peer:
    """A queue.

    Attributes:
        name: its name; its app is the file ``apps/NAME_app.py``.
        requirements: what its environment holds; those that are pinned are the queue itself.
        worker: the command of its worker, in that environment; ``{slots}`` is how many tasks it
            runs at once.
        settings: what decides how it recovers, for the reader of the table.
        python: the oldest Python that it runs on.
    """

    name: str
    requirements: tuple[str, ...]
    worker: tuple[str, ...]
    settings: str
    python: tuple[int, int] = (3, 11)

    @property
    def app(self) -> str:
        """The module of its app."""
        return f"{self.name}_app"

    @property
    def versions(self) -> list[str]:
        """What it is made of, without extras: ``celery 5.7.0``."""
        pinned = [text.partition("==") for text in self.requirements if "==" in text]
        return [f"{name.partition('[')[0]} {version}" for name, _, version in pinned]


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            "ardiq",
            ("ardiq==1.2.0",),
            ("python", "-m", "ardiq_app"),
            "idle_timeout_ms 5000, max_retries 10, prefetch 8",
            python=(3, 12),
        ),
        Peer(
            "arq",
            ("arq==0.28.0",),
            ("arq", "arq_app.WorkerSettings"),
            "job_timeout 4 s, so the key of a running task ends after 14 s; max_tries 10,"
            " poll_delay 0.05 s",
        ),
        Peer(
            "celery",
            ("celery[redis]==5.7.0",),
            ("python", "-m", "celery_app"),
            "prefork, acks_late, reject_on_worker_lost, visibility_timeout 5 s, prefetch 1,"
            " unacked_restore_interval 1 s, unacked_restore_throttle 1, unacked_mutex_expire 5 s",
        ),
        Peer(
            "dramatiq",
            ("dramatiq[redis]==2.2.1",),
            ("dramatiq", "dramatiq_app", "--processes=1", "--threads={slots}"),
            "heartbeat_timeout 5 s, maintenance_chance 10 % (its default is 0.1 %), max_retries 10",
        ),
        Peer(
            "saq",
            ("saq[redis,hiredis]==0.26.4", "typing-extensions"),  # it imports these, undeclared
            ("saq", "saq_app.settings"),
            "timeout 4 s, retries 10, sweep every 2 s",
        ),
        Peer(
            "streaq",
            ("streaq==7.2.0",),
            ("python", "-m", "streaq_app"),
            "idle_timeout 5 s, max_tries 10, prefetch 4",
        ),
        Peer(
            "taskiq",
            ("taskiq==0.13.0", "taskiq-redis==1.2.4"),
            (
                *("taskiq", "worker", "taskiq_app:broker", "--workers=1", "--log-level=WARNING"),
                *("--max-async-tasks={slots}", "--ack-type=when_saved"),
            ),
            "RedisStreamBroker, idle_timeout 5 s, unacknowledged_lock_timeout 2 s, xread_count 4,"
            " ack WHEN_SAVED",
        ),
    )
}
