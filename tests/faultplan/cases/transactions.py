"""Processes that are killed in the middle of a transaction on a SQLite file (F15)."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from faultplan.ours import python_path
from faultplan.report import Report
from faultplan.run import Run, case

if TYPE_CHECKING:
    from pathlib import Path

#: Numbers that one producer may use.
_RANGE = 10**6
#: After so many kills the file is checked.
_OFTEN = 25


@case(
    "F15",
    "a process is killed inside a transaction",
    tasks=0,
    kills=200,
    brokers=("sqlite", "sqlite-power"),
)
def killed_transactions(run: Run) -> Report:
    """Kills one of two workers and a producer, all of which write all the time."""
    assert run.broker.file is not None, f"{run.broker.kind} is no file"
    report, checked = Report(), 0
    crew = run.crew(lease=1.0, slots=8)
    crew.start(2)
    producer, produced = _produce(run, 0), 0
    try:
        for kill in range(run.kills):
            run.say(f"kill {kill + 1} of {run.kills}")
            if kill % 3:
                victim = run.rng.choice(crew.workers)
                run.until(lambda victim=victim: crew.noted("S", victim.pid), "a worker works")  # type: ignore[misc]  # bound at once
                time.sleep(run.rng.uniform(0.0, 0.1))  # any moment is as good
                crew.kill(victim)
                crew.start()
            else:
                path = run.folder / f"acknowledged-{produced}"
                run.until(lambda path=path: path.stat().st_size, "a producer produces")  # type: ignore[misc]  # bound at once
                time.sleep(run.rng.uniform(0.0, 0.1))  # likewise
                producer.kill()
                producer.wait()
                produced += 1
                producer = _produce(run, produced)
            if kill % _OFTEN == 0:
                checked += _is_whole(run.broker.file)
    finally:
        producer.kill()
        producer.wait()
    report.tally = tally = run.drained()
    report.must_lose_nothing()
    expected = len(range(0, run.kills, _OFTEN))
    report.must("the file is whole at every look", checked == expected, checked)
    report.must("the file is whole at the end", _is_whole(run.broker.file))
    # With a kill every third of a second a task may lose its worker three times in a row.
    report.figures["convicted"] = tally.dead
    return report


def _produce(run: Run, number: int) -> subprocess.Popen[bytes]:
    path = run.folder / f"acknowledged-{number}"
    path.touch()
    arguments = [run.system.name, run.place.url, str(run.folder), str(number)]
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "faultplan.produce"),
            *arguments,
            *(str((number + 1) * _RANGE), str(run.rng.random())),
        ],
        env=os.environ | {"PYTHONPATH": python_path()},
    )


def _is_whole(file: Path) -> bool:
    connection = sqlite3.connect(file, timeout=60)
    try:
        return bool(connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)])
    finally:
        connection.close()
