"""Those who wait for results: many at once, too late, or killed; and results that expire (F22)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from faultplan.ours import python_path
from faultplan.report import Report
from faultplan.run import Run, case
from faultplan.system import Job

#: Seconds that results are kept, and that anybody waits.
_TTL, _LONG = 30, 120.0


@case(
    "F22",
    "results are waited for by many, too late, and by a process that dies",
    tasks=1_000,
    kills=1,
)
def waiters(run: Run) -> Report:
    """Everybody who waits is told, before and after the end, and nobody leaves anything behind."""
    report = Report()
    crew = run.crew(lease=5.0, slots=50, options={"FAULT_RESULT_TTL": str(_TTL)})
    before = _left_behind(run)
    ids = run.add(Job(number, "wait", (0.01,)) for number in range(run.tasks))
    told: list[int] = []
    session = run.connect()
    thread = threading.Thread(target=lambda: told.append(session.watch(ids, _LONG)))
    thread.start()
    for _ in range(run.kills):
        _kill_a_waiter(run, ids[:50])
    crew.start(2)
    thread.join()
    told.append(run.connect().watch(ids, _LONG))
    report.must("all are told who waited before", told[0] == len(ids), told[0])
    report.must("all are told who came later", told[1] == len(ids), told[1])
    report.tally = run.tally()
    report.must_lose_nothing()
    run.until(
        lambda: {end.status for end in run.session.ends(ids).values()} == {"missing"},
        "results expire",
    )
    for worker in list(crew.workers):
        crew.end(worker)
    after = _left_behind(run)
    report.must("nothing is left behind", after <= before, sorted(after - before))
    return report


def _kill_a_waiter(run: Run, ids: list[str]) -> None:
    waiter = subprocess.Popen(
        [sys.executable, "-m", "faultplan.wait", run.place.url, str(run.folder), *ids],
        env=os.environ | {"PYTHONPATH": python_path()},
    )
    started = run.folder / "waiting"
    run.until(started.exists, "a waiter waits")
    run.fault("waiter")
    waiter.kill()
    waiter.wait()
    started.unlink()


def _left_behind(run: Run) -> set[str]:
    """Returns what concerns single tasks or waiters: records, lists of ends, sockets."""
    if run.broker.server is not None:
        keys = run.broker.server.execute("KEYS", "*")
        return {key for key in keys if key.split(":", 2)[1] in {"t", "n"}}
    assert run.broker.file is not None, f"{run.broker.kind} cannot be looked into"
    folder = run.broker.file.with_name(f"{run.broker.file.name}.wake")
    return {path.name for path in folder.glob("*")} if folder.exists() else set()
