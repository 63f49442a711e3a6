"""The way to the server fails (F5), or is slow (F6)."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import threading
import time
from typing import TYPE_CHECKING, Final

from servers import Proxy

from faultplan.cases.commits import killed_after_commits, make_id
from faultplan.report import Report
from faultplan.run import Run, case
from faultplan.system import Job, Unacknowledged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from faultplan.system import Session

#: Seconds of a lease: longer than anybody waits for an answer that does not come.
LEASE: Final = 15.0
#: How a connection is hurt. The dear ones cost everybody the seconds after which silence counts as
#: an end, so they come once in so many.
CHEAP: Final = ("lose_request", "lose_reply", "lose_reply", "cut")
DEAR: Final = ("strand", "trickle")
DEAR_ONE_IN: Final = 20
#: Tasks of the slow case at its full size, and seconds in which the second half must be done then.
FULL: Final = 500
RECOVERY: Final = 5.0
#: Tasks that a producer adds in one call.
BATCH: Final = 5


@case("F5", "the answer to any command is lost, or never comes", tasks=2_000, kills=200)
def lost_answers(run: Run) -> Report:
    """Breaks connections; for a file, which has none, kills between commit and answer."""
    return killed_after_commits(run) if run.broker.server is None else broken_connections(run)


def broken_connections(run: Run) -> Report:
    """Breaks connections of two workers and a producer who repeats what was not acknowledged."""
    report = Report()
    with reached_through_proxy(run) as proxy:
        crew = run.crew(lease=LEASE, slots=10)
        crew.start(2)
        producer = Producer(run)
        with producer.adding():
            for number in range(run.kills):
                enough = run.tasks * number // (run.kills + 1)
                run.until(
                    lambda enough=enough: len(crew.noted("E")) >= enough,  # type: ignore[misc]  # bound at once
                    f"cut {number + 1} of {run.kills}",
                )
                hurt(run, proxy, number)
        report.tally = tally = run.drained()
    report.must_lose_nothing()
    report.must("everything was acknowledged", tally.acknowledged == run.tasks, tally.acknowledged)
    report.must("nothing is doubled", tally.duplicated == 0, tally.duplicated)
    report.must("nothing is refused", tally.refused == 0, tally.refused)
    report.must("nobody is convicted", tally.dead == 0, tally.dead)
    report.must("connections broke under a request", proxy.cuts > 0, proxy.cuts)
    report.figures["requests or replies lost"] = proxy.cuts
    report.figures["calls repeated by the producer"] = producer.repeated
    return report


@case(
    "F6", "each request is 50 to 500 ms late, at 64 KiB/s", tasks=FULL, kills=0, brokers=("redis",)
)
def slow_connections(run: Run) -> Report:
    """Slows down all connections, with leases that only live if renewals get through."""
    report = Report()
    lease = 4.0
    with reached_through_proxy(run) as proxy:
        proxy.delay(0.05, jitter=0.45)
        proxy.limit(64 * 1024)
        crew = run.crew(lease=lease, slots=10)
        crew.start(2)
        half = run.tasks // 2
        run.add(Job(number, "work", (0.05,)) for number in range(half))
        long = run.tasks
        run.add([Job(long, "work", (1.5 * lease,))])
        run.until(lambda: len(crew.noted("E")) > half, "the first half has run")
        proxy.heal()
        began = time.monotonic()
        run.add(Job(number, "work", (0.001,)) for number in range(half, run.tasks))
        report.tally = tally = run.drained()
        seconds = time.monotonic() - began
    report.must_lose_nothing()
    report.must("no lease is lost", tally.most_runs == 1, tally.most_runs)
    report.must("nothing is refused", tally.refused == 0, tally.refused)
    report.figures["lease"] = lease
    report.figures["seconds until the rest was done"] = round(seconds, 1)
    if run.tasks >= FULL:  # small sizes run beside other tests, and time proves nothing there
        report.must("the rest is done 5 s after", seconds <= RECOVERY, round(seconds, 1))
    return report


class Producer:
    """Adds the tasks of a run a few at a time, and repeats each call until it is acknowledged.

    Args:
        run: the run, whose seed also makes the ids.

    Attributes:
        repeated: how many calls were repeated.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._session = run.connect()
        self._jobs = [
            Job(number, "work", (0.005,), key=make_id(run)) for number in range(run.tasks)
        ]
        self.repeated = 0

    @contextlib.contextmanager
    def adding(self) -> Iterator[None]:
        """Adds beside what is done in the block, and comes to its end after it."""
        thread = threading.Thread(target=self._add, name="producer", daemon=True)
        thread.start()
        try:
            yield
        finally:
            thread.join()

    def _add(self) -> None:
        stubborn = Stubborn(self._session)
        for start in range(0, len(self._jobs), BATCH):
            self._run.add_through(stubborn, self._jobs[start : start + BATCH])
        self.repeated = stubborn.repeated


class Stubborn:
    """A session that does not give up.

    Args:
        session: what it goes through.

    Attributes:
        repeated: how many calls were repeated.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.repeated = 0
        self.ends = session.ends
        self.watch = session.watch
        self.unfinished = session.unfinished
        self.recorded = session.recorded
        self.cancel = session.cancel
        self.close = session.close

    def enqueue(self, jobs: Sequence[Job]) -> list[str]:
        """Adds tasks until they are acknowledged."""
        for attempt in itertools.count():
            self.repeated += attempt > 0
            with contextlib.suppress(Unacknowledged):
                return self._session.enqueue(jobs)
            time.sleep(0.01)
        raise AssertionError


@contextlib.contextmanager
def reached_through_proxy(run: Run) -> Iterator[Proxy]:
    """Leads workers and producers of a run through a proxy; who counts has a way of his own."""
    assert run.broker.server is not None, "the server must be one that the plan has started"
    before = run.place
    with Proxy(run.broker.server) as proxy:
        run.place = dataclasses.replace(before, url=proxy.url)
        try:
            yield proxy
        finally:
            proxy.heal()
            run.place = before


def hurt(run: Run, proxy: Proxy, number: int) -> None:
    """Breaks something: by chance, at whichever request comes next."""
    kinds = DEAR if number % DEAR_ONE_IN == DEAR_ONE_IN - 1 else CHEAP
    kind = run.rng.choice(kinds)
    run.fault(kind)
    if kind == "trickle":
        proxy.trickle(100.0)
    else:
        getattr(proxy, kind)()
