"""Several worker processes behind one port: the sum is what ran, also after one was killed."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.app.running import make_supervisor
from qtasks.plugins import Plugin, on
from qtasks_plugin_metrics.book import Book
from qtasks_plugin_metrics.cells import Addition
from qtasks_plugin_metrics.children import Children, Reporter
from qtasks_plugin_metrics.ledger import Ledger
from qtasks_plugin_metrics.messages import Probe, Report

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the signals are those of Unix")

PATIENCE = 60.0  # seconds


class Hand(Plugin):
    """Stops the supervisor, and kills a child of it, when a test says so."""

    supervisor: Any = None

    @on("starter_start")
    def take(self, starter: Any) -> None:
        self.supervisor = starter


class Station:
    """The app, its supervisor, and what this serves.

    Attributes:
        app: the app.
        plugin: its metrics.
        hand: reaches its supervisor.
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self.plugin = app.plugins["metrics"]
        self.hand = Hand("hand")
        app.add_plugin(self.hand)

    def get(self, path: str = "/metrics") -> tuple[int, str]:
        """Asks its server."""
        url = (self.plugin.url or "").removesuffix("/metrics") + path
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def value(self, name: str, **labels: str) -> float:
        """Returns what a sample shows; 0 if it is not there."""
        found = self.plugin.registry.get_sample_value(name, labels)
        return 0.0 if found is None else float(found)

    async def until(self, condition: Callable[[], object]) -> None:
        """Waits for something that the children bring about."""
        async with asyncio.timeout(PATIENCE):
            while not await asyncio.to_thread(condition):
                await asyncio.sleep(0.02)

    async def play(self, processes: int, scene: Callable[[], Awaitable[None]]) -> None:
        """Runs worker processes, and a scene while they work."""
        supervisor = make_supervisor(self.app, processes)
        running = asyncio.create_task(supervisor.run())
        try:
            await scene()
        finally:
            supervisor.stop()
            await running


@pytest.fixture
def station(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Station]:
    """The app in ``children_app.py``, on a queue of its own."""
    monkeypatch.setenv("CHILDREN_BROKER", f"sqlite:///{tmp_path / 'q.db'}")
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    module = importlib.import_module("children_app")
    yield Station(module.app)
    module.app.close()
    del sys.modules["children_app"]


async def test_three_processes_count_exactly_what_ran(station: Station) -> None:
    app = station.app
    for _ in range(300):
        app.add_task("work")
    for _ in range(20):
        app.add_task("fail")

    def succeeded() -> float:
        about = {"queue": "default", "task": "work", "outcome": "success"}
        return station.value("qtasks_tasks_finished_total", **about)

    async def scene() -> None:
        await station.until(lambda: succeeded() == 300)
        await station.until(lambda: len(station.hand.supervisor.children) == 3)
        await station.until(lambda: station.get("/readyz")[0] == 200)
        slots = app.config.max_tasks_process * 3
        await station.until(
            lambda: sum(station.value("qtasks_worker_slots", pool=p) for p in ("thread",)) == slots
        )
        assert station.get("/healthz") == (200, "ok\n")
        _, text = station.get()
        assert text.count("\nqtasks_worker_info{") == 1

    await station.play(3, scene)

    assert succeeded() == 300
    about = {"queue": "default", "task": "fail"}
    assert station.value("qtasks_attempts_total", **about, outcome="fail") == 20
    assert station.value("qtasks_dead_letters_total", **about, reason="exhausted") == 20
    count = "qtasks_task_duration_seconds_count"
    durations = station.value(count, **about, outcome="error")
    assert durations == 20
    assert station.value("qtasks_worker_child_exits_total", reason="stopped") == 3
    assert station.value("qtasks_tasks_in_progress", queue="default") == 0


async def test_a_killed_child_loses_no_more_than_its_last_second(
    station: Station, tmp_path: Path
) -> None:
    app, go = station.app, tmp_path / "go"
    for _ in range(50):
        app.add_task("work")
    app.add_task("hold", str(go))

    def done() -> float:
        about = {"queue": "default", "task": "work", "outcome": "success"}
        return station.value("qtasks_tasks_finished_total", **about)

    async def scene() -> None:
        # What a child has reported stays, whatever becomes of it.
        await station.until(lambda: done() == 50)
        await station.until(lambda: station.value("qtasks_tasks_in_progress", queue="default") == 1)
        children = station.hand.supervisor.children
        for child in children:
            os.kill(child.pid, signal.SIGKILL)
        go.touch()
        about = {"queue": "default", "task": "hold", "outcome": "success"}
        await station.until(lambda: station.value("qtasks_attempts_total", **about) == 1)
        assert done() == 50

    await station.play(2, scene)

    assert station.value("qtasks_worker_child_exits_total", reason="signal") == 2
    assert station.value("qtasks_leases_expired_total", queue="default") == 1
    assert station.value("qtasks_deliveries_total", queue="default", redelivered="yes") == 1


