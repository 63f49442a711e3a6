"""A handful of cases of the fault plan, small enough to run with every change.

`python tests/faults/drive.py all` runs all of them in their full size.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import faultplan.cases
import pytest
from faultplan import CASES, Run, open_broker
from faultplan.ours import QTasks

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the signals are those of Unix")

#: What is left to chance in the driver; the same on every run, unless somebody says otherwise.
SEED = int(os.environ.get("QTASKS_TEST_SEED") or 1)

#: Name, tasks, faults: each takes a few seconds.
SMALL = [
    ("F8", 2, 2),
    ("F10-pool", 50, 3),
    ("F16", 3, 1),
    ("F17", 3, 3),
    ("F23", 48, 48),
]


@pytest.mark.parametrize("broker", ["sqlite", "redis"])
@pytest.mark.parametrize(("name", "tasks", "kills"), SMALL, ids=str)
def test_a_case_holds(name: str, tasks: int, kills: int, broker: str, tmp_path: Path) -> None:
    run_small(name, tasks, kills, broker, tmp_path)


def test_a_file_is_whole_after_kills_inside_transactions(tmp_path: Path) -> None:
    run_small("F15", 0, 4, "sqlite", tmp_path)


def test_the_cases_are_registered() -> None:
    assert faultplan.cases.__path__
    assert set(CASES) >= {name for name, _, _ in SMALL} | {"F1", "F20"}


def run_small(name: str, tasks: int, kills: int, broker: str, folder: Path) -> None:
    print(f"seed {SEED}")  # noqa: T201 - pytest shows it where something fails
    with (
        open_broker(broker, folder) as opened,
        Run(QTasks(), opened, folder, seed=SEED, tasks=tasks, kills=kills) as run,
    ):
        report = CASES[name].run(run)

    # How long something took says more about the machine than about the queue.
    assert [check for check in report.checks if not check.held and not check.timed] == []
    assert report.checks


def test_a_worker_that_waits_for_its_broker_stops_when_it_is_told_to(tmp_path: Path) -> None:
    with (
        open_broker("redis", tmp_path) as opened,
        Run(QTasks(), opened, tmp_path, seed=SEED, tasks=0, kills=0) as run,
    ):
        assert opened.server is not None
        opened.server.kill()
        crew, log = run.crew(), tmp_path / "workers.log"
        worker = crew.start()
        run.until(lambda: log.exists() and "cannot be reached" in log.read_text(), "it waits")

        code, _ = crew.end(worker)

        opened.server.start()
    assert code == 0
