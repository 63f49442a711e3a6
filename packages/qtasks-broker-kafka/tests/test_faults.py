"""Workers that die, that join, and a server that goes away."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from servers.patience import wait_until

import qtasks
from qtasks.exc import ServerUnavailableError
from qtasks.schemas import CallOptions, TaskCall
from qtasks_broker_kafka import KafkaBroker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers.kafka import KafkaServer

HERE = Path(__file__).parent
SLOTS = 8
ID = "00000000-0000-7000-8000-000000000001"


class Fleet:
    """Worker processes, and what they ran.

    Attributes:
        app: an app on the same servers.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        self.runs = folder / "runs"
        self.runs.touch()
        self.go = folder / "go"
        self._environment = {
            **os.environ,
            "KAFKA": url,
            "STORAGE": f"sqlite:///{folder / 'tasks.db'}",
            "RUNS": str(self.runs),
            "SLOTS": str(SLOTS),
        }
        self.app = self._open()
        self._workers: list[subprocess.Popen[bytes]] = []

    def _open(self) -> qtasks.QueueTasks:
        return qtasks.QueueTasks(
            broker_url=self._environment["KAFKA"],
            storage_url=self._environment["STORAGE"],
            plugins=[],
        )

    def start(self) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-W", "ignore", str(HERE / "kafka_app.py")],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._workers.append(worker)
        return worker

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        worker.send_signal(signal.SIGKILL)
        worker.wait()

    def add(
        self, *calls: tuple[str, list[object]], task_id: str | None = None
    ) -> list[qtasks.TaskHandle[Any]]:
        options = CallOptions(task_id=task_id)
        return self.app.add_tasks(
            [TaskCall(name, tuple(arguments), {}, options) for name, arguments in calls]
        )

    def lag(self) -> int:
        async def look() -> int:
            broker = KafkaBroker(self._environment["KAFKA"])
            await broker.start()
            found = await broker.partitions("default")
            await broker.stop()
            return sum(one.lag for one in found)

        return asyncio.run(look())

    def count(self) -> Counter[str]:
        return Counter(self.runs.read_text().splitlines())

    def wait(self, what: Callable[[Counter[str]], bool], failure: str) -> None:
        def look() -> bool:
            assert all(worker.poll() in {None, -signal.SIGKILL} for worker in self._workers), (
                self.log
            )
            return what(self.count())

        wait_until(
            look,
            lambda: f"{failure}: {self.count()}\n{self.log}",
        )

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()[-3000:]

    def close(self) -> None:
        for worker in self._workers:
            if worker.poll() is None:
                self.kill(worker)
        self.app.close()


def quick(number: int) -> tuple[str, list[object]]:
    return "quick", [number]


@pytest.fixture
def make_fleet(tmp_path: Path) -> Iterator[Callable[[str], Fleet]]:
    made: list[Fleet] = []

    def make(url: str) -> Fleet:
        made.append(Fleet(url, tmp_path))
        return made[-1]

    yield make
    for fleet in made:
        fleet.close()


def done(counts: Counter[str], name: str) -> int:
    return sum(1 for line in counts if line.startswith(name))


def test_after_a_kill_only_what_was_running_runs_again(
    make_fleet: Callable[[str], Fleet], kafka: str
) -> None:
    fleet = make_fleet(f"{kafka}?partitions=1")
    number = 2000
    _, *others = fleet.add(("stuck", ["head", str(fleet.go)]), *(quick(n) for n in range(number)))
    first = fleet.start()
    fleet.wait(lambda counts: done(counts, "quick") == number, "the head holds up the others")
    wait_until(
        lambda: all(handle.refresh().status == "success" for handle in others),
        "their outcomes are not written",
    )
    assert fleet.count()["end head"] == 0
    fleet.kill(first)
    fleet.start()
    fleet.wait(lambda counts: counts["begin head"] == 2, "the stuck task does not run again")
    fleet.go.touch()
    fleet.wait(lambda counts: counts["end head"] == 1, "the stuck task does not end")
    fleet.add(quick(number))
    fleet.wait(lambda counts: done(counts, "quick") == number + 1, "work does not go on")
    counts = fleet.count()
    assert {line for line in counts if counts[line] > 1} == {"begin head"}


def test_a_worker_that_joins_in_a_backlog_runs_nothing_twice(
    make_fleet: Callable[[str], Fleet], kafka: str
) -> None:
    fleet = make_fleet(f"{kafka}?partitions=6")
    number = 4000
    handles = fleet.add(*(quick(n) for n in range(number)))
    fleet.start()
    fleet.wait(lambda counts: done(counts, "quick") > number / 10, "nothing runs")
    fleet.start()
    fleet.wait(lambda counts: done(counts, "worker") == 2, "the second worker does not start")
    fleet.wait(lambda counts: done(counts, "quick") == number, "tasks are lost")
    assert max(fleet.count().values()) == 1
    wait_until(lambda: handles[-1].refresh().status == "success", "the last of them has no result")


def test_a_worker_outlives_a_server_that_is_away(
    make_fleet: Callable[[str], Fleet], make_kafka: Callable[[], KafkaServer]
) -> None:
    server = make_kafka()
    fleet = make_fleet(f"kafka://{server.address}?partitions=1&timeout=2")
    running, *_ = fleet.add(("stuck", ["one", str(fleet.go)]), *(quick(n) for n in range(2, 9)))
    worker = fleet.start()
    fleet.wait(
        lambda counts: counts["begin one"] == 1 and done(counts, "quick") == 7, "nothing runs"
    )
    server.freeze()
    fleet.go.touch()
    wait_until(lambda: running.refresh().status == "success", "the outcome is not written")
    with pytest.raises(ServerUnavailableError, match="cannot be reached or cannot serve now"):
        fleet.add(quick(100))
    server.thaw()
    fleet.add(quick(101))
    fleet.wait(lambda counts: counts["quick 101"] == 1, "the worker does not come back")
    assert worker.poll() is None
    # What was refused may have been on its way: it may run, and not more than once.
    assert max(fleet.count().values()) == 1


def test_a_refused_add_that_is_repeated_under_its_id_runs_once(
    make_fleet: Callable[[str], Fleet], make_kafka: Callable[[], KafkaServer]
) -> None:
    server = make_kafka()
    fleet = make_fleet(f"kafka://{server.address}?partitions=1&timeout=2")
    fleet.add(quick(1))
    fleet.start()
    fleet.wait(lambda counts: counts["quick 1"] == 1, "nothing runs")
    server.freeze()
    with pytest.raises(ServerUnavailableError, match="same task_id or unique_key"):
        fleet.add(quick(2), task_id=ID)
    server.thaw()
    fleet.add(quick(2), task_id=ID)
    fleet.add(quick(3))
    fleet.wait(lambda counts: counts["quick 2"] == counts["quick 3"] == 1, "tasks are lost")
    wait_until(lambda: fleet.lag() == 0, "the log is not worked off")
    assert max(fleet.count().values()) == 1
