"""Many tasks, to see that nothing grows (F20)."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import TYPE_CHECKING

from faultplan.report import Report
from faultplan.run import Run, case
from faultplan.system import Job

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Tasks that are added at once.
_BATCH = 500
#: Tasks that may wait before more are added.
_FULL = 5_000
#: The part of the tasks after which a worker has grown to its size.
_WARM = 0.3
#: Bytes of memory that it may grow by for each hundred thousand tasks.
_GROWTH = 1 << 20
_HUNDRED_THOUSAND = 100_000
#: Seconds that results are kept.
_TTL = 5


@case("F20", "nothing, for many tasks", tasks=300_000, kills=0, planned=False)
def soak(run: Run) -> Report:
    """Memory, descriptors and threads of a worker stay as they are, and the broker gets empty."""
    report = Report()
    crew = run.crew(lease=5.0, slots=50, options={"FAULT_RESULT_TTL": str(_TTL)})
    worker = crew.start()
    samples = [(done, *_size_of(worker.pid)) for done in _through(run)]
    warm = [sample for sample in samples if sample[0] >= run.tasks * _WARM]
    slope = _slope([(done, memory) for done, memory, _, _ in warm]) * _HUNDRED_THOUSAND
    report.must("memory grows by less than 1 MiB in 100,000 tasks", slope < _GROWTH, round(slope))
    for name, index in (("descriptors", 2), ("threads", 3)):
        # A connection may be open for a moment, so this is about what is usual, early and late.
        half = len(warm) // 2
        early, late = (statistics.median(s[index] for s in w) for w in (warm[:half], warm[half:]))
        report.must(f"{name} stay as they are", late - early <= 1, f"{early:g}, then {late:g}")
        report.figures[name] = round(late)
    report.figures["memory, MiB"] = round(warm[-1][1] / 2**20, 1)
    report.figures["growth in 100,000 tasks, KiB"] = round(slope / 1024)
    run.until(lambda: not _records(run), "records expire")
    report.must("no record is left", not _records(run))
    code, _ = crew.end(worker)
    report.must("the worker stops as it should", code == 0, code)
    if run.broker.server is not None:
        keys = run.broker.server.execute("KEYS", "*")
        report.figures["keys left"] = len(keys)
        lasting = [key for key in keys if run.broker.server.execute("TTL", key) < 0]
        # The names of queues, and the newest token.
        report.must("keys that stay do not concern tasks", len(lasting) <= 5, sorted(lasting))
    elif run.broker.file is not None:
        report.figures["size of the file, MiB"] = round(run.broker.file.stat().st_size / 2**20, 1)
    return report


def _through(run: Run) -> Iterator[int]:
    """Adds all tasks, without the queue growing long; yields now and then how many are done."""
    added, shown = 0, 0
    while added < run.tasks or run.session.unfinished():
        waiting = run.session.unfinished()
        if added < run.tasks and waiting < _FULL:
            run.session.enqueue([Job(added + n, "nothing") for n in range(_BATCH)])
            added += _BATCH
            waiting += _BATCH
        run.say(f"{added - waiting} of {run.tasks} tasks")
        if added - waiting - shown >= run.tasks // 20:
            shown = added - waiting
            yield shown


def _size_of(pid: int) -> tuple[int, int, int]:
    """Returns bytes of memory, descriptors and threads of a process."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    memory = int(status["VmRSS"].split()[0]) * 1024
    return memory, len(list(Path(f"/proc/{pid}/fd").iterdir())), int(status["Threads"])


def _slope(points: list[tuple[int, int]]) -> float:
    """Returns by how much the second number grows with the first, by least squares."""
    count = len(points)
    x, y = sum(p[0] for p in points) / count, sum(p[1] for p in points) / count
    spread = sum((p[0] - x) ** 2 for p in points)
    return sum((p[0] - x) * (p[1] - y) for p in points) / spread if spread else 0.0


def _records(run: Run) -> bool:
    """Whether any record is left."""
    return run.session.recorded() > 0
