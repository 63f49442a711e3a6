"""The queues that are compared: what each needs, where it lives, and how its worker is started.

Each has a file in ``peers`` with its tasks, its settings, and its `Producer`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parents[1]
CORE = HERE.parent / "packages" / "qtasks-core"

#: Tasks that a worker runs at once; on a file more threads stand in each other's way.
SLOTS, SLOTS_OF_FILE = 32, 8

#: Queues are compared within one of these, which has a table of its own.
CLASSES = {
    "safe": "On Valkey: at least once, results stored",
    "lossy": "On Valkey: what a worker holds when it dies is lost",
    "embedded": "Embedded: one SQLite file",
}

#: What queues promise.  One that syncs its file at each commit also survives a power cut.
LEAST_ONCE = "at least once"
MAY_LOSE = "may lose"


@dataclass(frozen=True)
class Peer:
    """A queue with its settings.

    Attributes:
        name: what it is called in tables and on the command line.
        module: its file, without ``_peer.py``.
        requirements: what its environment holds.
        worker: the command of its worker; ``{slots}`` is how many tasks it runs at once.
        classes: the tables that it is in; the first says where it is measured.
        promise: what it promises.
        variables: of its environment.
        usual: tasks that its worker runs at once, unless a measurement says otherwise.
        slots: the most tasks that its worker can run at once; none means any number.
    """

    name: str
    module: str
    requirements: tuple[str, ...]
    worker: tuple[str, ...]
    classes: tuple[str, ...] = ("safe",)
    promise: str = LEAST_ONCE
    variables: Mapping[str, str] = field(default_factory=dict)
    usual: int = SLOTS
    slots: int | None = None

    @property
    def embedded(self) -> bool:
        """Whether it lives in a file."""
        return "embedded" in self.classes

    def command(self, slots: int) -> list[str]:
        """Returns the command of a worker with so many slots."""
        return [part.format(slots=slots) for part in self.worker]


_UVLOOP = "uvloop==0.23.*"
_REDIS = ("redis", "hiredis", _UVLOOP)
_QTASKS = ("-e", f"{CORE}[standard]")
_QTASKS_WORKER = ("qtasks", "-A", "peers.qtasks_peer:app", "run")
_HUEY_WORKER = ("huey_consumer", "peers.huey_peer.app", "-k", "thread", "-w", "{slots}")
_HUEY = ("huey==3.5.4", *_REDIS)
# On a file it polls, at most every 10 ms here instead of every 10 s.
_HUEY_ON_FILE = (*_HUEY_WORKER, "-d", "0.01", "-m", "0.01")


def _embedded(
    name: str,
    module: str,
    requirements: tuple[str, ...],
    worker: tuple[str, ...],
    *,
    promise: str,
    variant: str = "",
) -> Peer:
    variables = {"BENCH_VARIANT": variant}
    return Peer(
        name,
        module,
        requirements,
        worker,
        ("embedded",),
        promise,
        variables=variables,
        usual=SLOTS_OF_FILE,
    )


PEERS = {
    peer.name: peer
    for peer in (
        Peer("qtasks", "qtasks", _QTASKS, _QTASKS_WORKER, ("safe", "lossy")),
        Peer("ardiq", "ardiq", ("ardiq==1.2.0", _UVLOOP), ("python", "-m", "peers.ardiq_peer")),
        Peer(
            "taskiq",
            "taskiq",
            ("taskiq==0.13.0", "taskiq-redis==1.2.4", *_REDIS),
            (
                *("taskiq", "worker", "peers.taskiq_peer:broker", "--workers=1"),
                # Without --no-parse every argument goes through pydantic.
                *("--log-level=WARNING", "--max-async-tasks={slots}", "--max-prefetch=64"),
                *("--max-threadpool-threads={slots}", "--no-parse"),
            ),
        ),
        Peer(
            "dramatiq",
            "dramatiq",
            ("dramatiq[redis]==2.2.1", *_REDIS),
            ("dramatiq", "peers.dramatiq_peer", "--processes=1", "--threads={slots}"),
        ),
        Peer("streaq", "streaq", ("streaq==7.2.0", _UVLOOP), ("python", "-m", "peers.streaq_peer")),
        Peer(
            "saq",
            "saq",
            ("saq[redis,hiredis]==0.26.4", "typing-extensions", _UVLOOP),
            ("python", "-m", "peers.saq_peer"),
        ),
        Peer("arq", "arq", ("arq==0.28.0", *_REDIS), ("python", "-m", "peers.arq_peer")),
        Peer(
            "celery",
            "celery",
            ("celery[redis]==5.7.0", *_REDIS),
            (
                *("celery", "-A", "peers.celery_peer", "worker", "--pool=threads", "-O", "fair"),
                *("--concurrency={slots}", "--loglevel=WARNING"),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ),
        ),
        Peer("rq", "rq", ("rq==3.0.0", *_REDIS), ("python", "-m", "peers.rq_peer"), slots=1),
        Peer(
            "huey",
            "huey",
            _HUEY,
            (*_HUEY_WORKER, "-d", "0.001"),
            ("lossy",),
            MAY_LOSE,
        ),
        _embedded(
            "qtasks-sqlite", "qtasks", _QTASKS, _QTASKS_WORKER, promise=f"{LEAST_ONCE}, not synced"
        ),
        _embedded(
            "qtasks-sqlite-power",
            "qtasks",
            _QTASKS,
            _QTASKS_WORKER,
            promise=f"{LEAST_ONCE}, synced",
            variant="power",
        ),
        _embedded("huey-sqlite", "huey", _HUEY, _HUEY_ON_FILE, promise=f"{MAY_LOSE}, synced"),
        _embedded(
            "huey-sqlite-nosync",
            "huey",
            _HUEY,
            _HUEY_ON_FILE,
            promise=f"{MAY_LOSE}, never synced",
            variant="nosync",
        ),
        _embedded(
            "flexiq-sqlite",
            "flexiq",
            ("flexiq==2.1.0", _UVLOOP),
            ("flexiq", "worker", "--app", "peers.flexiq_peer:queue"),
            promise=f"{LEAST_ONCE}, not synced",
        ),
    )
}
