"""Deliveries that wait in a worker and have to be started in time."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qtasks.schemas import Delivery

__all__ = ["Deadlines"]


class Deadlines:
    """Sees to it that no delivery starts too late after it was claimed in time.

    The broker's clock decided how much time was left; from then on the loop's own measures it,
    from before the claim was sent, so that it ends early rather than late. A worker without such
    deliveries pays nothing: then ``fill`` is the function that starts deliveries, itself.

    Args:
        withdraw: takes back a delivery that waits; returns None if it does not wait any more.
        expired: takes a delivery whose time ran out, and the word ``expired``.
        start: starts as many of the waiting deliveries as there is room for.

    Attributes:
        fill: starts deliveries, after those whose time ran out have left.
    """

    def __init__(
        self,
        withdraw: Callable[..., Delivery | None],
        expired: Callable[[Delivery, str], None],
        start: Callable[[], None],
    ) -> None:
        self._withdraw = withdraw
        self._expired = expired
        self._start = start
        self._times: dict[tuple[str, int], float] = {}
        self._next = inf
        self._timer: asyncio.TimerHandle | None = None
        self.fill: Callable[[], None] = start

    def watch(self, waiting: Iterable[Delivery], asked: float) -> None:
        """Notes by when deliveries have to be started; forgets those that wait no more.

        Args:
            waiting: all that wait, those of the newest claim included.
            asked: when that claim was sent, by the loop's clock.
        """
        before = self._times
        self._times = {
            key: before[key] if key in before else asked + one.expires_at - one.claimed_at
            for one in waiting
            if one.expires_at is not None and (key := (one.id, one.token))
        }
        self._arm()

    def _arm(self) -> None:
        """Sets the timer to the next of them; without any, nothing is looked at any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._next = min(self._times.values(), default=inf)
        self.fill = self._fill if self._times else self._start
        if self._times:
            self._timer = asyncio.get_running_loop().call_at(self._next, self._fill)

    def _fill(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._next:
            late = [key for key, when in self._times.items() if when <= now]
            for task_id, token in late:
                del self._times[task_id, token]
                delivery = self._withdraw(task_id, token, lost=False)
                if delivery is not None:
                    self._expired(delivery, "expired")
            self._arm()
        self._start()
