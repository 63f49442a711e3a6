"""How long tests wait for other processes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds after which something that should have happened is called a failure.
PATIENCE = 60.0


def wait_until(
    condition: Callable[[], bool], failure: str | Callable[[], str], patience: float = PATIENCE
) -> None:
    """Waits for something that another process brings about.

    Raises:
        TimeoutError: it did not happen within ``patience`` seconds; ``failure`` says what.
    """
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(failure if isinstance(failure, str) else failure())
        time.sleep(0.01)
