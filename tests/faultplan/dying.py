"""A process that is killed between a commit of SQLite and the answer to whoever waits for it.

python dying.py COMMITS SCRIPT          runs a script, and dies after so many commits
python dying.py add URL JSON            adds the calls in the JSON, and dies when they are there
"""

from __future__ import annotations

import itertools
import json
import os
import runpy
import signal
import sys
from typing import TYPE_CHECKING, Any

from qtasks import QueueTasks
from qtasks.adapters.sqlite.engine import Engine
from qtasks.schemas import CallOptions, TaskCall

if TYPE_CHECKING:
    from collections.abc import Iterator


#: Commits that this process may still make; nothing counts them until it is told to die.
left: Iterator[int] = itertools.repeat(1)


def committed(_engine: Engine, _units: Any) -> None:
    """Is called when a transaction is in the file, and nobody has been told."""
    if next(left) <= 0:
        os.kill(os.getpid(), signal.SIGKILL)


def die_after(commits: int) -> None:
    """Has this process killed after so many commits from now on."""
    global left  # noqa: PLW0603 - a process dies once
    left = itertools.count(commits - 1, -1)


def add(url: str, jobs: list[tuple[int, str]]) -> None:
    """Adds tasks, and dies in the moment in which they are written."""
    with QueueTasks(broker_url=url) as app:
        app.list_tasks()  # so that the file is there and the next commit is ours
        die_after(1)
        app.add_tasks(
            TaskCall("work", (number, 0.005), options=CallOptions(task_id=key))
            for number, key in jobs
        )


if __name__ == "__main__":
    # Before an engine is made: it keeps what it was made with.
    Engine._committed = committed  # type: ignore[assignment, method-assign]  # the moment has no name of its own
    what, *rest = sys.argv[1:]
    if what == "add":
        add(rest[0], [(number, key) for number, key in json.loads(rest[1])])
    else:
        die_after(int(what))
        runpy.run_path(rest[0], run_name="__main__")
