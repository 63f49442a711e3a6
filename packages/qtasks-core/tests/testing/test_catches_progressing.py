"""Storages that keep progress wrongly, and the tests that catch them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from qtasks.adapters.memory import MemoryStorage
from qtasks.schemas import Page

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Sequence

    from qtasks.schemas import Progressed, RecordQuery, Settlement


class KeepsTheFirst(MemoryStorage):
    async def progress(self, entries: Sequence[Progressed]) -> None:
        await super().progress(entries[:1])


class HidesItInLists(MemoryStorage):
    async def list(self, query: RecordQuery) -> Page:
        page = await super().list(query)
        bare = [msgspec.structs.replace(record, progress=None) for record in page.records]
        return Page(tuple(bare), page.cursor)


class TakesAnyToken(MemoryStorage):
    async def progress(self, entries: Sequence[Progressed]) -> None:
        for entry in entries:
            if row := self._server.store.rows.get(entry.id):
                row.progress = entry.data


class ForgetsItAtTheEnd(MemoryStorage):
    async def finish(self, settlements: Sequence[Settlement]) -> builtins.list[str]:
        for settlement in settlements:
            self._server.store.rows[settlement.id].progress = None
        return await super().finish(settlements)


class KeepsItForTheNextLife(MemoryStorage):
    async def requeue(self, ids: Sequence[str], **options: Any) -> builtins.list[str]:
        rows = self._server.store.rows
        before = {id_: rows[id_].progress for id_ in ids}
        moved = await super().requeue(ids, **options)
        for id_ in moved:
            rows[id_].progress = before[id_]
        return moved


CATCHES: dict[Callable[..., Any], str] = {
    KeepsTheFirst: "progress_is_kept_and_shown",
    HidesItInLists: "progress_is_kept_and_shown",
    TakesAnyToken: "a_stale_run_says_nothing",
    ForgetsItAtTheEnd: "progress_outlives_the_run",
    KeepsItForTheNextLife: "a_dead_letter_sent_back_begins_anew",
}


@pytest.mark.parametrize("broken", CATCHES, ids=lambda broken: broken.__name__)
def test_the_suite_catches(broken: Any, fails: Callable[..., Any]) -> None:
    for name in CATCHES[broken].split():
        assert fails(broken, f"test_{name}"), name
