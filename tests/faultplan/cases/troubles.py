"""A server that is there and cannot serve (F13), and a disk with no room left (F14)."""

from __future__ import annotations

import contextlib
import resource
import signal
import sqlite3
import threading
from typing import TYPE_CHECKING, Final

import redis

from faultplan.cases.commits import make_id
from faultplan.report import Report
from faultplan.run import Run, case
from faultplan.system import Job, Unacknowledged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers import Server

#: Tasks that fill a server until it takes some seconds to load.
_FILLERS: Final = 100
_FILLER: Final = "x" * 100_000


@case(
    "F13", "the server is full, read-only, busy, loading, or without its scripts",
    tasks=1_000, kills=20, brokers=("redis",),
)  # fmt: skip
def troubled_server(run: Run) -> Report:
    """Brings each trouble about under two workers, and ends it when adding has been refused."""
    assert run.broker.server is not None, "the server must be one that the plan has started"
    report, refused = Report(), 0
    crew = run.crew(lease=15.0, slots=10)
    workers = [crew.start(), crew.start()]
    for number in range(run.kills):
        run.add(share(run, number, run.kills))
        run.until(lambda: any(crew.busy(worker.pid) for worker in workers), "a worker is busy")
        name = list(TROUBLES)[number % len(TROUBLES)]
        run.fault(name)
        with TROUBLES[name](run.broker.server):
            if name in REFUSING:
                run.until(lambda: not takes(run), f"{name}: adding is refused")
                refused += 1
        run.until(lambda: takes(run), f"{name} is over: adding goes on")
    report.tally = tally = run.drained()
    codes = [crew.end(worker, signal.SIGTERM)[0] for worker in workers]
    report.must_lose_nothing()
    report.must("nothing is doubled", tally.duplicated == 0, tally.duplicated)
    report.must("no outcome is refused", tally.refused == 0, tally.refused)
    report.must("no worker dies", codes == [0, 0], codes)
    report.figures["troubles that refused additions"] = refused
    return report


@case("F14", "the disk is full", tasks=1_000, kills=10, brokers=("sqlite",))
def full_disk(run: Run) -> Report:
    """Takes all room from the files of workers and producer, and gives it back."""
    assert run.broker.file is not None, "the broker must be a file"
    report = Report()
    crew = run.crew(lease=15.0, slots=10)
    workers = [crew.start(), crew.start()]
    for number in range(run.kills):
        run.add(share(run, number, run.kills))
        run.until(lambda: any(crew.busy(worker.pid) for worker in workers), "a worker is busy")
        run.fault("full disk")
        before = complaints(run)
        with no_room([0, *(worker.pid for worker in workers)]):
            run.until(lambda: not takes(run), "adding is refused")
            run.until(lambda before=before: complaints(run) > before, "a worker says so")  # type: ignore[misc]  # bound at once
        run.until(lambda: takes(run), "there is room again: adding goes on")
        run.until(lambda: returns(run) == complaints(run), "workers go on")
    report.tally = tally = run.drained()
    codes = [crew.end(worker, signal.SIGTERM)[0] for worker in workers]
    with contextlib.closing(sqlite3.connect(run.broker.file)) as conn:
        (integrity,) = conn.execute("PRAGMA integrity_check").fetchone()
    report.must_lose_nothing()
    report.must("nothing is doubled", tally.duplicated == 0, tally.duplicated)
    report.must("no outcome is refused", tally.refused == 0, tally.refused)
    report.must("no worker dies", codes == [0, 0], codes)
    report.must("the file is whole", integrity == "ok", integrity)
    report.figures["workers that told of it"] = complaints(run)
    return report


def share(run: Run, number: int, parts: int) -> list[Job]:
    """Makes the tasks of one part of the run."""
    first, end = (run.tasks * part // parts for part in (number, number + 1))
    return [Job(task, "work", (0.2,), key=make_id(run)) for task in range(first, end)]


def takes(run: Run) -> bool:
    """Whether a task can be added; it is one that nobody counts."""
    number = run.tasks + run.rng.randrange(10**12)
    try:
        run.session.enqueue([Job(number, "work", (0.0,), key=make_id(run))])
    except Unacknowledged:
        return False
    return True


def complaints(run: Run) -> int:
    """Returns how often workers have said that their broker is away."""
    log = run.folder / "workers.log"
    return log.read_text().count("The broker is away") if log.exists() else 0


def returns(run: Run) -> int:
    """Returns how often workers have said that their broker is back."""
    return (run.folder / "workers.log").read_text().count("The broker is back")


@contextlib.contextmanager
def full(server: Server) -> Iterator[None]:
    """Has no memory left."""
    server.config(maxmemory_policy="noeviction", maxmemory=1)
    try:
        yield
    finally:
        server.config(maxmemory=0)


@contextlib.contextmanager
def read_only(server: Server) -> Iterator[None]:
    """Is a replica of nobody who is there."""
    server.execute("REPLICAOF", "127.0.0.1", "1")
    try:
        yield
    finally:
        server.execute("REPLICAOF", "NO", "ONE")


@contextlib.contextmanager
def busy(server: Server) -> Iterator[None]:
    """Runs a script that does not end."""
    server.config(lua_time_limit=1)

    def hang() -> None:
        with contextlib.suppress(redis.RedisError):
            server.execute("EVAL", "while true do end", 0)

    thread = threading.Thread(target=hang, daemon=True)
    thread.start()
    try:
        yield
    finally:
        with contextlib.suppress(redis.RedisError):  # it had not begun
            server.execute("SCRIPT", "KILL")
        thread.join()


@contextlib.contextmanager
def forgetful(server: Server) -> Iterator[None]:
    """Has forgotten its scripts."""
    server.execute("SCRIPT", "FLUSH")
    yield


@contextlib.contextmanager
def loading(server: Server) -> Iterator[None]:
    """Is killed, and takes a while to load what it has."""
    for number in range(_FILLERS):
        server.execute("SET", f"filler:{number}", _FILLER)
    server.kill()
    server.start()
    yield


#: The troubles by the word with which the server answers.
TROUBLES: Final[dict[str, Callable[[Server], contextlib.AbstractContextManager[None]]]] = {
    "OOM": full,
    "READONLY": read_only,
    "BUSY": busy,
    "NOSCRIPT": forgetful,
    "LOADING": loading,
}
#: Those during which nothing can be added.
REFUSING: Final = {"OOM", "READONLY", "BUSY"}


@contextlib.contextmanager
def no_room(pids: list[int]) -> Iterator[None]:
    """Lets no file of some processes grow; 0 is this one.

    A limit stands for the disk: a write fails in the same way, and no rights are needed for it.
    """
    before = [resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids]
    for pid, (_, most) in zip(pids, before, strict=True):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (_ROOM, most))
    try:
        yield
    finally:
        for pid, limits in zip(pids, before, strict=True):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


#: Bytes that a file may still have: more than notes and logs of these cases, less than the queue.
_ROOM: Final = 64 << 10
