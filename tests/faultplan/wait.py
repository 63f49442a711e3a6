"""A waiter in a process of its own, which may be killed while it waits.

python -m faultplan.wait URL FOLDER ID...
"""

from __future__ import annotations

import sys
from pathlib import Path

from faultplan.ours import QTasks
from faultplan.system import Place

#: Seconds that it waits.
_LONG = 600.0


def main() -> None:
    """Waits until all tasks have ended, or it is killed."""
    url, folder, *ids = sys.argv[1:]
    session = QTasks().connect(Place(url, Path(folder)))
    Path(folder, "waiting").touch()
    session.watch(ids, _LONG)


if __name__ == "__main__":
    main()
