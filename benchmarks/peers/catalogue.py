"""The queues that are compared: what each needs, and how its worker is started.

Each has a file here with the same three things: the task, the worker's settings, and `Producer`.
All promise the same: every task runs at least once, and its result is stored.
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
    """

    name: str
    requirements: tuple[str, ...]
    worker: tuple[str, ...]


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
            "qtasks",
            ("-e", f"{CORE}[standard]"),
            ("qtasks", "-A", "qtasks_peer:app", "run"),
        ),
    )
}
