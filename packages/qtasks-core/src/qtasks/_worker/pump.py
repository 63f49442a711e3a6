"""The pump: claims deliveries, hands them to the runner, and commits what has finished.

One call to the broker is in flight at a time. What finishes meanwhile goes with the next, and
the same call claims: a busy worker pays a fraction of a round trip for each task. If much has
finished before the answer comes, a second call goes out where the broker allows it, so that neither
waits for the other: the server works on the one while the worker reads what the last one brought.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING

from qtasks._core.decisions.outcomes import releases
from qtasks._worker.deadlines import Deadlines
from qtasks._worker.exchanges import Exchanges, Overlap, settlement_of
from qtasks._worker.outages import Outages
from qtasks._worker.watcher import Watcher
from qtasks.exc import ServerError
from qtasks.schemas import MAX_LOST, Delivery, Exchange, Finished, Held, Settlement

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from qtasks._config import QueueConfig
    from qtasks.contracts.broker import BaseBroker

__all__ = ["Pump"]


class Pump:
    """Moves deliveries and outcomes between one worker and its broker.

    Args:
        broker: the broker.
        worker_id: the worker's id.
        queues: the queues to take from.
        config: the settings.
        start: begins to run a delivery.
        stale: takes a delivery whose task was handed to this worker anew.
        committed: takes each settled run and whether the broker refused it.
        expired: takes a delivery whose time to start ran out while it waited here, and why it ends.
        exchanged: takes what each call to the broker brought, as ``worker_exchanged`` has it; None
            if nobody is to be told.

    Attributes:
        rested: set whenever nothing is left to do here.
    """

    def __init__(
        self,
        *,
        broker: BaseBroker,
        worker_id: str,
        queues: tuple[str, ...],
        config: QueueConfig,
        start: Callable[[Delivery], None],
        stale: Callable[[Delivery], object],
        committed: Callable[[Finished, bool], Awaitable[None]],
        expired: Callable[[Delivery, str], None],
        exchanged: Callable[..., Awaitable[None]] | None = None,
    ) -> None:
        self._broker = broker
        self._config = config
        self._start = start
        self._stale = stale
        self._committed = committed
        self._exchanged = exchanged
        # The lease is the keeper's, as long as this worker runs.
        self._exchanges = Exchanges(broker, worker_id, queues, config.lease)
        self._buffer: deque[Delivery] = deque()
        self._outbox: deque[Finished | Settlement] = deque()
        self._held: dict[str, Delivery] = {}
        self._running = 0
        self._overlap = Overlap(config, allowed=broker.capabilities.overlap)
        self._hurry, self._wake = asyncio.Event(), asyncio.Event()
        self._look = True
        self._draining = False
        self._beside = False  # whether a second call is under way, or of what it settled is told
        self._outages = Outages(self._hurry)
        self.rested = asyncio.Event()
        self._watcher = Watcher(broker, lambda: self._exchanges.queues, self._outages, self.wake)
        # A suspect on its last chance; it runs alone, so nobody else's crash is taken for its own.
        self._solo: Delivery | None = None
        self._solo_started = self._solo_spared = False
        self._deadlines = Deadlines(self.withdraw, expired, self._start_waiting)

    def held(self) -> list[Held]:
        """Returns all deliveries under lease: waiting, running, and finished but not settled."""
        return [Held(d.id, d.token, d.message.queue) for d in self._held.copy().values()]

    def waits(self) -> float:
        """Returns for how many seconds an answer is on its way; may be called from any thread."""
        return self._exchanges.waits()

    @property
    def moved_at(self) -> float:
        """When the broker was last asked or has last answered, on the monotonic clock."""
        return self._outages.moved_at

    def waiting(self) -> list[Delivery]:
        """Returns what waits here for a slot; may be called from any thread."""
        return [*self._buffer.copy(), *self._waiting_solo()]

    @property
    def draining(self) -> bool:
        """Whether it claims no more."""
        return self._draining

    def standing(self) -> tuple[bool, bool]:
        """Returns whether the broker answered last, and whether there is no room for more work."""
        return not self._outages.away, not self._want()

    @property
    def idle(self) -> bool:
        """Whether nothing is held and the last claim found nothing more."""
        return not (self._held or self._outbox or self._look)

    def finished(self, delivery: Delivery, finished: Finished | None) -> None:
        """Takes a run that ended; None if it was lost and is not to be settled."""
        self._running -= 1
        if delivery is self._solo:
            self._solo = None
            self._look = True
        if finished is None:
            self._let_go(delivery.id, delivery.token)
            self._look = True  # what it held back, another suspect for one, may be claimed now
        else:
            self._outbox.append(finished)
            task = finished.task
            if task is not None and task.ack == "immediate":
                self._hurry.set()
        self._deadlines.fill()
        self._wake.set()
        if len(self._outbox) >= self._overlap.much:
            self._overlap.enough.set()

    def settle(self, finished: Finished) -> None:
        """Takes a delivery that was withdrawn and ends without a run."""
        self._outbox.append(finished)
        self._wake.set()

    def withdraw(self, task_id: str, token: int, *, lost: bool) -> Delivery | None:
        """Takes back a delivery that waits here for a slot; None if it does not wait here.

        Args:
            task_id: the task's id.
            token: the delivery's token.
            lost: whether its lease is gone, so that it is not to be settled.
        """
        for delivery in (*self._buffer, *self._waiting_solo()):
            if (delivery.id, delivery.token) == (task_id, token):
                if delivery is self._solo:
                    self._solo = None
                    self.wake()  # nobody has to make room any more
                else:
                    self._buffer.remove(delivery)
                if lost:
                    self._let_go(task_id, token)
                return delivery
        return None

    def wake(self) -> None:
        """Looks for work at once; outcomes that wait for company go with the claim."""
        self._look = True
        self._hurry.set()
        self._wake.set()

    def adjust(self) -> None:
        """Starts and claims as much as the settings allow by now."""
        self._overlap.adjust()
        self._deadlines.fill()
        self.wake()

    def drain(self) -> None:
        """Stops claiming, gives back what waits here; :meth:`run` ends when all is settled."""
        self._draining = True
        self._hurry.set()
        waiting = (*self._waiting_solo(), *self._buffer)
        if self._waiting_solo():
            self._solo = None
        self._outbox.extend(map(releases, waiting))
        self._buffer.clear()
        self._wake.set()

    async def run(self) -> None:
        """Pumps until drained.

        Raises:
            ServerError: the broker failed in a way that waiting does not mend.
        """
        beside = asyncio.get_running_loop().create_task(self._exchange_beside())
        try:
            while not self._over:
                self._wake.clear()
                if beside.done():
                    beside.result()  # it never ends but by a failure
                if self._exchanges.under_way and len(self._outbox) < self._overlap.much:
                    await self._overlap.next()
                    continue
                if self._waiting_solo() and await self._tend_solo():
                    continue
                want = self._want()
                if self._outbox or (want and self._look):
                    # Whoever waits for a single outcome waits for no claim that finds nothing: the
                    # watcher would have been told.
                    await self._exchange(want if self._look or len(self._outbox) > 1 else 0)
                else:
                    self._watch()
                    if self.idle:
                        self.rested.set()
                    await self._wake.wait()
                    await self._gather()
        finally:
            beside.cancel()
            await self._watcher.close()
            with contextlib.suppress(asyncio.CancelledError):
                await beside

    @property
    def _over(self) -> bool:
        return self._draining and not (self._running or self._outbox or self._beside)

    async def _exchange_beside(self) -> None:
        """Makes the second of two calls."""
        calls, much, failed = self._exchanges, self._overlap, 0
        while True:
            await much.next()
            # After a failure the first call says first whether the broker is there.
            if calls.under_way == 1 and calls.made != failed and len(self._outbox) >= much.much:
                self._beside = True
                try:
                    await self._exchange(self._want(), beside=True)
                except ServerError:
                    failed = calls.made
                finally:
                    self._beside = False
                    self._look = True
                    self._wake.set()
                    much.enough.set()

    def _want(self) -> int:
        if self._draining or self._solo is not None:
            return 0
        # What is about to be settled makes room in the very call that claims.
        held = len(self._held) - len(self._outbox) + self._exchanges.coming
        return max(0, self._config.max_tasks_process + self._config.prefetched - held)

    async def _gather(self) -> None:
        """Waits ``commit_interval`` for more outcomes, unless one of them is urgent."""
        if self._config.commit_interval and self._outbox and not self._draining:
            await self._outages.pause(self._config.commit_interval)

    async def _exchange(self, want: int, *, beside: bool = False) -> None:
        batch = list(self._outbox)
        self._outbox.clear()
        if not self._draining:
            self._hurry.clear()
        asked, began = asyncio.get_running_loop().time(), time.monotonic()
        self._outages.moved_at = began
        suspects = 0 if beside or self._keeps_suspect(batch) else 1
        try:
            answer = await self._exchanges.call(batch, want, suspects)
        except ServerError as error:
            self._outbox.extendleft(reversed(batch))
            if beside or not error.retriable:
                raise
            await self._tell(Exchange(), batch, time.monotonic() - began, error)
            await self._outages.failed(error, draining=self._draining)
            return
        seconds = time.monotonic() - began
        self._outages.answered()
        self._take(answer, want, asked)
        await self._tell(answer, batch, seconds, None)
        await self._report(batch, answer)

    async def _tell(
        self,
        answer: Exchange,
        batch: Sequence[Finished | Settlement],
        seconds: float,
        error: ServerError | None,
    ) -> None:
        if self._exchanged is not None:
            await self._exchanged(answer, batch=batch, seconds=seconds, e=error)

    def _keeps_suspect(self, settled: Sequence[Finished | Settlement]) -> bool:
        """Whether a suspect stays in this process once ``settled`` is written."""
        suspects = [delivery for delivery in self._held.values() if delivery.lost]
        if not suspects:
            return False
        # What a lost lease has left to settle is of the same task, but not of this delivery.
        leaving = {(settlement.id, settlement.token) for settlement in map(settlement_of, settled)}
        return any((delivery.id, delivery.token) not in leaving for delivery in suspects)

    def _take(self, answer: Exchange, want: int, asked: float) -> None:
        for delivery in answer.deliveries:
            before = self._held.get(delivery.id)
            self._held[delivery.id] = delivery
            if before is not None:  # its lease ran out while it was here
                self._stale(before)
        if self._solo is None:
            self._buffer.extend(answer.deliveries)
            self._set_apart(answer.deliveries)
        else:  # it came with the other call, and runs alone
            self._outbox.extend(map(releases, answer.deliveries))
        if want:
            self._look = len(answer.deliveries) >= want
            self._watcher.looked(got=bool(answer.deliveries))
        if self._draining:
            self.drain()
        self._deadlines.fill()
        if self._buffer or self._waiting_solo():
            self._deadlines.watch([*self._waiting_solo(), *self._buffer], asked)

    async def _report(self, batch: list[Finished | Settlement], answer: Exchange) -> None:
        refused = frozenset(answer.refused)
        for entry in batch:
            settlement = settlement_of(entry)
            self._let_go(settlement.id, settlement.token)
            if isinstance(entry, Finished):
                await self._committed(entry, settlement.id in refused)

    def _let_go(self, task_id: str, token: int) -> None:
        """Holds a delivery no more, unless the task is held anew under another token."""
        held = self._held.get(task_id)
        if held is not None and held.token == token:
            del self._held[task_id]

    def _set_apart(self, deliveries: Sequence[Delivery]) -> None:
        """Makes room for a suspect on its last chance: what waits here is given back."""
        for delivery in deliveries:
            if delivery.lost >= MAX_LOST - 1:
                self._solo = delivery
                self._solo_started = self._solo_spared = False
                self._buffer.remove(delivery)
                self._outbox.extend(map(releases, self._buffer))
                self._buffer.clear()

    def _waiting_solo(self) -> tuple[Delivery, ...]:
        return () if self._solo is None or self._solo_started else (self._solo,)

    async def _tend_solo(self) -> bool:
        """Starts a suspect on its last chance when nothing else runs any more.

        While it waits it may be lost with this process as often as chance wants, for it has done
        nothing; so the broker is told to convict it for a run alone.

        Returns:
            Whether there is to be another look at once.
        """
        self._deadlines.fill()
        if not self._waiting_solo():  # it had to start before now
            return True
        (solo,) = self._waiting_solo()
        waits = self._running > 0
        if waits == self._solo_spared:
            if not waits:
                self._solo_started = True
                self._running += 1
                self._start(solo)
            return False
        lost = MAX_LOST - 2 if waits else MAX_LOST - 1
        try:
            await self._broker.blame(Held(solo.id, solo.token, solo.message.queue), lost)
        except ServerError as error:
            if not error.retriable:
                raise
            await self._outages.failed(error, draining=self._draining)
        else:
            self._outages.answered()
            self._solo_spared = waits
        return True

    def _start_waiting(self) -> None:
        while self._buffer and self._running < self._config.max_tasks_process:
            self._running += 1
            self._start(self._buffer.popleft())

    def _watch(self) -> None:
        """Has somebody wait at the broker while there is room for work."""
        if self._draining or not self._want() or self._look:
            return
        self._watcher.watch(less=self._keeps_suspect([]))
