"""The keeper: renews leases, sweeps and reports, from its own thread and connection.

A blocked event loop must not cost a worker its leases, so nothing here runs on the loop unless
the broker has no blocking twin.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
import time
from typing import TYPE_CHECKING, Final, Protocol

from qtasks._runtime.bridge import drive
from qtasks.exc import ServerError
from qtasks.schemas import Extension, Held, Presence, Swept

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks.contracts.broker import BaseBroker
    from qtasks.schemas import Retention

__all__ = ["Keeper", "KeeperTarget"]

log = logging.getLogger("qtasks.worker")

#: Tasks of each kind that one sweep takes. Finished records are removed as fast as a busy worker
#: makes new ones, so it goes on for a sixth of a lease, which leaves renewals in time.
_SWEEP: Final = 250
_PART_OF_LEASE: Final = 6
#: Seconds between two looks whether somebody wants a running task cancelled, at most.
_LOOK: Final = 1.0
#: Seconds after the end of a lease at which it is looked for, and between two such looks.
_AFTER_LEASE: Final = 0.05
#: Seconds until the next round after a failed one: leases may be about to run out.
_RETRY: Final = 0.5


class KeeperTarget(Protocol):
    """What the keeper needs of its worker; called from the keeper's thread."""

    def held(self) -> list[Held]:
        """Returns the deliveries to keep."""
        ...

    def presence(self) -> Presence:
        """Returns what to report."""
        ...

    def kept(self, held: list[Held], extension: Extension, swept: Swept) -> None:
        """Takes the answers of one round, and what the extension was asked for."""
        ...

    def doomed(self, error: ServerError) -> None:
        """Takes notice that the broker failed in a way that waiting does not mend."""
        ...


