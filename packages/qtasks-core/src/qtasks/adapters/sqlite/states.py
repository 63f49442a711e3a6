"""Where a row of the ``task`` table stands in the queue.

The state is for the indexes; the status beside it is for people. The order of the numbers
matters: up to ``OUTBOX`` a task waits, up to ``LEASED`` it is unfinished.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "DONE",
    "LEASED",
    "OUTBOX",
    "PARKED",
    "READY",
    "SCHEDULED",
    "SUSPECT",
    "TALLY",
]

#: May run now.
READY: Final = 0
#: May run now, but its last lease ran out.
SUSPECT: Final = 1
#: May run later.
SCHEDULED: Final = 2
#: Must not be claimed here: it expired and waits for the sweep, or its message is elsewhere.
PARKED: Final = 3
#: Waits here until it is due for publishing to a broker elsewhere.
OUTBOX: Final = 4
#: In the hands of a worker.
LEASED: Final = 5
#: Terminal.
DONE: Final = 6

#: For each state the place of its count: ready, delayed, leased, finished. Parked tasks may not run
#: and are nobody's backlog here.
TALLY: Final = (0, 0, 1, None, 1, 2, 3)
