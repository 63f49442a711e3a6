"""The part that chance has in a delay: none of it is chance when it is computed again.

Ids of tasks are random, so the delays of tasks that fail together are spread. Those of one task
follow from its id, so that whatever is computed twice is the same twice.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec

from qtasks_plugin_retry.backoffs import check_number

if TYPE_CHECKING:
    from qtasks_plugin_retry.backoffs import Backoff

__all__ = ["JITTERS", "Jitter", "Proportional", "check_jitter", "draw", "spread"]

#: The jitters that need no number.
JITTERS: Final = ("none", "full", "equal", "decorrelated")
#: How many steps a decorrelated delay is followed back; by then it has forgotten its beginning.
_MEMORY: Final = 128


class Proportional(msgspec.Struct, frozen=True):
    """Jitter that stays near the delay: between ``1 - part`` and ``1 + part`` times of it.

    Args:
        part: from 0 to 1.

    Raises:
        ValueError: it is outside of that.
        TypeError: it is no number.
    """

    part: float = 0.1

    def __post_init__(self) -> None:
        check_number("Proportional(part=", self.part)
        if self.part > 1:
            msg = f"Proportional(part={self.part!r}): use a number from 0 to 1"
            raise ValueError(msg)


Jitter: TypeAlias = Literal["none", "full", "equal", "decorrelated"] | Proportional


def check_jitter(value: Any) -> None:
    """Refuses what is no jitter.

    Raises:
        ValueError: always for those.
    """
    if isinstance(value, Proportional) or (isinstance(value, str) and value in JITTERS):
        return
    msg = f"Retry(jitter={value!r}): use {', '.join(map(repr, JITTERS))}, or Proportional(0.1)"
    raise ValueError(msg)


def draw(seed: str, task_id: str, attempt: int) -> float:
    """Returns a number from 0 up to, and without, 1 that looks random and is always the same."""
    text = f"{seed}\0{task_id}\0{attempt}".encode("utf-8", "surrogatepass")
    bits = int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 11
    return bits / (1 << 53)


def spread(
    backoff: Backoff, jitter: Jitter, cap: float, *, seed: str, task_id: str, attempt: int
) -> float:
    """Returns a delay with its jitter.

    Args:
        backoff: the delay without it.
        jitter: which jitter.
        cap: the most seconds.
        seed: makes the delays of one policy differ from those of another.
        task_id: the task's id.
        attempt: failed attempts so far, from 1.
    """
    if jitter == "decorrelated":
        return _decorrelated(backoff, cap, seed, task_id, attempt)
    delay = min(backoff.seconds(attempt), cap)
    if jitter == "none":
        return delay
    chance = draw(seed, task_id, attempt)
    if jitter == "full":
        return delay * chance
    if jitter == "equal":
        return delay / 2 + delay / 2 * chance
    return min(delay * (1 + jitter.part * (2 * chance - 1)), cap)


def _decorrelated(backoff: Backoff, cap: float, seed: str, task_id: str, attempt: int) -> float:
    """Draws each delay between the first one and three times the one before."""
    base = min(backoff.seconds(1), cap)
    delay = base
    for step in range(max(1, attempt - _MEMORY), attempt + 1):
        most = max(3 * delay, base)
        delay = min(base + (most - base) * draw(seed, task_id, step), cap)
    return delay