class Keeper:
    """Keeps the leases of one worker.

    Args:
        broker: the worker's broker; the keeper works through its twin.
        target: the worker.
        lease: seconds of a lease; every third of it a round is made, and in between, once a
            second, a look at what runs for longer. If a lease of any worker ends before the next
            round, there is a sweep just then.
        waits: tells for how many seconds the answer to a claim is on its way, 0.0 if none is.
        after_outage: whether the server was away just before.
        watch: called after each round and look, in the keeper's thread; None for nothing.
    """

    def __init__(
        self,
        broker: BaseBroker,
        target: KeeperTarget,
        lease: float,
        *,
        waits: Callable[[], float] = float,
        after_outage: bool = False,
        watch: Callable[[float], None] | None = None,
    ) -> None:
        self._watch = watch
        self._twin = broker.client()
        self._broker = self._twin or broker
        self._target = target
        self._lease = lease
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._task: asyncio.Task[None] | None = None
        self._away = False
        self._waits = waits
        self._after_outage = after_outage
        self._seen: frozenset[Held] = frozenset()
        self._round_at = 0.0
        self._sweep_at = math.inf
        self._monotonic: Callable[[], float] = time.monotonic

    def start(self) -> None:
        """Begins, in a thread of its own or, without a twin, on the running loop."""
        if self._twin is not None:
            self._thread = threading.Thread(target=self._keep, name="qtasks-keeper", daemon=True)
            self._thread.start()
        else:
            loop = asyncio.get_running_loop()
            self._monotonic = loop.time  # it sleeps by the loop, so it counts by the loop
            self._task = loop.create_task(self._keep_on_loop())

    @property
    def connected(self) -> bool:
        """Whether leases could be renewed when that was last tried."""
        return not self._away

    def retain(self, retention: Retention) -> None:
        """Changes how long what a sweep ends is kept."""
        self._broker.retention = retention
        if self._broker.storage is not None:
            self._broker.storage.retention = retention

    async def stop(self) -> None:
        """Ends, and takes back the report that the worker is alive."""
        self._stop.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            with contextlib.suppress(ServerError):
                await self._broker.report(self._target.presence(), 0.0)

    async def look(self) -> None:
        """Asks after the tasks that were here at the last look: has somebody cancelled them?

        Most tasks are over before anybody could ask, so a worker of short ones has no questions.
        """
        held = self._target.held()
        here = [one for one in held if one in self._seen]
        self._seen = frozenset(held)
        if here:
            self._target.kept(here, await self._broker.extend(here, self._lease), Swept())

    async def round(self) -> None:
        """Renews, sweeps unless the server was away, and reports once."""
        extension = Extension()
        held = await self._held()
        self._seen = frozenset(held)
        if held:
            extension = await self._broker.extend(held, self._lease)
        # Right after an outage the others have not had the time to renew their leases yet.
        self._sweep_at = math.inf
        total = Swept() if self._away or self._after_outage else await self._sweep()
        self._after_outage = False
        await self._broker.report(self._target.presence(), self._lease)
        self._target.kept(held, extension, total)

    async def _held(self) -> list[Held]:
        """Returns what the worker holds, and what it will once it has read the answer to a claim.

        While code blocks its loop it reads nothing, and those leases run all the same.
        """
        waits, known = self._waits(), self._target.held()
        if waits <= self._lease / _PART_OF_LEASE:
            return known
        ids = {one.id for one in known}
        all_of_it = await self._broker.holds(self._target.presence().worker)
        return [*known, *(one for one in all_of_it if one.id not in ids)]

    async def _sweep(self) -> Swept:
        total = await self._broker.sweep(_SWEEP)
        until = self._monotonic() + self._lease / _PART_OF_LEASE
        while total.more and self._monotonic() < until:
            total = _both(total, await self._broker.sweep(_SWEEP))
        if total.next_lease_end is not None:
            self._sweep_at = self._monotonic() + max(0.0, total.next_lease_end) + _AFTER_LEASE
        return total

    @property
    def _pause(self) -> float:
        """Seconds until the next round or look."""
        if self._away:
            return min(self._lease / 3, _RETRY)
        next_at = min(self._round_at, self._sweep_at)
        return max(0.0, min(_LOOK, next_at - self._monotonic()))

    def _keep(self) -> None:
        try:
            while True:
                self._guarded(lambda: drive(self._connected()))
                if self._watch is not None:
                    self._watch(time.monotonic())
                if self._stop.wait(self._pause):
                    break
            self._guarded(lambda: drive(self._broker.report(self._target.presence(), 0.0)))
        finally:
            with contextlib.suppress(ServerError):
                drive(self._broker.stop())

    async def _connected(self) -> None:
        await self._broker.start()
        await self._next()

    async def _next(self) -> None:
        """Makes a round if it is time for one or the server was away; else sweeps, or looks."""
        now = self._monotonic()
        if self._away or now >= self._round_at:
            self._round_at = now + self._lease / 3
            await self.round()
        elif now >= self._sweep_at:
            self._sweep_at = math.inf
            self._target.kept([], Extension(), await self._sweep())
        else:
            await self.look()

    async def _keep_on_loop(self) -> None:
        while True:
            try:
                await self._next()
                self._note_success()
            except Exception as error:  # noqa: BLE001 - it is told, and the keeper goes on
                self._note_failure(error)
            await asyncio.sleep(self._pause)

    def _guarded(self, action: Callable[[], None]) -> None:
        """Does something; an unreachable server costs one line, and the next round tries again."""
        try:
            action()
            self._note_success()
        except Exception as error:  # noqa: BLE001 - it is told, and the keeper goes on
            self._note_failure(error)

    def _note_success(self) -> None:
        if self._away:
            self._away = False
            log.info("Leases are renewed again")

    def _note_failure(self, error: Exception) -> None:
        if not isinstance(error, ServerError):
            log.error("The keeper failed; it goes on", exc_info=error)
            return
        if not error.retriable:
            self._target.doomed(error)
        if not self._away:
            self._away = True
            log.warning("Leases cannot be renewed at the moment: %s", error)


def _both(one: Swept, two: Swept) -> Swept:
    return Swept(
        taken_back=one.taken_back + two.taken_back,
        convicted=one.convicted + two.convicted,
        expired=one.expired + two.expired,
        purged=one.purged + two.purged,
        more=two.more,
        next_lease_end=two.next_lease_end,
    )
