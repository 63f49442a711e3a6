"""Reading what tasks noted down: did each run exactly once, and when?"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

from peers.ledger import NOTE

from harness.running import FailedError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["LostTasksError", "RepeatedTasksError", "RunLog"]

#: Notes for which there is room beyond those that are expected.
SPARE = 1000


class LostTasksError(FailedError):
    """Tasks that were added did not run."""


class RepeatedTasksError(FailedError):
    """Tasks ran more than once."""


class RunLog:
    """The notes of one worker.

    Args:
        path: the file, which is made anew.
        room: tasks that there are at most.
    """

    def __init__(self, path: Path, room: int) -> None:
        self.path = path
        path.write_bytes(bytes((room + SPARE) * NOTE.size))

    def has(self, tasks: int) -> bool:
        """Whether so many tasks have begun."""
        with self.path.open("rb") as file:
            file.seek((tasks - 1) * NOTE.size)
            return any(file.read(NOTE.size))

    def runs(self) -> list[tuple[int, int]]:
        """Returns the number of each task that has begun, and when, in ns."""
        notes = NOTE.iter_unpack(self.path.read_bytes())
        return [(number - 1, time) for number, time in notes if number]

    def once(self, expected: Iterable[int] | None = None) -> dict[int, int]:
        """Returns when each task began.

        Args:
            expected: the tasks that must have begun; none means those that have, for a worker that
                is not done.

        Raises:
            LostTasksError: one of the expected did not begin.
            RepeatedTasksError: one began twice, or one that nobody has added.
        """
        runs = self.runs()
        wanted = {number for number, _ in runs} if expected is None else set(expected)
        counts = collections.Counter(number for number, _ in runs)
        if lost := sorted(wanted - counts.keys()):
            msg = f"{len(lost)} of {len(wanted)} tasks did not run, such as {lost[:5]}"
            raise LostTasksError(msg)
        twice = sorted(number for number, n in counts.items() if n > 1 or number not in wanted)
        if twice:
            msg = f"{len(twice)} of {len(wanted)} tasks ran more than once, such as {twice[:5]}"
            raise RepeatedTasksError(msg)
        return dict(runs)
