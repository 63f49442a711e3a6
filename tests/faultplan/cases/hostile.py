"""Somebody writes bytes of his own into the server (F11)."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import redis

from faultplan.bytes import arguments, mutated
from faultplan.cases.commits import make_id
from faultplan.ours import QTasks
from faultplan.report import Report
from faultplan.run import Run, case
from faultplan.system import Job
from qtasks import QueueTasks
from qtasks.contracts.codec import UNREADABLE, decode_arguments
from qtasks.exc import DecodeError
from qtasks.schemas import Message
from qtasks.testing.conformance.base import complete

if TYPE_CHECKING:
    from faultplan.system import Place, WorkerSettings

_APP: Final = Path(__file__).parents[1] / "hostile_app.py"
#: Tasks that are written at a time.
BATCH: Final = 500
#: One of so many means well, and one of so many has a damaged envelope.
GOOD_ONE_IN: Final = 10
ENVELOPE_ONE_IN: Final = 4
#: Seconds that reading one of them may take, and bytes that a worker may grow by.
MOST_SECONDS: Final = 0.1
MOST_GROWTH: Final = 50 << 20


@case("F11", "a producer writes bytes that nobody can read", tasks=100_000, kills=0)
def hostile_bytes(run: Run) -> Report:
    """Adds tasks whose arguments or envelopes are rubbish, among others that mean well."""
    report, hostile = Report(), Hostile(run)
    system, run.system = run.system, _Taking()
    crew = run.crew(lease=15.0, slots=50)
    run.system = system
    worker = crew.start()
    run.add([Job(run.tasks, "good")])
    run.until(lambda: crew.noted("E"), "the worker works")
    before = peak_of(worker.pid)
    for start in range(0, run.tasks, BATCH):
        hostile.add(range(start, min(start + BATCH, run.tasks)))
        run.until(hostile.ended, f"{start + BATCH} of {run.tasks} tasks have ended")
    grown = peak_of(worker.pid) - before
    report.tally = tally = run.drained()
    code, _ = crew.end(worker, signal.SIGTERM)
    report.must_lose_nothing()
    report.must("no worker dies", code == 0, code)
    report.must("whatever nobody can read is dead as malformed", not hostile.wrong, hostile.wrong)
    report.must("whoever means well succeeds", tally.success == tally.acknowledged, tally.success)
    report.must("nothing runs twice", tally.duplicated == 0, tally.duplicated)
    slowest = round(hostile.slowest, 3)
    report.must("nothing takes 100 ms to read", slowest < MOST_SECONDS, slowest)
    report.must("a worker grows by less than 50 MiB", grown < MOST_GROWTH, grown)
    report.figures |= dict(hostile.ends)
    report.figures["slowest to read, s"] = slowest
    report.figures["growth of the worker, MiB"] = round(grown / (1 << 20), 1)
    return report


class Hostile:
    """Writes into the server what he likes.

    Args:
        run: the run.

    Attributes:
        wrong: how many that nobody can read did not end as malformed.
        ends: how many ended in which way.
        slowest: seconds that reading the slowest took.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._good = run.connect()
        self._app = QueueTasks(broker_url=run.place.url)
        twin = self._app.broker.client()
        assert twin is not None
        self._broker = twin
        complete(twin.start())
        self._open: dict[str, bool] = {}
        self.wrong = 0
        self.ends: Counter[str] = Counter()
        self.slowest = 0.0

    def add(self, numbers: range) -> None:
        """Adds one task for each number while nobody can claim any."""
        complete(self._broker.pause("default"))
        rng, envelopes = self._run.rng, {}
        messages = []
        for number in numbers:
            if number % GOOD_ONE_IN == 0:
                self._run.add([Job(number, "good")])
                continue
            message = Message(make_id(self._run), "anything", "default", arguments(rng))
            messages.append(message)
            if number % ENVELOPE_ONE_IN == 0:
                envelopes[message.id] = self._envelope(message)
            else:
                self._open[message.id] = not self._readable(message.payload)
        complete(self._broker.publish(messages))
        self._write(envelopes)
        complete(self._broker.resume("default"))

    def ended(self) -> bool:
        """Whether all have ended; looks at how."""
        for task_id, end in self._good.ends(list(self._open)).items():
            if not end.final:
                continue
            must = self._open.pop(task_id)
            self.wrong += must and end.reason != "malformed"
            self.ends[end.reason or end.status] += 1
        return not self._open

    def _envelope(self, message: Message) -> bytes:
        """Damages what is around the arguments; notes whether it can be read."""
        if self._run.broker.server is None:
            data = mutated(msgspec.msgpack.encode({"a": "b", "c": "d"}), self._run.rng)
            kind: Any = dict[str, str]
        else:
            data, kind = mutated(msgspec.msgpack.encode(message), self._run.rng), Message
        try:
            found = msgspec.msgpack.decode(data, type=kind)
        except UNREADABLE:
            self._open[message.id] = True
        else:
            payload = found.payload if isinstance(found, Message) else message.payload
            another = isinstance(found, Message) and found.id != message.id
            unknown = isinstance(found, Message) and found.task != message.task
            self._open[message.id] = another or (not unknown and not self._readable(payload))
        return data

    def _write(self, envelopes: dict[str, bytes]) -> None:
        """Writes envelopes past the queue."""
        if self._run.broker.server is not None:
            with redis.Redis.from_url(self._run.broker.url) as client:
                for task_id, data in envelopes.items():
                    client.hset(f"qtasks:t:{task_id}", "m", data)
            return
        assert self._run.broker.file is not None
        with contextlib.closing(sqlite3.connect(self._run.broker.file)) as conn, conn:
            conn.execute("PRAGMA wal_autocheckpoint = 0")
            pairs = [(data, task_id) for task_id, data in envelopes.items()]
            conn.executemany("UPDATE task SET headers = ? WHERE id = ?", pairs)

    def _readable(self, payload: bytes) -> bool:
        """Whether arguments can be read; notes how long it takes this thread."""
        began = time.thread_time()
        try:
            decode_arguments(payload)
            readable = True
        except DecodeError:
            readable = False
        self.slowest = max(self.slowest, time.thread_time() - began)
        return readable


def peak_of(pid: int) -> int:
    """Returns the most bytes that a process has had in memory; 0 where nobody tells."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) << 10


class _Taking(QTasks):
    """Workers whose tasks take anything."""

    def worker(self, place: Place, settings: WorkerSettings) -> tuple[list[str], dict[str, str]]:
        """Returns the command of a worker."""
        _, environment = super().worker(place, settings)
        return [sys.executable, str(_APP)], environment
