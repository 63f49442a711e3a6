"""A naive model of a broker: lists, loops and the words of the contract.

It shares nothing with any broker, so that a mistake would have to be made twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qtasks.schemas import MAX_LOST, Cancel, Fail, Release, Retry, Success

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qtasks.schemas import Delivery, Message, Outcome, Settlement

__all__ = ["Model", "ModelTask"]


@dataclass
class ModelTask:
    """What the contract says about one task.

    Attributes:
        message: as it was published.
        place: its number in the order of publication.
        due: when it may run.
        deadline: when it must have been started, or None.
        token: the token that settles it or has settled it; None if there is none.
        newest: the largest token it was ever given.
        lease_until: when its holder's lease runs out; None if nobody holds it.
        front: whether it comes before the others of its priority.
        gone_at: when its record may disappear; None while it is unfinished.
    """

    message: Message
    place: int
    due: float
    deadline: float | None
    status: str = "new"
    token: int | None = None
    newest: int = 0
    lease_until: float | None = None
    worker: str = ""
    front: bool = False
    attempts: int = 0
    snoozes: int = 0
    deliveries: int = 0
    lost: int = 0
    requeues: int = 0
    reason: str = ""
    dead: bool = False
    cancel: str | None = None
    gone_at: float | None = None

    @property
    def id(self) -> str:
        """The task's id."""
        return self.message.id

    @property
    def ended(self) -> bool:
        """Whether its status is terminal."""
        return self.gone_at is not None

    @property
    def waits(self) -> bool:
        """Whether it is neither finished nor held."""
        return self.gone_at is None and self.lease_until is None

    @property
    def rank(self) -> tuple[int, bool]:
        """Where its group stands in its queue."""
        return (self.message.priority, not self.front)

    @property
    def turn(self) -> tuple[float, int]:
        """Where it stands within its group."""
        return (self.due, self.place)


