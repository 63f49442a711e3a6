"""A producer in a process of its own, which may be killed at any moment.

    python -m faultplan.produce SYSTEM URL FOLDER NAME FIRST SEED

It adds tasks of 2 ms in batches of 1 to 20, numbered from FIRST on, for as long as it lives, and
notes what was acknowledged in ``FOLDER/acknowledged-NAME``.
"""

from __future__ import annotations

import itertools
import random
import sys
import time
from pathlib import Path

from faultplan.ledger import Acknowledged
from faultplan.ours import QTasks
from faultplan.system import Job, Place

#: Seconds between two batches.
_PAUSE = 0.02


def main() -> None:
    """Produces until it is killed."""
    _system, url, folder, name, first, seed = sys.argv[1:]
    session = QTasks().connect(Place(url, Path(folder)))
    ledger = Acknowledged(Path(folder, f"acknowledged-{name}"))
    rng, numbers = random.Random(seed), itertools.count(int(first))
    while True:
        jobs = [Job(next(numbers), "work", (0.002,)) for _ in range(rng.randint(1, 20))]
        ledger.note(jobs, session.enqueue(jobs))
        time.sleep(_PAUSE)


if __name__ == "__main__":
    main()
