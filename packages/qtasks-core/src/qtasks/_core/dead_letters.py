"""Dead letters by the thousand: page by page, with a word on how far it got."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from qtasks.exc import PartlyDoneError, ServerError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from qtasks.contracts.storage import BaseStorage
    from qtasks.schemas import Record, RecordQuery

__all__ = ["DeadLetters"]

#: Dead letters of one page. Each is one call of the storage, so that its server answers others in
#: between, and memory stays small however many there are.
_PAGE: Final = 500


def ignore(_: int) -> None:
    """Takes the progress of work that nobody watches."""


class DeadLetters:
    """What is done to many dead letters at once.

    Args:
        storage: where they are; it is started.

    Attributes:
        hollow: ids of those that were not sent back, because there is no task in them: their
            messages could not be read, and would fail again at once.
    """

    def __init__(self, storage: BaseStorage) -> None:
        self._storage = storage
        self.hollow: list[str] = []

    async def pages(
        self, query: RecordQuery, limit: int | None = None
    ) -> AsyncIterator[tuple[Record, ...]]:
        """Yields the records that a query finds, newest first, page by page.

        Args:
            query: which.
            limit: how many at the most; None for all.
        """
        query = msgspec.structs.replace(query, dead=True)
        while limit is None or limit > 0:
            size = _PAGE if limit is None else min(_PAGE, limit)
            page = await self._storage.list(msgspec.structs.replace(query, limit=size))
            if page.records:
                yield page.records
            if page.cursor is None:
                return
            limit = None if limit is None else limit - len(page.records)
            query = msgspec.structs.replace(query, cursor=page.cursor)

    async def find(self, query: RecordQuery, limit: int | None = None) -> list[str]:
        """Returns the ids of those that a query finds, newest first.

        Those that die meanwhile are newer, so that what fails again at once is not found twice.

        Args:
            query: which.
            limit: how many at the most; None for all.
        """
        return [record.id async for page in self.pages(query, limit) for record in page]

    async def requeue(
        self,
        ids: Sequence[str],
        *,
        reset_attempts: bool,
        spread: float,
        advance: Callable[[int], object] = ignore,
    ) -> list[str]:
        """Sends them back; returns the ids that moved. Those without a task stay.

        Args:
            ids: which.
            reset_attempts: whether counted attempts start from 0 again.
            spread: seconds over which all of them become due, evenly.
            advance: is called after each page with the number of its ids.

        Raises:
            PartlyDoneError: the server failed after the first page.
        """
        each = spread / max(len(ids), 1)

        async def send_back(page: Sequence[str], begin: int) -> Sequence[str]:
            hollow = [r.id for r in await self._storage.get(page) if r and r.dead and not r.task]
            self.hollow += hollow
            full = [task_id for task_id in page if task_id not in hollow] if hollow else page
            return await self._storage.requeue(
                full, reset_attempts=reset_attempts, spread=each * len(page), delay=each * begin
            )

        return await self._page_by_page(ids, send_back, "sent back", advance)

    async def discard(
        self, ids: Sequence[str], *, advance: Callable[[int], object] = ignore
    ) -> list[str]:
        """Removes them with their records; returns the ids that were removed.

        Args:
            ids: which.
            advance: is called after each page with the number of its ids.

        Raises:
            PartlyDoneError: the server failed after the first page.
        """

        async def remove(page: Sequence[str], _: int) -> Sequence[str]:
            return await self._storage.discard(page)

        return await self._page_by_page(ids, remove, "removed", advance)

    async def _page_by_page(
        self,
        ids: Sequence[str],
        do: Callable[[Sequence[str], int], Awaitable[Sequence[str]]],
        word: str,
        advance: Callable[[int], object],
    ) -> list[str]:
        done: list[str] = []
        for begin in range(0, len(ids), _PAGE):
            page = ids[begin : begin + _PAGE]
            try:
                done += await do(page, begin)
            except ServerError as error:
                if not begin:
                    raise
                msg = (
                    f"{len(done):,} of {len(ids):,} dead letters were {word}, then the server"
                    f" failed: {error}; do the same again for the rest, it leaves alone those"
                    " that are done"
                )
                raise PartlyDoneError(msg, tuple(done), retriable=error.retriable) from error
            advance(len(page))
        return done
