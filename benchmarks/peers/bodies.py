"""The tasks, the same for every queue: each takes a number and a text, and returns the number.

A queue that runs coroutines gets `COROUTINES`, the others get `FUNCTIONS`.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import TYPE_CHECKING, Any, Final

from peers.ledger import note

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds that a sleeping task sleeps.
NAP: Final = 0.01
#: Digests of one task that computes, each of 1 KiB: about 1.5 ms, all of it under the GIL.
DIGESTS: Final = 1000
_BLOCK: Final = bytes(1024)


async def noop(number: int, text: str) -> int:  # noqa: ARG001 - only carried
    note(number)
    return number


async def nap(number: int, text: str) -> int:  # noqa: ARG001 - only carried
    note(number)
    await asyncio.sleep(NAP)
    return number


async def cpu(number: int, text: str) -> int:  # noqa: ARG001 - only carried
    note(number)
    compute()
    return number


def plain(number: int, text: str) -> int:  # noqa: ARG001 - only carried
    note(number)
    return number


def blocking_nap(number: int, text: str) -> int:  # noqa: ARG001 - only carried
    note(number)
    time.sleep(NAP)
    return number


def blocking_cpu(number: int, text: str) -> int:  # noqa: ARG001 - only carried
    note(number)
    compute()
    return number


def compute() -> None:
    """Keeps the processor busy."""
    for _ in range(DIGESTS):
        hashlib.sha256(_BLOCK).digest()


#: By what they are measured for.
COROUTINES: Final[dict[str, Callable[..., Any]]] = {
    "noop": noop,
    "nap": nap,
    "plain": plain,
    "cpu": cpu,
}
FUNCTIONS: Final[dict[str, Callable[..., int]]] = {
    "noop": plain,
    "nap": blocking_nap,
    "plain": plain,
    "cpu": blocking_cpu,
}
