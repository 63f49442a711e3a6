"""What a queue must offer to go through the plan; one implementation is `faultplan.ours`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["End", "Job", "Place", "Session", "Status", "System", "Unacknowledged", "WorkerSettings"]


#: How a task stands.
Status: TypeAlias = Literal["waiting", "running", "success", "dead", "cancelled", "missing"]


class Unacknowledged(Exception):  # noqa: N818 - it says what is known, which is no error
    """A call to enqueue failed: its tasks may be queued or not, and either is right."""


@dataclass(frozen=True)
class Job:
    """One task to add.

    Attributes:
        number: its number in the run; the first argument of every task.
        task: one of the tasks of `faultplan.bodies`.
        arguments: what follows the number.
        delay: seconds until it may run.
        key: an id of its own, so that the call may be repeated; None where the queue chooses it.
    """

    number: int
    task: str = "work"
    arguments: tuple[Any, ...] = ()
    delay: float = 0.0
    key: str | None = None


@dataclass(frozen=True)
class End:
    """What the queue says about a task.

    Attributes:
        status: ``waiting`` is everything that may still run; ``missing`` is no record at all.
        result: what was recorded; the bodies return the process and the token of their run.
        reason: why it is dead or cancelled.
        deliveries: how often it was handed out; 0 where the queue does not count that.
        attempts: how many failures were counted.
    """

    status: Status
    result: Any = None
    reason: str = ""
    deliveries: int = 0
    attempts: int = 0

    @property
    def final(self) -> bool:
        """Whether it will not change any more."""
        return self.status in {"success", "dead", "cancelled"}


@dataclass(frozen=True)
class Place:
    """Where a run takes place.

    Attributes:
        url: the broker.
        folder: for the files of the run.
    """

    url: str
    folder: Path

    @property
    def notes(self) -> Path:
        """The file to which tasks append what they do."""
        return self.folder / "notes"


@dataclass(frozen=True)
class WorkerSettings:
    """How a worker is to be.

    Attributes:
        lease: seconds after which the tasks of a silent worker go to others.
        slots: tasks that run at once in a process.
        processes: more than one makes the worker a supervisor of so many children.
        patience: seconds that running tasks get when the worker is stopped.
        options: what only some queues know, by name.
    """

    lease: float = 2.0
    slots: int = 10
    processes: int = 1
    patience: float = 5.0
    options: dict[str, str] = field(default_factory=dict)


class Session(Protocol):
    """A connection of somebody who adds tasks and asks after them; used by one thread."""

    def enqueue(self, jobs: Sequence[Job]) -> list[str]:
        """Adds tasks and returns their ids, once the queue has acknowledged all of them.

        Raises:
            Unacknowledged: it did not.
        """
        ...

    def ends(self, ids: Sequence[str]) -> dict[str, End]:
        """Says how tasks stand."""
        ...

    def watch(self, ids: Sequence[str], seconds: float) -> int:
        """Waits for each task with a waiter of its own, all at once; returns how many were told."""
        ...

    def unfinished(self) -> int:
        """Counts the tasks that wait or run."""
        ...

    def recorded(self) -> int:
        """Counts the tasks that have ended and of which there is still a record."""
        ...

    def cancel(self, task_id: str) -> None:
        """Cancels a task, or has its worker do so."""
        ...

    def close(self) -> None:
        """Disconnects."""
        ...


class System(Protocol):
    """A queue under fault."""

    @property
    def name(self) -> str:
        """What tables call it."""
        ...

    def worker(self, place: Place, settings: WorkerSettings) -> tuple[list[str], dict[str, str]]:
        """Returns the command that runs a worker, and what to add to its environment.

        Its tasks are those of `faultplan.bodies`; it notes refused outcomes with the word ``F``.
        """
        ...

    def connect(self, place: Place) -> Session:
        """Opens a session."""
        ...
