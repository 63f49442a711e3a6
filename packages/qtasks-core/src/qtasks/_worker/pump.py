"""The pump: claims deliveries, hands them to the runner, and commits what has finished.

One call to the broker is in flight at a time. What finishes meanwhile goes with the next, and
the same call claims: a busy worker pays a fraction of a round trip for each task.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from qtasks._core.decisions.outcomes import releases
from qtasks._worker.deadlines import Deadlines
from qtasks._worker.outages import pause_after, still_ours
from qtasks.exc import ServerError
from qtasks.schemas import MAX_LOST, Claim, Delivery, Exchange, Finished, Held, Settlement

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from qtasks._config import QueueConfig
    from qtasks.contracts.broker import BaseBroker

__all__ = ["Pump"]

log = logging.getLogger("qtasks.worker")

#: Seconds of one wait for work; the broker is asked again afterwards.
_READY_WAIT: Final = 5.0
#: The longest pause between two attempts to reach a broker while the worker stops.
_LAST_PAUSE: Final = 0.2
#: The longest pause after a broker said "ready" and then gave nothing.
_MAX_EMPTY_PAUSE: Final = 0.5


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
        moved_at: when the broker was last asked or has last answered, on the monotonic clock.
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
        self._worker_id = worker_id
        self._queues = queues
        self._config = config
        self._start = start
        self._stale = stale
        self._committed = committed
        self._exchanged = exchanged
        self.moved_at = time.monotonic()
        self._lease = config.lease  # the keeper's, as long as this worker runs
        self._buffer: deque[Delivery] = deque()
        self._outbox: deque[Finished | Settlement] = deque()
        self._held: dict[str, Delivery] = {}
        self._running = 0
        self._asked_at: float | None = None
        self._hurry, self._wake = asyncio.Event(), asyncio.Event()
        self._look, self._draining = True, False
        self._failures = self._empty = 0
        self.rested = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None
        self._watches_less = False  # it waits for all but suspects, because one was here
        # A suspect on its last chance; it runs when nothing else does, so that nobody else's
        # crash is taken for its own.
        self._solo: Delivery | None = None
        self._solo_started = self._solo_spared = False
        self._deadlines = Deadlines(self.withdraw, expired, self._start_waiting)

    def held(self) -> list[Held]:
        """Returns all deliveries under lease: waiting, running, and finished but not settled."""
        return [Held(d.id, d.token, d.message.queue) for d in self._held.copy().values()]

    def waits(self) -> float:
        """Returns for how many seconds an answer is on its way; may be called from any thread."""
        asked_at = self._asked_at
        return 0.0 if asked_at is None else time.monotonic() - asked_at

    def waiting(self) -> list[Delivery]:
        """Returns what waits here for a slot; may be called from any thread."""
        return [*self._buffer.copy(), *self._waiting_solo()]

    @property
    def draining(self) -> bool:
        """Whether it claims no more."""
        return self._draining

    def standing(self) -> tuple[bool, bool]:
        """Returns whether the broker answered last, and whether there is no room for more work."""
        return not self._failures, not self._want()

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
        try:
            while not (self._draining and not self._running and not self._outbox):
                self._wake.clear()
                if self._waiting_solo() and await self._tend_solo():
                    continue
                want = self._want()
                if self._outbox or (want and self._look):
                    await self._exchange(want)
                else:
                    self._watch()
                    if self.idle:
                        self.rested.set()
                    await self._wake.wait()
                    await self._gather()
        finally:
            if self._watcher is not None:
                self._watcher.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._watcher

    def _want(self) -> int:
        if self._draining or self._solo is not None:
            return 0
        # What is about to be settled makes room in the very call that claims.
        held = len(self._held) - len(self._outbox)
        return max(0, self._config.max_tasks_process + self._config.prefetched - held)

    async def _gather(self) -> None:
        """Waits ``commit_interval`` for more outcomes, unless one of them is urgent."""
        if self._config.commit_interval and self._outbox and not self._draining:
            await self._pause(self._config.commit_interval)

    async def _exchange(self, want: int) -> None:
        batch = list(self._outbox)
        self._outbox.clear()
        if not self._draining:
            self._hurry.clear()
        settlements = [e.settlement if isinstance(e, Finished) else e for e in batch]
        request = Claim(
            queues=self._queues,
            limit=want,
            lease=self._lease,
            worker=self._worker_id,
            suspects=0 if self._keeps_suspect(settlements) else 1,
        )
        self._queues = self._queues[1:] + self._queues[:1]  # each queue is first in its turn
        asked = asyncio.get_running_loop().time()
        self._asked_at = self.moved_at = time.monotonic()
        try:
            answer = await self._broker.exchange(settlements, request)
            if self.waits() > self._lease / 2:
                answer = await still_ours(self._broker, answer, self._lease)
        except ServerError as error:
            self._outbox.extendleft(reversed(batch))
            if not error.retriable:
                raise
            seconds, self._asked_at = self.waits(), None
            if self._exchanged is not None:
                await self._exchanged(Exchange(), batch=batch, seconds=seconds, e=error)
            await self._back_off(error)
            return
        seconds, self._asked_at = self.waits(), None
        self._note_success()
        self._take(answer, want, asked)
        if self._exchanged is not None:
            await self._exchanged(answer, batch=batch, seconds=seconds, e=None)
        await self._report(batch, answer)

    def _keeps_suspect(self, settled: list[Settlement]) -> bool:
        """Whether a suspect stays in this process once ``settled`` is written."""
        suspects = [delivery for delivery in self._held.values() if delivery.lost]
        if not suspects:
            return False
        # What a lost lease has left to settle is of the same task, but not of this delivery.
        leaving = {(settlement.id, settlement.token) for settlement in settled}
        return any((delivery.id, delivery.token) not in leaving for delivery in suspects)

    def _take(self, answer: Exchange, want: int, asked: float) -> None:
        for delivery in answer.deliveries:
            before = self._held.get(delivery.id)
            self._held[delivery.id] = delivery
            if before is not None:  # its lease ran out while it was here
                self._stale(before)
        self._buffer.extend(answer.deliveries)
        self._set_apart(answer.deliveries)
        if want:
            self._look = len(answer.deliveries) >= want
            self._empty = 0 if answer.deliveries else self._empty + 1
        if self._draining:
            self.drain()
        self._deadlines.fill()
        if self._buffer or self._waiting_solo():
            self._deadlines.watch([*self._waiting_solo(), *self._buffer], asked)

    async def _report(self, batch: list[Finished | Settlement], answer: Exchange) -> None:
        refused = frozenset(answer.refused)
        for entry in batch:
            settlement = entry.settlement if isinstance(entry, Finished) else entry
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
            await self._back_off(error)
        else:
            self._note_success()
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
        if self._watches_less and self._watcher and not self._keeps_suspect([]):
            self._watcher.cancel()
        if self._watcher is None or self._watcher.done() or self._watcher.cancelling():
            self._watches_less = self._keeps_suspect([])
            self._watcher = asyncio.get_running_loop().create_task(self._wait_for_work())

    async def _wait_for_work(self) -> None:
        if self._empty > 1:  # "ready", but not for us: a suspect, or another worker was faster
            await self._pause(min(_MAX_EMPTY_PAUSE, 0.001 * 2 ** min(self._empty, 10)))
        try:
            while not await self._broker.ready(self._queues, _READY_WAIT):
                self._empty = 0
                self.moved_at = time.monotonic()
        except ServerError as error:
            if error.retriable:
                await self._back_off(error)
        except Exception:
            log.exception("Waiting for work failed; the worker looks again")
            await self._pause(_MAX_EMPTY_PAUSE)
        self.wake()

    async def _back_off(self, error: ServerError) -> None:
        self._failures += 1
        if self._failures == 1:
            log.warning("The broker is away, its work waits: %s", error)
        pause = pause_after(self._failures)
        if self._draining:  # in a hurry, but not in a frenzy
            await asyncio.sleep(min(pause, _LAST_PAUSE))
        else:
            await self._pause(pause)

    async def _pause(self, seconds: float) -> None:
        """Waits, but not when there is reason to hurry."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()

    def _note_success(self) -> None:
        self.moved_at = time.monotonic()
        if self._failures:
            log.info("The broker is back after %d attempts", self._failures)
            self._failures = 0
