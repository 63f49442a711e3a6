"""A storage whose messages, results and values are signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import msgspec

from qtasks._core.signing.forwarding import forwards
from qtasks._core.signing.seals import SEAL_HEADER, Seals, SignatureRefusedError
from qtasks.contracts.storage import BaseStorage
from qtasks.schemas import (
    Chunk,
    Message,
    Page,
    Receipt,
    Record,
    RecordQuery,
    Retention,
    Settlement,
    Streamed,
    Success,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SignedStorage", "seal_message", "seal_settlement"]


@forwards(BaseStorage)
class SignedStorage(BaseStorage):
    """Signs what goes to a storage, and checks what comes from it.

    A record whose bytes nobody signed is given all the same, so that it can be looked at and
    discarded; reading its arguments or its result then says what is wrong with them.

    Args:
        inner: the storage.
        seals: how it is signed.

    Attributes:
        inner: likewise.
    """

    def __init__(self, inner: BaseStorage, seals: Seals) -> None:
        self.inner = inner
        super().__init__(inner.url)
        self._seals = seals
        # An instance's own value: that of the storage behind it.
        self.capabilities = inner.capabilities  # type: ignore[misc]  # see above

    if not TYPE_CHECKING:  # a property in the place of the contract's attribute

        @property
        def retention(self) -> Retention:
            """How long the storage behind it keeps what it ends by itself."""
            return self.inner.retention

        @retention.setter
        def retention(self, retention: Retention) -> None:
            # The contract's constructor sets a default, which must not replace what was set.
            if hasattr(self, "_seals"):
                self.inner.retention = retention

    def client(self) -> Self | None:
        """Returns a blocking twin that signs too."""
        twin = self.inner.client()
        return None if twin is None else type(self)(twin, self._seals)

    async def get(self, ids: Sequence[str]) -> Sequence[Record | None]:
        """Reads records, see the class."""
        return [record and self._opened(record) for record in await self.inner.get(ids)]

    async def list(self, query: RecordQuery) -> Page:
        """Reads one page of records, see the class."""
        page = await self.inner.list(query)
        return msgspec.structs.replace(page, records=tuple(map(self._opened, page.records)))

    async def wait(self, ids: Sequence[str], timeout: float) -> dict[str, Record | None]:
        """Waits for tasks to end, and reads their records, see the class."""
        found = await self.inner.wait(ids, timeout)
        return {task_id: record and self._opened(record) for task_id, record in found.items()}

    async def append_stream(self, chunks: Sequence[Chunk]) -> None:
        """Signs values of running tasks and keeps them."""
        await self.inner.append_stream([self._sealed(chunk) for chunk in chunks])

    async def read_stream(
        self, task_id: str, token: int, after: int, timeout: float, limit: int = 1000
    ) -> Streamed:
        """Waits for values; one that nobody signed says so when it is decoded."""
        found = await self.inner.read_stream(task_id, token, after, timeout, limit)
        values = tuple(
            self._seals.shown(b"value", value, task_id, str(found.token), str(number))
            for number, value in enumerate(found.values, found.first)
        )
        return msgspec.structs.replace(found, values=values)

    async def put(
        self, messages: Sequence[Message], *, scheduled: bool = False
    ) -> Sequence[Receipt]:
        """Signs messages and writes their records."""
        sealed = [seal_message(self._seals, message) for message in messages]
        return await self.inner.put(sealed, scheduled=scheduled)

    async def finish(self, settlements: Sequence[Settlement]) -> Sequence[str]:
        """Signs results and changed headers, and writes the outcomes."""
        return await self.inner.finish([seal_settlement(self._seals, s) for s in settlements])

    def _sealed(self, chunk: Chunk) -> Chunk:
        values = tuple(
            self._seals.seal(b"value", value, chunk.id, str(chunk.token), str(number))
            for number, value in enumerate(chunk.values, chunk.first)
        )
        return msgspec.structs.replace(chunk, values=values)

    def _opened(self, record: Record) -> Record:
        changes: dict[str, Any] = {}
        if record.payload:  # some storages drop it when a task is over
            about = (record.id, record.task, record.queue)
            changes["payload"] = self._seals.shown(b"message", record.payload, *about)
        if record.headers:
            try:
                changes["headers"] = self._seals.open_headers(record.headers, record.id)
            except SignatureRefusedError:
                kept = {k: v for k, v in record.headers.items() if k != SEAL_HEADER}
                changes["headers"] = kept
        if record.result is not None:
            changes["result"] = self._seals.shown(b"result", record.result, record.id)
        return msgspec.structs.replace(record, **changes)


def seal_message(seals: Seals, message: Message) -> Message:
    """Returns a signed message."""
    about = (message.id, message.task, message.queue)
    return msgspec.structs.replace(
        message,
        payload=seals.seal(b"message", message.payload, *about),
        headers=seals.seal_headers(message.headers, message.id),
    )


def seal_settlement(seals: Seals, settlement: Settlement) -> Settlement:
    """Returns a settlement whose result and headers, where it has them, are signed."""
    changes: dict[str, Any] = {}
    outcome = settlement.outcome
    if isinstance(outcome, Success) and outcome.result is not None:
        sealed = seals.seal(b"result", outcome.result, settlement.id)
        changes["outcome"] = msgspec.structs.replace(outcome, result=sealed)
    if settlement.headers is not None:
        changes["headers"] = seals.seal_headers(settlement.headers, settlement.id)
    return msgspec.structs.replace(settlement, **changes) if changes else settlement
