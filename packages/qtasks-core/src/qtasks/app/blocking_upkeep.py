"""What the synchronous façade does to queues and dead letters."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from qtasks.app.base import BaseQueueTasks
from qtasks.app.letters import LetterFilters, discard, requeue

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from datetime import timedelta

    from qtasks._core.client import Client
    from qtasks.app.global_config import GlobalConfig
    from qtasks.app.letters import Letters
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
        task_ids: Letters,
        *,
        reset_attempts: bool = True,
        spread: float | timedelta = 0.0,
        **filters: Unpack[LetterFilters],
    ) -> Sequence[str]:
        """Sends dead letters back to their queues; returns the ids that moved.

        They keep id and history. Each moves once, however often and by how many it is asked for.

        Args:
            task_ids: their ids, or ``"all"``, of which filters leave a part.
            reset_attempts: whether counted attempts start from 0 again.
            spread: seconds, or a timedelta, over which they become due, against a stampede.
            **filters: ``task``, ``queue``, ``error`` (an exception type or a text), ``reason``,
                ``since``, ``until`` and ``limit``, see
                :class:`~qtasks.app.letters.LetterFilters`.

        Raises:
            TaskArgumentsError: an id or a filter has a value that cannot be.
            PartlyDoneError: the server failed in the midst; it names the ids that moved.
            ServerError: the server failed at once; none moved.
        """
        deed = requeue(task_ids, filters, self.clock, reset_attempts=reset_attempts, spread=spread)
        return self._run(deed)

    def discard(self, task_ids: Letters, **filters: Unpack[LetterFilters]) -> Sequence[str]:
        """Removes dead letters for good, with their records; returns the ids that were removed.

        Args:
            task_ids: their ids, or ``"all"``, of which filters leave a part.
            **filters: as for :meth:`requeue`.

        Raises:
            TaskArgumentsError: an id or a filter has a value that cannot be.
            PartlyDoneError: the server failed in the midst; it names the ids that are gone.
            ServerError: the server failed at once; none was removed.
        """
        return self._run(discard(task_ids, filters, self.clock))

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
