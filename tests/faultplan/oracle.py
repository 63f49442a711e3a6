"""The oracle: from the evidence of a run to what was lost, repeated and refused."""

from __future__ import annotations

import collections
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultplan.ledger import Fault, Ledger, Note
    from faultplan.system import End

__all__ = ["Tally", "count"]


@dataclass(frozen=True)
class Tally:
    """The counts of one run.

    Attributes:
        acknowledged: tasks whose enqueue returned.
        unknown: tasks that ran although no enqueue returned; either is right.
        run: acknowledged tasks that started.
        finished: acknowledged tasks that the queue calls ended, in whichever way.
        success: those that succeeded.
        dead: those that are dead letters.
        cancelled: those that were cancelled.
        lost: acknowledged tasks that have not ended, or of which no record is left.
        unproven: tasks that the queue calls succeeded though no run came to its end.
        duplicated: ends of runs beyond the first of each task.
        most_runs: starts of the one task that started most often.
        interrupted: runs that a fault ended.
        recovery_p50: seconds from the fault to the next start of an interrupted task, the median.
        recovery_p95: the same, of which 95 % were quicker.
        recovery_max: the longest.
        refused: outcomes that the queue refused, because another delivery is newer.
        overwritten: tasks whose recorded result is not that of their newest finished run.
    """

    acknowledged: int
    unknown: int
    run: int
    finished: int
    success: int
    dead: int
    cancelled: int
    lost: int
    unproven: int
    duplicated: int
    most_runs: int
    interrupted: int
    recovery_p50: float | None
    recovery_p95: float | None
    recovery_max: float | None
    refused: int
    overwritten: int

    def as_dict(self) -> dict[str, Any]:
        """Returns the counts by name."""
        return asdict(self)


def count(ledger: Ledger, ends: Mapping[str, End]) -> Tally:
    """Counts.

    Args:
        ledger: the evidence.
        ends: what the queue says about each acknowledged task, by id.
    """
    starts, finishes = _by_number(ledger, "S"), _by_number(ledger, "E")
    stand = {number: ends[task_id] for number, task_id in ledger.ids.items()}
    statuses = collections.Counter(end.status for end in stand.values())
    final = [number for number, end in stand.items() if end.final]
    times, interrupted = _recoveries(ledger, starts, finishes)
    return Tally(
        acknowledged=len(stand),
        unknown=len(starts.keys() - stand.keys()),
        run=len(starts.keys() & stand.keys()),
        finished=len(final),
        success=statuses["success"],
        dead=statuses["dead"],
        cancelled=statuses["cancelled"],
        lost=len(stand) - len(final),
        unproven=sum(
            end.status == "success" and number not in finishes for number, end in stand.items()
        ),
        duplicated=sum(len(notes) - 1 for notes in finishes.values()),
        most_runs=max(map(len, starts.values()), default=0),
        interrupted=interrupted,
        recovery_p50=_quantile(times, 0.5),
        recovery_p95=_quantile(times, 0.95),
        recovery_max=max(times, default=None),
        refused=sum(note.word == "F" for note in ledger.notes),
        overwritten=sum(_is_overwritten(end, finishes.get(n, [])) for n, end in stand.items()),
    )


def _by_number(ledger: Ledger, word: str) -> dict[int, list[Note]]:
    found: dict[int, list[Note]] = collections.defaultdict(list)
    for note in ledger.notes:
        if note.word == word:
            found[int(note.number)].append(note)
    return dict(found)


def _is_overwritten(end: End, finishes: list[Note]) -> bool:
    """Whether the result is an older run's than one that ended before the result was replaced.

    Tokens grow with every delivery; a queue that has none numbers its runs by their starts.
    """
    if end.status != "success" or not isinstance(end.result, list) or len(finishes) < 2:
        return False
    newest = max(finishes, key=lambda note: (note.token, note.at))
    pid, token = end.result
    return bool((token, pid) != (newest.token, newest.pid))


def _recoveries(
    ledger: Ledger, starts: dict[int, list[Note]], finishes: dict[int, list[Note]]
) -> tuple[list[float], int]:
    """Returns the seconds until interrupted tasks started again, and how many runs these were."""
    hit: dict[int, Fault] = {}
    for fault in ledger.faults:
        if fault.kind == "kill":
            hit |= dict.fromkeys(fault.pids, fault)
    times, interrupted = [], 0
    for number, runs in starts.items():
        ended = {(note.pid, note.token) for note in finishes.get(number, [])}
        for run in runs:
            if run.pid not in hit or (run.pid, run.token) in ended:
                continue
            interrupted += 1
            killed_at = hit[run.pid].at
            later = [note.at for note in runs if note.at > killed_at and note.pid != run.pid]
            times += [min(later) - killed_at] if later else []
    return times, interrupted


def _quantile(values: Sequence[float], part: float) -> float | None:
    if len(values) < 2:
        return values[0] if values else None
    return statistics.quantiles(values, n=100, method="inclusive")[round(part * 100) - 1]