async def test_a_task_that_takes_its_workers_down_is_one_dead_letter_under_its_name(
    station: Station,
) -> None:
    station.app.add_task("crash")
    station.app.add_task("work")

    async def scene() -> None:
        about = {"queue": "default", "task": "crash", "reason": "worker_lost"}
        await station.until(lambda: station.value("qtasks_dead_letters_total", **about) == 1)
        await station.until(lambda: station.get("/readyz")[0] == 200)

    await station.play(2, scene)

    families = {family.name: family for family in station.plugin.registry.collect()}
    dead = [one for one in families["qtasks_dead_letters"].samples if one.value]
    assert [(one.labels["task"], one.value) for one in dead] == [("crash", 1)]
    about = {"queue": "default", "task": "crash", "outcome": "fail"}
    assert station.value("qtasks_tasks_finished_total", **about) == 1
    assert station.value("qtasks_worker_child_exits_total", reason="exit") == 3


class Wire:
    """A channel that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[Report] = []
        self.handlers: dict[type, Callable[[Report], None]] = {}

    def send(self, report: Report) -> None:
        self.sent.append(report)

    def on(self, kind: type, handler: Callable[[Report], None]) -> None:
        self.handlers[kind] = handler


def test_reports_come_once_a_second_with_what_is_new() -> None:
    now, wire, book, ledger = [0.0], Wire(), Book(5000), Ledger()
    book.open(ledger)
    crew: Any = SimpleNamespace(probes=list)
    reporter = Reporter(wire, book, crew, lambda: now[0])

    ledger.counter("retries", "default", "add").inc()
    for now[0] in (0.5, 1.0, 1.5, 2.0):
        reporter.beat()

    assert [report.additions for report in wire.sent] == [
        [Addition("retries", ("default", "add"), 1)],
        [],
    ]


def test_a_child_that_says_nothing_does_not_move() -> None:
    now, wire = [0.0], Wire()
    children = Children(Book(5000), lambda: now[0])
    child: Any = type("Child", (), {"channel": wire})()
    children.listen(child)
    probe = Probe("w1", 0.0, 0.0, connected=True, claiming=True)
    wire.handlers[Report](Report([], [("tasks_in_progress", ("a",), 2.0)], [probe]))

    assert children.probes() == [probe]
    assert list(children.readings()) == [("tasks_in_progress", ("a",), 2.0)]
    now[0] = 40.0
    assert [one.loop_silent for one in children.probes()] == [40.0]
    children.forget(child)
    assert (children.probes(), list(children.readings())) == ([], [])


def test_the_last_word_of_a_child_that_is_gone_counts_and_is_no_state_of_it() -> None:
    wire, book = Wire(), Book(5000)
    children = Children(book)
    child: Any = type("Child", (), {"channel": wire})()
    children.listen(child)
    children.forget(child)
    probe = Probe("w1", 0.0, 0.0, connected=True, claiming=True)
    added = Addition("retries", ("default", "add"), 1)

    wire.handlers[Report](Report([added], [("tasks_in_progress", ("a",), 2.0)], [probe]))

    assert (children.probes(), list(children.readings())) == ([], [])
    (retries,) = [family for family in book.collect() if family.name == "qtasks_retries"]
    assert [one.value for one in retries.samples] == [1]


def test_what_another_version_of_the_package_says_is_left_out() -> None:
    book = Book(5000)
    book.add(
        [
            Addition("of_tomorrow", (), 1),
            Addition("task_wait_seconds", ("a",), 1, (1,)),
            Addition("retries", ("a", "b", "of tomorrow"), 1),
        ]
    )
    for _ in range(2):  # as two children do
        book.read(lambda: [("of_tomorrow", (), 1.0), ("queue_paused", ("a", "of tomorrow"), 1.0)])
    assert [family.name for family in book.collect()] == ["qtasks_metrics_dropped"]
