"""What the synchronous façade does to queues and dead letters."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

from qtasks.app.asking import as_id
from qtasks.app.base import BaseQueueTasks

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from uuid import UUID

    from qtasks._core.client import Client
    from qtasks.app.global_config import GlobalConfig
    from qtasks.schemas import Presence, QueueStats

__all__ = ["BlockingUpkeep"]

T = TypeVar("T")


class BlockingUpkeep(BaseQueueTasks):
    """The calls that keep queues in order, in synchronous code."""

    @property
    def global_config(self) -> GlobalConfig:
        """The configuration that all processes of the app share."""
        from qtasks.app.global_config import GlobalConfig

        return GlobalConfig(self)

    def requeue(
        self,
        task_ids: Sequence[str | UUID],
        *,
        reset_attempts: bool = True,
        spread: float = 0.0,
    ) -> Sequence[str]:
        """Sends dead letters back to their queues; returns the ids that moved.

        Args:
            task_ids: their ids.
            reset_attempts: whether counted attempts start from 0 again.
            spread: seconds over which they become due, against a stampede.
        """
        wanted = [as_id(task_id) for task_id in task_ids]
        return self._run(
            lambda client: client.requeue(wanted, reset_attempts=reset_attempts, spread=spread)
        )

    def discard(self, task_ids: Sequence[str | UUID]) -> Sequence[str]:
        """Removes dead letters for good; returns the ids that were removed."""
        wanted = [as_id(task_id) for task_id in task_ids]
        return self._run(lambda client: client.discard(wanted))

    def stats(self, queues: str | Sequence[str] | None = None) -> list[QueueStats]:
        """Counts tasks by state.

        Args:
            queues: the queues; None for all that are known.
        """
        return self._run(lambda client: client.stats(queues))

    def pause_queue(self, queue: str) -> None:
        """Stops workers from taking tasks of a queue; adding and finishing tasks go on.

        Args:
            queue: its name; it may be one that nobody has added to yet.

        Raises:
            RegistrationError: it cannot be the name of a queue.
            UnsupportedError: the broker cannot pause queues.
        """
        self._run(lambda client: client.pause(queue))

    def resume_queue(self, queue: str) -> None:
        """Lets workers take tasks of a paused queue again; of any other it changes nothing.

        Args:
            queue: its name.

        Raises:
            RegistrationError: it cannot be the name of a queue.
            UnsupportedError: the broker cannot pause queues.
        """
        self._run(lambda client: client.resume(queue))

    def purge_queue(self, queue: str) -> int:
        """Removes the tasks that wait in a queue, with their records; returns how many.

        Delayed tasks and those that wait for a retry are removed too; running ones go on. Where
        records are kept on another server than the queue, they stay, as cancelled.

        Args:
            queue: its name.

        Raises:
            RegistrationError: it cannot be the name of a queue.
            UnsupportedError: the broker cannot empty queues.
        """
        return self._run(lambda client: client.purge(queue))

    def emit(self, name: str, **arguments: Any) -> Any:
        """Fires a trigger that :meth:`add_triggers` has declared.

        A plugin of its own fires it with ``await self.emit(...)``, in apps of both kinds.

        Args:
            name: the trigger.
            **arguments: exactly those that it declares.

        Returns:
            None for the kind ``notify``; the values as plugins left them, by key, for ``filter``;
            the answer, or None, for ``first`` and ``last``.

        Raises:
            RegistrationError: there is no such trigger, or it is fired by QTasks alone.
            TypeError: these are not its arguments.
        """
        return self._run(lambda client: client.emit(name, arguments))

    def workers(self) -> list[Presence]:
        """Lists the worker processes that are alive."""
        return self._run(lambda client: client.workers())

    def ping(self, server: bool = True) -> bool:  # noqa: FBT001, FBT002 - the predecessor's signature
        """Tells whether anybody is there.

        Args:
            server: True asks for a living worker, False only for the broker.
        """
        return self._run(lambda client: client.ping(server=server))

    def flush_all(self) -> None:
        """Removes everything: waiting tasks, records, results, dead letters, state."""
        self._run(lambda client: client.flush())

    @abstractmethod
    def _run(self, make: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
        """Runs a client's coroutine, as the façade does it."""
