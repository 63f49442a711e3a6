"""The life of tasks, as a pure model: no I/O, no clock, no locks.

This is the executable form of the outcome table: what another broker does on its server must
come to the same. Callers hold a lock around every call and pass the time.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from qtasks.adapters.memory.heap import Heap
from qtasks.adapters.memory.holds import Holds
from qtasks.adapters.memory.lanes import ORDINARY, Lanes
from qtasks.adapters.memory.row import Row
from qtasks.schemas import Receipt, TaskStatusEnum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from qtasks.schemas import CancelAnswer, Claim, Delivery, Message, Progressed, Retention

__all__ = ["Store"]


def ignore(_: str) -> None:
    """Answers the store's calls while nobody listens."""


class Store:
    """All tasks of one server.

    Attributes:
        on_ready: called with the name of a queue in which a claim may find more than before.
        on_end: called with the id of a task that ended or was removed.
        rows: every known task by id.
        queues: the waiting tasks by queue.
        paused: names of the paused queues.
        schedule: tasks that wait here for a broker elsewhere.
        leases: tasks in the hands of workers, by the end of their lease.
        finished: ended tasks, by the time their record is removed.
        deadlines: waiting tasks that have to be started in time, by that time.
        unreported: ids of tasks that expired since the last sweep.
        died: the dead letters by id.
        holds: the unique keys.
    """

    def __init__(self) -> None:
        self.on_ready: Callable[[str], None] = ignore
        self.on_end: Callable[[str], None] = ignore
        # Never set back, so that a token stays the newest of its task even if the task is
        # removed and its id used again.
        self._token = 0
        self._seq = 0
        self._clear()

    def _clear(self) -> None:
        self.rows: dict[str, Row] = {}
        self.queues: dict[str, Lanes] = {}
        self.paused: set[str] = set()
        self.schedule = Heap()
        self.died: dict[str, Row] = {}
        self.leases = Heap()
        self.finished = Heap()
        self.deadlines = Heap()
        self.holds = Holds()
        self.unreported: list[str] = []

    def flush(self) -> None:
        """Removes everything."""
        ids = list(self.rows)
        self._clear()
        for id_ in ids:
            self.on_end(id_)

    # Publishing

    def publish(
        self,
        messages: Iterable[Message],
        now: float,
        *,
        beside: bool = False,
        replaced_ttl: float | None = None,
    ) -> list[Receipt]:
        """Writes new tasks, all or none.

        Args:
            messages: the tasks.
            now: the time.
            beside: whether their broker is elsewhere.
            replaced_ttl: seconds for which tasks are kept that others replace; None if none may.
        """
        receipts: list[Receipt] = []
        new: dict[str, Row] = {}
        replaced: list[Row] = []
        may_replace = replaced_ttl is not None
        for message in messages:
            if message.id in self.rows or message.id in new:
                receipts.append(Receipt(message.id, created=False))
                continue
            key = message.unique_key
            holder = None if key is None else self.holds.holder(key, now)
            if holder is not None and message.unique_replaces and may_replace and holder.waits:
                replaced.append(holder)
                holder = None
            if holder is not None:
                receipts.append(Receipt(holder.id, created=False))
            else:
                self._seq += 1
                row = new[message.id] = Row(message, self._seq, now, beside=beside)
                if message.unique_key is not None:
                    self.holds.take(message.unique_key, row, now)
                receipts.append(Receipt(message.id, created=True))
        self.rows.update(new)
        for row in new.values():
            self.lanes(row)
            self.watch(row)
            if not beside:
                self.line_up(row, ORDINARY, now)
        for row in replaced:
            self.end(row, TaskStatusEnum.CANCEL, now, replaced_ttl or 0.0, reason="replaced")
        return receipts

    def lanes(self, row: Row) -> Lanes:
        """Returns the queue of a task."""
        lanes = self.queues.get(row.queue)
        if lanes is None:
            lanes = self.queues[row.queue] = Lanes()
        return lanes

    def line_up(self, row: Row, rank: int, now: float) -> None:
        """Lets a task wait: in its lane, among the delayed, or on the schedule."""
        if row.beside:
            self.schedule.push(row.due_at, row)
            row.home = self.schedule
            return
        lanes = self.lanes(row)
        if row.due_at <= now:
            lanes.push(row, rank)
        else:
            lanes.delay(row)
        self.on_ready(row.queue)

    def withdraw(self, row: Row) -> None:
        """Takes a task from where it waits."""
        if row.home is not None:
            row.home.withdraw(row)
            row.home = None

    def watch(self, row: Row) -> None:
        """Remembers when a task that waits has to be started."""
        if row.expires_at is not None:
            self.deadlines.push(row.expires_at, row)

    # Claiming

    def claim(self, request: Claim, now: float, retention: Retention) -> list[Delivery]:
        """Hands out due tasks; see :meth:`BaseBroker.claim`."""
        deliveries: list[Delivery] = []
        suspects = request.suspects
        for queue in request.queues:
            lanes = self.queues.get(queue)
            if lanes is None or queue in self.paused:
                continue
            lanes.promote(now)
            while len(deliveries) < request.limit:
                row = lanes.pop(suspects=suspects > 0)
                if row is None:
                    break
                row.home = None
                if self.overdue(row, now):
                    self.expire_waiting(row, now, retention)
                    continue
                suspects -= row.lost > 0
                self.lease(row, request.worker, request.lease, now)
                deliveries.append(row.delivery())
        return deliveries

    def overdue(self, row: Row, now: float) -> bool:
        """Tells whether a task was not started in time."""
        return row.expires_at is not None and row.expires_at <= now

    def expire_waiting(self, row: Row, now: float, retention: Retention) -> None:
        """Cancels a task that was not started in time; the next sweep reports it."""
        self.unreported.append(row.id)
        self.end(row, TaskStatusEnum.CANCEL, now, retention.result_ttl, reason="expired")

    def stamp(self, row: Row) -> None:
        """Gives a task a new token, which makes every older one stale."""
        self._token += 1
        row.token = self._token

    def lease(self, row: Row, worker: str, seconds: float, now: float) -> None:
        """Hands a task to a worker under a new token."""
        self.withdraw(row)
        row.held = False
        if row.expires_at is not None:
            self.deadlines.withdraw(row)
        self.stamp(row)
        row.status = TaskStatusEnum.PROCESS
        row.worker = worker
        row.deliveries += 1
        row.started_at = now
        row.lease_until = now + seconds
        self.leases.push(row.lease_until, row)
        row.home = self.leases
        self.lanes(row).leased += 1

    def next_due(self, queues: Iterable[str], now: float) -> float:
        """Returns when a claim may find something; in the past if it may now."""
        earliest = inf
        for queue in queues:
            lanes = self.queues.get(queue)
            if lanes is None or queue in self.paused:
                continue
            if lanes.ready():
                return now
            first = lanes.delayed.first()
            earliest = earliest if first is None else min(earliest, first)
        return earliest

    def leased_since(self, queue: str) -> float | None:
        """Returns when the oldest leased task of a queue was handed out, or None."""
        started = (row.started_at for row in self.leases.rows() if row.queue == queue)
        return min((at for at in started if at is not None), default=None)

    # Moving

    def unlease(self, row: Row) -> None:
        """Takes a task out of the hands of its holder, or from where it waits."""
        if row.lease_until is not None:
            row.lease_until = None
            self.lanes(row).leased -= 1
        self.withdraw(row)

    def end(
        self,
        row: Row,
        status: TaskStatusEnum,
        now: float,
        ttl: float,
        *,
        reason: str = "",
        dead: bool = False,
    ) -> None:
        """Makes a task terminal; its record stays for ``ttl`` seconds."""
        self.unlease(row)
        if row.expires_at is not None:
            self.deadlines.withdraw(row)
        if row.unique_key is not None:
            self.holds.ended(row, now)
        row.status = status
        row.finished_at = now
        row.reason = reason
        row.cancel = None
        row.held = False
        lanes = self.lanes(row)
        lanes.finished += 1
        if dead:
            row.dead = True
            lanes.dead += 1
            self.died[row.id] = row
        if ttl > 0:
            self.finished.push(now + ttl, row)
            row.home = self.finished
            self.on_end(row.id)
        else:
            self.remove(row)

    def revive(self, row: Row) -> None:
        """Takes a task from the finished ones, so that it can line up again."""
        self.withdraw(row)
        lanes = self.lanes(row)
        lanes.finished -= 1
        if row.dead:
            row.dead = False
            lanes.dead -= 1
            del self.died[row.id]

    def remove(self, row: Row) -> None:
        """Forgets a task that nobody holds."""
        self.withdraw(row)
        del self.rows[row.id]
        if row.finished_at is None:
            if row.expires_at is not None:
                self.deadlines.withdraw(row)
            if row.unique_key is not None:
                self.holds.free(row)
        else:
            lanes = self.lanes(row)
            lanes.finished -= 1
            if row.dead:
                lanes.dead -= 1
                del self.died[row.id]
        self.on_end(row.id)

    def note_progress(self, entries: Iterable[Progressed]) -> None:
        """Keeps what running tasks say of their progress, see :meth:`BaseStorage.progress`."""
        for entry in entries:
            if self.runs(entry.id, entry.token):
                self.rows[entry.id].progress = entry.data

    def runs(self, id_: str, token: int) -> bool:
        """Tells whether a task is in somebody's hands under this token."""
        row = self.rows.get(id_)
        return row is not None and row.token == token and row.lease_until is not None

    # Cancelling and purging

    def cancel(
        self, ids: Iterable[str], reason: str, now: float, retention: Retention
    ) -> dict[str, CancelAnswer]:
        """Cancels tasks, see :meth:`BaseStorage.cancel`."""
        return {id_: self._cancel(id_, reason, now, retention) for id_ in ids}

    def _cancel(self, id_: str, reason: str, now: float, retention: Retention) -> CancelAnswer:
        row = self.rows.get(id_)
        if row is None:
            return "unknown"
        if row.finished_at is not None:
            return "finished"
        if row.lease_until is not None:
            row.cancel = reason if row.cancel is None else row.cancel
            return "requested"
        self.end(row, TaskStatusEnum.CANCEL, now, retention.result_ttl, reason=reason)
        return "cancelled"

    def purge(self, queue: str) -> int:
        """Removes all waiting tasks of a queue; returns how many."""
        lanes = self.queues.get(queue)
        rows: Sequence[Row] = () if lanes is None else lanes.rows()
        for row in rows:
            self.remove(row)
        return len(rows)
