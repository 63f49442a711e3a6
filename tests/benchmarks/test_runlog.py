"""The benchmarks notice a task that was lost, ran twice, or was never added."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from harness.runlog import LostTasksError, RepeatedTasksError, RunLog

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NOTING = "import sys; from peers.ledger import note; [note(int(n)) for n in sys.argv[1:]]"


def noted(tmp_path: Path, *numbers: int, room: int = 3) -> RunLog:
    """Lets a process of its own note that it runs tasks, as a worker does."""
    log = RunLog(tmp_path / "ledger", room)
    subprocess.run(
        [sys.executable, "-c", NOTING, *map(str, numbers)],
        env={"BENCH_LEDGER": str(log.path), "PYTHONPATH": str(BENCHMARKS)},
        check=True,
    )
    return log


def test_each_task_ran_once(tmp_path: Path) -> None:
    log = noted(tmp_path, 2, 0, 1)

    begun = log.once(range(3))

    assert begun.keys() == {0, 1, 2}
    assert begun[2] <= begun[0] <= begun[1]


def test_a_lost_task_is_noticed(tmp_path: Path) -> None:
    log = noted(tmp_path, 0, 2)

    assert not log.has(3)
    with pytest.raises(LostTasksError, match=r"1 of 3 tasks did not run, such as \[1\]"):
        log.once(range(3))


def test_a_task_that_ran_twice_is_noticed(tmp_path: Path) -> None:
    log = noted(tmp_path, 0, 1, 1, 2)

    assert log.has(4)
    with pytest.raises(RepeatedTasksError, match=r"1 of 3 tasks ran more than once, such as \[1\]"):
        log.once(range(3))


def test_a_task_that_nobody_added_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(RepeatedTasksError, match=r"\[7\]"):
        noted(tmp_path, 0, 1, 2, 7).once(range(3))


def test_a_worker_that_runs_far_too_many_goes_on(tmp_path: Path) -> None:
    log = noted(tmp_path, *range(1500), room=3)

    assert len(log.runs()) == 1003


def test_a_worker_that_is_not_done_has_run_some_once(tmp_path: Path) -> None:
    assert noted(tmp_path, 2, 0).once().keys() == {0, 2}


def test_a_worker_that_is_not_done_has_run_none_twice(tmp_path: Path) -> None:
    with pytest.raises(RepeatedTasksError, match=r"1 of 2 tasks"):
        noted(tmp_path, 2, 0, 2).once()