@dataclass
class Model:
    """All tasks, and the time.

    Attributes:
        ttl: seconds for which finished tasks are kept.
        keys: who has each unique key, and until when; None while that depends on the task.
    """

    ttl: float
    now: float = 0.0
    tasks: dict[str, ModelTask] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    places: int = 0
    keys: dict[str, tuple[str, float | None]] = field(default_factory=dict)

    # Questions

    def overdue(self, task: ModelTask) -> bool:
        """Whether a task waits though it had to be started before."""
        return task.waits and task.deadline is not None and task.deadline <= self.now

    def fading(self, task: ModelTask) -> bool:
        """Whether the time of a finished task is over."""
        return task.gone_at is not None and task.gone_at <= self.now

    def holder(self, key: str | None) -> str | None:
        """The id of the task that holds a unique key."""
        if key is None or key not in self.keys:
            return None
        id_, until = self.keys[key]
        if until is not None:
            return id_ if until > self.now else None
        task = self.tasks.get(id_)
        if task is None or task.ended or self.overdue(task):
            return None
        started = task.message.unique_until == "started" and task.deliveries > 0
        return None if started else id_

    def out_of_lease(self) -> list[ModelTask]:
        """The tasks whose lease has run out."""
        return [
            task
            for task in self.tasks.values()
            if task.lease_until is not None and task.lease_until <= self.now
        ]

    def next_in_turn(self, queues: Sequence[str], *, suspects: bool) -> list[ModelTask]:
        """The tasks one of which must be handed out next; empty if none may be."""
        for queue in queues:
            tasks = [task for task in self.tasks.values() if task.message.queue == queue]
            ready = [task for task in tasks if self.may_run(task, suspects=suspects)]
            if ready and queue not in self.paused:
                first = min(task.rank for task in ready)
                group = [task for task in ready if task.rank == first]
                return group if group[0].front else [min(group, key=turn)]
        return []

    def may_run(self, task: ModelTask, *, suspects: bool) -> bool:
        """Whether a task may be handed out now."""
        if not task.waits or task.due > self.now or self.overdue(task):
            return False
        return suspects or not task.lost

    # Changes

    def publish(self, message: Message) -> tuple[str, bool]:
        """Returns the id and whether a task was made."""
        if message.id in self.tasks:
            return message.id, False
        holder = self.holder(message.unique_key)
        if holder is not None:
            old = self.tasks.get(holder)
            if not message.unique_replaces or old is None or not old.waits:
                return holder, False
            self.end(old, "cancel", "replaced")
        self.take_key(message)
        self.places += 1
        deadline = None if message.expires is None else self.now + message.expires
        due = self.now + message.delay
        self.tasks[message.id] = ModelTask(message, self.places, due, deadline)
        return message.id, True

    def take_key(self, message: Message) -> None:
        """Notes who has the key of a message now."""
        if message.unique_key is not None:
            by_time = message.unique_until == "added"
            until = self.now + message.unique_window if by_time else None
            self.keys[message.unique_key] = (message.id, until)

    def hand_out(self, delivery: Delivery, worker: str, lease: float) -> None:
        """Notes a delivery."""
        task = self.tasks[delivery.id]
        task.status = "process"
        task.token = task.newest = delivery.token
        task.deliveries += 1
        task.lease_until = self.now + lease
        task.worker = worker

    def settle(self, settlement: Settlement) -> bool:
        """Notes an outcome; returns whether it is refused."""
        task = self.tasks.get(settlement.id)
        if task is None or task.token != settlement.token:
            return True
        if task.lease_until is not None:
            self.write(task, settlement)
        return False

    def write(self, task: ModelTask, settlement: Settlement) -> None:
        """Notes an outcome that counts."""
        task.lease_until = None
        task.attempts, task.snoozes = settlement.attempts, settlement.snoozes
        outcome = settlement.outcome
        task.lost = task.lost if isinstance(outcome, Release) else 0
        if task.cancel is not None and isinstance(outcome, Retry | Release):
            self.end(task, "cancel", task.cancel)
            return
        self.row_of_the_table(task, outcome)

    def row_of_the_table(self, task: ModelTask, outcome: Outcome) -> None:
        """Notes what an outcome makes of a task."""
        match outcome:
            case Success():
                self.end(task, "success")
            case Cancel():
                self.end(task, "cancel", outcome.reason)
            case Fail():
                self.end(task, "error", outcome.reason, dead=True)
            case Retry():
                task.status = "retry" if outcome.counted else "new"
                task.due, task.front = self.now + outcome.delay, False
            case Release():
                task.status = "new"
                task.due, task.front = self.now, True

    def end(self, task: ModelTask, status: str, reason: str = "", *, dead: bool = False) -> None:
        """Notes the end of a task."""
        task.status, task.reason, task.dead = status, reason, dead
        task.lease_until = task.cancel = None
        task.gone_at = self.now + self.ttl
        key = task.message.unique_key
        if key is not None and self.keys.get(key) == (task.id, None):
            self.keys[key] = (task.id, self.now + task.message.unique_window)

    def take_back(self, task: ModelTask) -> str:
        """Notes a loss; returns what became of the task."""
        task.lost += 1
        task.token = task.lease_until = None
        if task.cancel is not None:
            self.end(task, "cancel", task.cancel)
            return "cancelled"
        if task.lost == MAX_LOST:
            self.end(task, "error", "worker_lost", dead=True)
            return "convicted"
        task.due, task.front = self.now, True
        return "taken back"

    def requeue(self, ids: Iterable[str]) -> list[str]:
        """Notes the return of dead letters whose key is free; returns their ids."""
        moved = []
        for id_ in ids:
            task = self.tasks[id_]
            if not task.dead:
                continue
            if task.message.unique_until == "finished":
                if self.holder(task.message.unique_key) not in {None, id_}:
                    continue
                self.take_key(task.message)
            task.status, task.dead, task.reason = "new", False, ""
            task.gone_at = task.deadline = None
            task.attempts = task.lost = 0
            task.requeues += 1
            task.due, task.front = self.now, False
            moved.append(id_)
        return moved


def turn(task: ModelTask) -> tuple[float, int]:
    """Where a task stands within its group."""
    return task.turn
