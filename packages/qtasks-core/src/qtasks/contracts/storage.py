"""The storage: keeps records, results, dead letters, state and counters.

A storage that belongs to a broker (``broker.storage``) sees what the broker writes. One that
stands alone beside a broker elsewhere (``storage_url=``) is driven through :meth:`BaseStorage.put`,
:meth:`~BaseStorage.begin`, :meth:`~BaseStorage.finish`, :meth:`~BaseStorage.extend`,
:meth:`~BaseStorage.due` and :meth:`~BaseStorage.dispatched`: it holds the tokens, and that is
the fencing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Self

from qtasks.schemas import (
    Begun,
    CancelAnswer,
    Capabilities,
    Chunk,
    Delivery,
    Extension,
    Finding,
    Held,
    Message,
    Page,
    Progressed,
    QueueStats,
    Receipt,
    Record,
    RecordQuery,
    Retention,
    Settlement,
    Streamed,
    Swept,
)

if TYPE_CHECKING:
    import builtins
    from collections.abc import Mapping, Sequence

__all__ = ["BaseStorage"]


class BaseStorage(ABC):
    """The contract of every storage; ``qtasks.testing.conformance`` is its executable form.

    Errors of the driver never leave a storage, see :class:`~qtasks.contracts.broker.BaseBroker`.

    Attributes:
        url: where the server is, as the user gave it.
        capabilities: what it can do.
        retention: how long it keeps what it ends by itself; the app sets it, twins inherit it.
    """

    capabilities: ClassVar[Capabilities] = Capabilities()

    def __init__(self, url: str) -> None:
        self.url = url
        self.retention = Retention()

    # Life

    @abstractmethod
    async def start(self) -> None:
        """Connects; calling it again is harmless."""

    @abstractmethod
    async def stop(self) -> None:
        """Disconnects; calling it again, or before ``start``, is harmless."""

    @abstractmethod
    def client(self) -> Self | None:
        """Returns a blocking twin, as :meth:`BaseBroker.client` does, or None."""

    # Records

    @abstractmethod
    async def get(self, ids: Sequence[str]) -> Sequence[Record | None]:
        """Returns one record for each id, in order; None where there is none."""

    @abstractmethod
    async def list(self, query: RecordQuery) -> Page:
        """Returns one page of records, newest first."""

    @abstractmethod
    async def wait(self, ids: Sequence[str], timeout: float) -> dict[str, Record | None]:
        """Waits until at least one of the tasks ended, at most ``timeout`` seconds.

        Returns all of them that ended by then: the terminal record, or None where no record
        exists (any more). Empty when the time ran out. Any client may wait, for any task, and
        it must be safe to cancel.
        """

    @abstractmethod
    async def cancel(self, ids: Sequence[str], reason: str) -> dict[str, CancelAnswer]:
        """Cancels tasks: waiting ones at once, running ones by a request their keeper sees."""

    @abstractmethod
    async def progress(self, entries: Sequence[Progressed]) -> None:
        """Keeps what running tasks say of their progress, as ``Record.progress``.

        An entry counts only while its task runs under the entry's token; others are dropped
        without a word. What is kept stays when the task ends or waits for another attempt, and
        goes when a dead letter is sent back.
        """

    # What generator tasks give while they run

    @abstractmethod
    async def append_stream(self, chunks: Sequence[Chunk]) -> None:
        """Keeps values of running tasks, behind those that their run has given so far.

        A chunk counts only while its task runs under the chunk's token; others are dropped
        without a word. Values of an earlier run give way to the first chunk of a newer one, also
        to one without values: such a run has given none, and readers see its token. Values whose
        numbers are known are skipped, so that a call may be repeated; where numbers are
        missing, what came before the gap is dropped. What is kept does not depend on the record
        and goes ``ttl`` seconds after the last chunk.
        """

    @abstractmethod
    async def read_stream(
        self, task_id: str, token: int, after: int, timeout: float, limit: int = 1000
    ) -> Streamed:
        """Waits for values that a reader has not seen, at most ``timeout`` seconds.

        Returns at once when there are some, or when the task is over (then with what is left);
        otherwise as soon as there are. Any client may read, any number of them, and it must be
        safe to cancel.

        Args:
            task_id: the task.
            token: the run whose values the reader has seen; 0 at the beginning. If a newer run
                has given values, these are returned, from their beginning.
            after: how many of them it has seen.
            timeout: seconds to wait at most; when they run out, nothing is returned with
                ``ended`` False.
            limit: the most values to return.
        """

    # Beside a broker elsewhere

    @abstractmethod
    async def put(
        self, messages: Sequence[Message], *, scheduled: bool = False
    ) -> Sequence[Receipt]:
        """Writes records with status ``new``; known ids change nothing.

        Args:
            messages: what is about to be published.
            scheduled: True if the storage shall hold them until they are due, see :meth:`due`.
        """

    @abstractmethod
    async def begin(self, deliveries: Sequence[Delivery], worker: str, lease: float) -> Begun:
        """Takes leases on deliveries of a broker elsewhere and gives each a token.

        A delivery whose task holds an expired lease counts as lost; the third loss convicts.
        Deliveries without a record get one.
        """

    @abstractmethod
    async def finish(self, settlements: Sequence[Settlement]) -> Sequence[str]:
        """Writes outcomes, as :meth:`BaseBroker.settle` does; returns the ids it refused.

        ``Retry`` and ``Release`` put the task on this storage's schedule.
        """

    @abstractmethod
    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        """Renews leases, as :meth:`BaseBroker.extend` does."""

    @abstractmethod
    async def sweep(self, limit: int = 100) -> Swept:
        """Does the housekeeping, as :meth:`BaseBroker.sweep` does."""

    @abstractmethod
    async def expire(self, worker: str) -> int:
        """Takes back at once all that ``worker`` began, as :meth:`BaseBroker.expire` does."""

    @abstractmethod
    async def stats(self, queue: str) -> QueueStats:
        """Counts by state what this storage schedules, leases and keeps of a queue.

        A task that waits at the broker elsewhere is counted there, not here.
        """

    @abstractmethod
    async def due(self, limit: int, lease: float) -> Sequence[Message]:
        """Takes scheduled tasks that are due, for publishing.

        Unless they are reported as :meth:`dispatched` within ``lease`` seconds, they are due
        again.
        """

    @abstractmethod
    async def dispatched(self, ids: Sequence[str]) -> None:
        """Notes that due tasks were published."""

    # Dead letters

    @abstractmethod
    async def requeue(
        self,
        ids: Sequence[str],
        *,
        reset_attempts: bool = True,
        spread: float = 0.0,
        delay: float = 0.0,
    ) -> Sequence[str]:
        """Sends dead letters back to their queue; returns the ids that were dead until now.

        They keep id and history. An id moves once, however often it is asked for.

        Args:
            ids: the tasks.
            reset_attempts: whether counted attempts start from 0 again.
            spread: seconds over which they become due, evenly, against a stampede.
            delay: seconds until the first of them is due.
        """

    @abstractmethod
    async def discard(self, ids: Sequence[str]) -> Sequence[str]:
        """Removes dead letters with their records; returns the ids that were dead until now."""

    # State, configuration, counters

    @abstractmethod
    async def state_get(self, bucket: str) -> dict[str, bytes]:
        """Returns all keys of a bucket in the order they were first set."""

    @abstractmethod
    async def state_update(
        self, bucket: str, changes: Mapping[str, bytes | None], ttl: float | None = None
    ) -> dict[str, bytes]:
        """Sets keys (None deletes), atomically, and returns the whole bucket.

        Args:
            bucket: any text.
            changes: new values by key.
            ttl: seconds until the whole bucket disappears, from now; None keeps what was set.
        """

    @abstractmethod
    async def state_clear(self, bucket: str) -> None:
        """Removes a bucket."""

    @abstractmethod
    async def counter_add(self, key: str, amount: int, ttl: float | None = None) -> int:
        """Adds to a counter, atomically, and returns its new value.

        Args:
            key: any text.
            amount: what to add; 0 reads.
            ttl: seconds until it disappears, from its first use; None for never.
        """

    @abstractmethod
    async def flush(self) -> None:
        """Removes everything this storage keeps, in its own namespace only."""

    # A look at the server

    async def diagnose(self) -> builtins.list[Finding]:
        """Says what a look at the server tells, as :meth:`BaseBroker.diagnose` does.

        It is asked of a storage beside a broker elsewhere; a broker speaks for its own storage.
        """
        return []
