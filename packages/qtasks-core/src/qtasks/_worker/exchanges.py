"""The calls by which a worker settles and claims, of which two may be under way at once."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Final

from qtasks._worker.outages import still_ours
from qtasks.schemas import Claim, Exchange, Finished, Settlement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks._config import QueueConfig
    from qtasks.contracts.broker import BaseBroker

__all__ = ["Exchanges", "Overlap", "settlement_of"]

#: The least outcomes for which a second call goes out while the first is under way.
_LEAST: Final = 16


class Overlap:
    """Says when a second call is worth it.

    Args:
        config: the settings.
        allowed: whether the broker allows two calls at once.

    Attributes:
        much: so many outcomes are worth one; an adjusted setting changes it.
        enough: set when so many wait, or the second call has been answered.
    """

    def __init__(self, config: QueueConfig, *, allowed: bool) -> None:
        self._config = config
        self._allowed = allowed
        self.enough = asyncio.Event()
        self.adjust()

    def adjust(self) -> None:
        """Goes by the settings as they are now."""
        room = self._config.max_tasks_process + self._config.prefetched
        self.much = max(_LEAST, room // 4) if self._allowed else sys.maxsize

    async def next(self) -> None:
        """Waits until it may be time."""
        await self.enough.wait()
        self.enough.clear()


class Exchanges:
    """Calls the broker for one worker, and knows which of its answers are still on their way.

    Args:
        broker: the broker.
        worker_id: the worker's id.
        queues: the queues to take from.
        lease: seconds for which what is claimed belongs to the worker.

    Attributes:
        queues: the queues, that which is first next time at the beginning.
        coming: deliveries that may come in place of nothing; what comes in place of an outcome
            that goes with the same call takes no room of its own.
        made: calls so far.
    """

    def __init__(
        self,
        broker: BaseBroker,
        worker_id: str,
        queues: tuple[str, ...],
        lease: float,
    ) -> None:
        self._broker = broker
        self._worker_id = worker_id
        self.queues = queues
        self._lease = lease
        self._asked_at: list[float] = []
        self.coming = 0
        self.made = 0

    @property
    def under_way(self) -> int:
        """How many calls have not been answered."""
        return len(self._asked_at)

    def waits(self) -> float:
        """Returns for how many seconds an answer is on its way; may be called from any thread."""
        return max((time.monotonic() - asked_at for asked_at in self._asked_at.copy()), default=0.0)

    async def call(
        self, batch: Sequence[Finished | Settlement], want: int, suspects: int
    ) -> Exchange:
        """Settles a batch and claims.

        Args:
            batch: what has ended.
            want: how many deliveries may come.
            suspects: how many of them may be suspects.

        Raises:
            ServerError: the broker failed.
        """
        request = Claim(
            queues=self.queues,
            limit=want,
            lease=self._lease,
            worker=self._worker_id,
            suspects=suspects,
        )
        self.queues = self.queues[1:] + self.queues[:1]  # each queue is first in its turn
        coming = max(0, want - len(batch))
        self.coming += coming
        self.made += 1
        asked_at = time.monotonic()
        self._asked_at.append(asked_at)
        try:
            answer = await self._broker.exchange([*map(settlement_of, batch)], request)
            if self.waits() > self._lease / 2:
                answer = await still_ours(self._broker, answer, self._lease)
        finally:
            self.coming -= coming
            self._asked_at.remove(asked_at)
        return answer


def settlement_of(entry: Finished | Settlement) -> Settlement:
    """Returns what is to be written of something that has ended."""
    return entry.settlement if isinstance(entry, Finished) else entry
