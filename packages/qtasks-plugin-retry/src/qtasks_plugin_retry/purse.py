"""Takes the tokens of a budget, from a board that many may use at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from qtasks_plugin_retry.boards import Board
    from qtasks_plugin_retry.budget import Budget

__all__ = ["Purse"]

#: First runs that are counted here before the board hears of them, and for how many seconds.
_BATCH: Final = 100
_LATEST: Final = 1.0
#: How many periods beyond that of a token its counter is kept.
_KEPT: Final = 2


class Purse:
    """The tokens of one budget.

    Args:
        name: the budget's name.
        budget: what it allows.
        board: where they are counted.

    Attributes:
        budget: likewise.
        postponed: how many retries were postponed by this process.
    """

    def __init__(self, name: str, budget: Budget, board: Board) -> None:
        self.budget = budget
        self.postponed = 0
        self._name = name
        self._board = board
        self._begun = 0
        self._told_at = 0.0
        self._free_from = 0

    async def began(self, now: float) -> None:
        """Counts a first run.

        Args:
            now: seconds since the epoch.
        """
        self._begun += 1
        if self._begun >= _BATCH or now - self._told_at >= _LATEST:
            await self._tell(now)

    async def postpone(self, delay: float, now: float, latest: float | None) -> float:
        """Takes a token for a retry, and returns the delay until it may run.

        Args:
            delay: seconds that it wants to wait.
            now: seconds since the epoch.
            latest: the most seconds that it can wait; a longer delay has no token. None for any.
        """
        budget = self.budget
        await self._tell(now)
        room = budget.room(await self._first_runs(now))
        wanted = period = budget.period(now + delay)
        while True:
            token = await self._add("retries", period, 1, now)
            if token <= room:
                break
            await self._add("retries", period, -1, now)
            # The next one need not try all the periods that are full.
            self._free_from = max(self._free_from, period + 1)
            period = self._free_from
            if latest is not None and budget.begins(period) - now > latest:
                return budget.begins(period) - now
        if period == wanted:
            return delay
        self.postponed += 1
        return max(delay, budget.due(period, token, room) - now)

    async def left(self, now: float) -> tuple[int, int]:
        """Returns how many tokens the period has left, and how many it had.

        Args:
            now: seconds since the epoch.
        """
        room = self.budget.room(await self._first_runs(now) + self._begun)
        taken = await self._add("retries", self.budget.period(now), 0, now)
        return max(room - taken, 0), room

    async def reset(self, now: float) -> None:
        """Gives back the tokens that were taken from this period and the one after it."""
        for period in (self.budget.period(now), self.budget.period(now) + 1):
            taken = await self._add("retries", period, 0, now)
            if taken:
                await self._add("retries", period, -taken, now)
        self._free_from = 0

    async def _first_runs(self, now: float) -> int:
        period = self.budget.period(now)
        before = await self._add("first", period - 1, 0, now)
        return max(before, await self._add("first", period, 0, now))

    async def _tell(self, now: float) -> None:
        begun, self._begun, self._told_at = self._begun, 0, now
        if begun:
            await self._add("first", self.budget.period(now), begun, now)

    async def _add(self, what: str, period: int, amount: int, now: float) -> int:
        ttl = max(self.budget.begins(period + _KEPT) - now, self.budget.per)
        return await self._board.add(f"budget:{self._name}:{what}:{period}", amount, ttl)
