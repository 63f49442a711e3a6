"""The queues that are compared: what each needs, and how its worker is started.

Each has a file here with the same three things: the task, the worker's settings, and `Producer`.
All but huey promise the same: every task runs at least once, and its result is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CORE = HERE.parents[1] / "packages" / "qtasks-core"

#: Tasks that a worker runs at once.
SLOTS = 32


@dataclass(frozen=True)
class Peer:
    """A queue.

    Attributes:
        name: its name, and that of its file with ``_peer`` after it.
        requirements: what its environment holds.
        worker: the command of its worker, in that environment and in this directory.
        promise: what it promises; only those of the same promise are compared.
    """

    name: str
    requirements: tuple[str, ...]
    worker: tuple[str, ...]
    promise: str = "at least once, results stored"


PEERS = {
    peer.name: peer
    for peer in (
        Peer("ardiq", ("ardiq==1.2.0", "uvloop==0.23.*"), ("python", "ardiq_peer.py")),
        Peer(
            "taskiq",
            ("taskiq==0.13.0", "taskiq-redis==1.2.4", "hiredis==3.5.*", "uvloop==0.23.*"),
            (
                *("taskiq", "worker", "taskiq_peer:broker", "--workers=1", "--log-level=WARNING"),
                # Without --no-parse every argument goes through pydantic.
                *(f"--max-async-tasks={SLOTS}", "--max-prefetch=64", "--no-parse"),
            ),
        ),
        Peer(
            "dramatiq",
            ("dramatiq[redis]==2.2.1", "hiredis==3.5.*", "uvloop==0.23.*"),
            ("dramatiq", "dramatiq_peer", "--processes=1", f"--threads={SLOTS}"),
        ),
        Peer("streaq", ("streaq==7.2.0", "uvloop==0.23.*"), ("python", "streaq_peer.py")),
        Peer(
            "saq",
            ("saq[redis,hiredis]==0.26.4", "typing-extensions", "uvloop==0.23.*"),
            ("python", "saq_peer.py"),
        ),
        Peer("arq", ("arq==0.28.0", "hiredis", "uvloop==0.23.*"), ("python", "arq_peer.py")),
        Peer(
            "celery",
            ("celery[redis]==5.7.0", "hiredis", "uvloop==0.23.*"),
            (
                *("celery", "-A", "celery_peer", "worker", "--pool=threads", "-O", "fair"),
                *(f"--concurrency={SLOTS}", "--loglevel=WARNING"),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ),
        ),
        Peer("rq", ("rq==3.0.0", "hiredis", "uvloop==0.23.*"), ("python", "rq_peer.py")),
        Peer(
            "huey",
            ("huey==3.5.4", "redis", "hiredis", "uvloop==0.23.*"),
            ("huey_consumer.py", "huey_peer.app", "-k", "thread", "-w", str(SLOTS), "-d", "0.001"),
            "at most once",
        ),
        Peer(
            "qtasks",
            ("-e", f"{CORE}[standard]"),
            ("qtasks", "-A", "qtasks_peer:app", "run"),
        ),
    )
}
