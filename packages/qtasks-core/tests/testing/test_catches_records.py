"""Storages that find, cancel and bury wrongly, and the tests that catch them."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from qtasks.adapters.memory import MemoryStorage
from qtasks.schemas import Page, RecordQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qtasks.schemas import CancelAnswer, Message, QueueStats, Receipt, Record, Settlement, Swept

change = msgspec.structs.replace
Records = builtins.list["Record | None"]
Ended = dict[str, "Record | None"]

# Records


class Unordered(MemoryStorage):
    async def get(self, ids: Sequence[str]) -> Records:
        found = await super().get(sorted(set(ids)))
        return [record for record in found if record] or [None] * len(ids)


class Hides(MemoryStorage):
    """Changes records on their way."""

    hidden: Mapping[str, Any] = {}

    async def get(self, ids: Sequence[str]) -> Records:
        return [r and change(r, **self.hidden) for r in await super().get(ids)]


class HidesHeaders(Hides):
    hidden = {"headers": {}}  # noqa: RUF012 - set once


class HidesWorkers(Hides):
    hidden = {"worker": ""}  # noqa: RUF012 - set once


class HidesErrors(Hides):
    hidden = {"error": None}  # noqa: RUF012 - set once


class Lists(MemoryStorage):
    """Changes queries on their way."""

    def alter(self, query: RecordQuery) -> RecordQuery:
        return query

    async def list(self, query: RecordQuery) -> Page:
        return await super().list(self.alter(query))


class NoFilters(Lists):
    def alter(self, query: RecordQuery) -> RecordQuery:
        return RecordQuery(limit=query.limit, cursor=query.cursor)


class NoTimes(Lists):
    def alter(self, query: RecordQuery) -> RecordQuery:
        return change(query, since=None)


class NoEnds(Lists):
    def alter(self, query: RecordQuery) -> RecordQuery:
        return change(query, until=None)


class TypesOnly(Lists):
    def alter(self, query: RecordQuery) -> RecordQuery:
        return change(query, error=None, error_type=query.error_type or query.error)


class ByBirth(MemoryStorage):
    """Lists dead letters by when they were created."""

    async def list(self, query: RecordQuery) -> Page:
        page = await super().list(change(query, limit=1000, cursor=None))
        return Page(tuple(sorted(page.records, key=lambda r: (r.created_at, r.id), reverse=True)))


class QualifiedNamesOnly(Lists):
    def alter(self, query: RecordQuery) -> RecordQuery:
        name = query.error_type
        return change(query, error_type=name and f"builtins.{name.rpartition('.')[2]}")


class OldestFirst(MemoryStorage):
    async def list(self, query: RecordQuery) -> Page:
        page = await super().list(query)
        return change(page, records=page.records[::-1])


class AlwaysACursor(MemoryStorage):
    async def list(self, query: RecordQuery) -> Page:
        page = await super().list(query)
        return change(page, cursor=page.cursor or "0.0:0")


class CountsRows(MemoryStorage):
    """Its cursor is a number of rows from the newest."""

    async def list(self, query: RecordQuery) -> Page:
        skip = int(query.cursor or 0)
        page = await super().list(change(query, limit=1000, cursor=None))
        rows = page.records[skip : skip + query.limit]
        more = skip + query.limit < len(page.records)
        return Page(rows, str(skip + query.limit) if more else None)


# Cancelling


class Cancels(MemoryStorage):
    """Lets a test see only some of the cancelling."""

    def skip(self, row: Any) -> bool:
        return False

    async def cancel(self, ids: Sequence[str], reason: str) -> dict[str, CancelAnswer]:
        rows = self._server.store.rows
        some = [id_ for id_ in ids if not (id_ in rows and self.skip(rows[id_]))]
        answers = await super().cancel(some, reason)
        return {id_: answers.get(id_, "cancelled") for id_ in ids}


class CancelsNothing(Cancels):
    def skip(self, row: Any) -> bool:
        return row.lease_until is None and row.finished_at is None


class CancelsOnlyTheNew(Cancels):
    def skip(self, row: Any) -> bool:
        return str(row.status) != "new" or row.due_at > self._clock.time()


class StopsTheRunning(MemoryStorage):
    async def cancel(self, ids: Sequence[str], reason: str) -> dict[str, CancelAnswer]:
        store = self._server.store
        for id_ in ids:
            if id_ in store.rows and store.rows[id_].lease_until is not None:
                store.unlease(store.rows[id_])
        return await super().cancel(ids, reason)


class CancelsTheFinished(MemoryStorage):
    async def cancel(self, ids: Sequence[str], reason: str) -> dict[str, CancelAnswer]:
        for id_ in ids:
            if id_ in self._server.store.rows:
                self._server.store.rows[id_].reason = reason
        return await super().cancel(ids, reason)


class SaysNothingOfTheUnknown(MemoryStorage):
    async def cancel(self, ids: Sequence[str], reason: str) -> dict[str, CancelAnswer]:
        answers = await super().cancel(ids, reason)
        return {id_: answer for id_, answer in answers.items() if answer != "unknown"}


class KeepsTheCancelled(MemoryStorage):
    async def cancel(self, ids: Sequence[str], reason: str) -> dict[str, CancelAnswer]:
        self.retention = change(self.retention, result_ttl=1e12)
        return await super().cancel(ids, reason)


class ForgetsRequests(MemoryStorage):
    async def finish(self, settlements: Sequence[Settlement]) -> builtins.list[str]:
        for row in self._server.store.rows.values():
            row.cancel = None
        return await super().finish(settlements)


# Dead letters


class Requeues(MemoryStorage):
    """Does something to letters before they are sent back, and after."""

    def before(self, ids: Sequence[str]) -> None:
        """Does nothing."""

    def after(self, ids: Sequence[str]) -> None:
        """Does nothing."""

    async def requeue(
        self,
        ids: Sequence[str],
        *,
        reset_attempts: bool = True,
        spread: float = 0.0,
        delay: float = 0.0,
    ) -> builtins.list[str]:
        self.before(ids)
        moved = await super().requeue(ids, reset_attempts=reset_attempts, spread=spread)
        self.after(ids)
        return moved


class LosesHistory(Requeues):
    def after(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            if id_ in self._server.store.rows:
                self._server.store.rows[id_].history = None


class AlwaysResets(MemoryStorage):
    async def requeue(
        self,
        ids: Sequence[str],
        *,
        reset_attempts: bool = True,
        spread: float = 0.0,
        delay: float = 0.0,
    ) -> builtins.list[str]:
        return await super().requeue(ids, spread=spread)


class NoSpread(MemoryStorage):
    async def requeue(
        self,
        ids: Sequence[str],
        *,
        reset_attempts: bool = True,
        spread: float = 0.0,
        delay: float = 0.0,
    ) -> builtins.list[str]:
        return await super().requeue(ids, reset_attempts=reset_attempts)


class NoDelay(MemoryStorage):
    async def requeue(
        self,
        ids: Sequence[str],
        *,
        reset_attempts: bool = True,
        spread: float = 0.0,
        delay: float = 0.0,
    ) -> builtins.list[str]:
        return await super().requeue(ids, reset_attempts=reset_attempts, spread=spread)


class MovesTheFirst(MemoryStorage):
    """Moves as many as one step takes."""

    async def requeue(
        self,
        ids: Sequence[str],
        *,
        reset_attempts: bool = True,
        spread: float = 0.0,
        delay: float = 0.0,
    ) -> builtins.list[str]:
        return await super().requeue(
            ids[:500], reset_attempts=reset_attempts, spread=spread, delay=delay
        )


class MovesTwice(MemoryStorage):
    async def requeue(
        self,
        ids: Sequence[str],
        *,
        reset_attempts: bool = True,
        spread: float = 0.0,
        delay: float = 0.0,
    ) -> builtins.list[str]:
        await super().requeue(ids, reset_attempts=reset_attempts, spread=spread)
        return list(ids)


class MovesTheFinished(Requeues):
    def before(self, ids: Sequence[str]) -> None:
        store = self._server.store
        for id_ in ids:
            row = store.rows.get(id_)
            if row is not None and row.finished_at is not None and not row.dead:
                row.dead = True
                store.lanes(row).dead += 1
                store.died[id_] = row


class KeepsLosses(Requeues):
    def after(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            self._server.store.rows[id_].lost = 2


class KeepsDeadlines(Requeues):
    def after(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            row = self._server.store.rows[id_]
            expires = row.message.expires
            row.expires_at = None if expires is None else row.created_at + expires


class RequeuesBesideTheHolder(Requeues):
    def before(self, ids: Sequence[str]) -> None:
        self._server.store.holds.clear()


class KillsAgain(MemoryStorage):
    async def finish(self, settlements: Sequence[Settlement]) -> builtins.list[str]:
        store = self._server.store
        for settlement in settlements:
            row = store.rows.get(settlement.id, None)
            if row and row.token == settlement.token and row.requeues and not row.lease_until:
                store.lease(row, "x", 1.0, self._clock.time())
                row.token = settlement.token
        return await super().finish(settlements)


class DiscardsTheLetterAlone(MemoryStorage):
    async def discard(self, ids: Sequence[str]) -> builtins.list[str]:
        rows = dict(self._server.store.rows)
        gone = await super().discard(ids)
        self._server.store.rows.update(rows)
        return gone


class DiscardsAnything(MemoryStorage):
    async def discard(self, ids: Sequence[str]) -> builtins.list[str]:
        gone = await super().discard(ids)
        return gone or list(ids)


# Bounds


class NoBound(MemoryStorage):
    async def sweep(self, limit: int = 100) -> Swept:
        self.retention = change(self.retention, dead_limit=10**9)
        return await super().sweep(limit)


class DropsAllAtOnce(MemoryStorage):
    async def sweep(self, limit: int = 100) -> Swept:
        return await super().sweep(1000)


class CountsNoDrops(MemoryStorage):
    async def stats(self, queue: str) -> QueueStats:
        return change(await super().stats(queue), dropped=0)


class CountsWhatIsHandled(MemoryStorage):
    async def discard(self, ids: Sequence[str]) -> builtins.list[str]:
        gone = await super().discard(ids)
        for lanes in self._server.store.queues.values():
            lanes.dropped += len(gone)
        return gone


# Unique keys


class NoKeys(MemoryStorage):
    async def put(
        self, messages: Sequence[Message], *, scheduled: bool = False
    ) -> builtins.list[Receipt]:
        keyless = [change(message, unique_key=None) for message in messages]
        return await super().put(keyless, scheduled=scheduled)


class OneKeyForAll(MemoryStorage):
    async def put(
        self, messages: Sequence[Message], *, scheduled: bool = False
    ) -> builtins.list[Receipt]:
        same = [change(message, unique_key=message.unique_key and "k") for message in messages]
        return await super().put(same, scheduled=scheduled)


class KeysAreNeverFreed(MemoryStorage):
    async def put(
        self, messages: Sequence[Message], *, scheduled: bool = False
    ) -> builtins.list[Receipt]:
        ever = self.__dict__.setdefault("ever", {})
        self._server.store.holds._holds.update(ever)
        receipts = await super().put(messages, scheduled=scheduled)
        ever.update(self._server.store.holds._holds)
        return receipts


class Puts(MemoryStorage):
    """Changes how keys are held."""

    changes: Mapping[str, Any] = {}

    async def put(
        self, messages: Sequence[Message], *, scheduled: bool = False
    ) -> builtins.list[Receipt]:
        changed = [change(message, **self.changes) for message in messages]
        return await super().put(changed, scheduled=scheduled)


class HoldsToTheEnd(Puts):
    changes = {"unique_until": "finished"}  # noqa: RUF012 - set once


class NoWindows(Puts):
    changes = {"unique_window": 0.0}  # noqa: RUF012 - set once


class ReplacesNobody(Puts):
    changes = {"unique_replaces": False}  # noqa: RUF012 - set once


class ReplacesEverybody(MemoryStorage):
    """Cancels whoever holds the key, even if it runs or has ended."""

    async def put(
        self, messages: Sequence[Message], *, scheduled: bool = False
    ) -> builtins.list[Receipt]:
        for message in messages:
            if message.unique_replaces and message.unique_key:
                self._server.store.holds._holds.pop(message.unique_key, None)
        return await super().put(messages, scheduled=scheduled)


class KeysBeforeIds(MemoryStorage):
    async def put(
        self, messages: Sequence[Message], *, scheduled: bool = False
    ) -> builtins.list[Receipt]:
        holds, now = self._server.store.holds, self._clock.time()
        receipts = await super().put(messages, scheduled=scheduled)
        found = [holds.holder(message.unique_key, now) for message in messages]
        return [
            receipt if row is None else change(receipt, id=row.id)
            for receipt, row in zip(receipts, found, strict=True)
        ]


class TheLateHold(MemoryStorage):
    async def put(
        self, messages: Sequence[Message], *, scheduled: bool = False
    ) -> builtins.list[Receipt]:
        rows = self._server.store.rows.values()
        times = {row.id: row.expires_at for row in rows}
        for row in rows:
            row.expires_at = None
        receipts = await super().put(messages, scheduled=scheduled)
        for row in rows:
            row.expires_at = times.get(row.id, row.expires_at)
        return receipts


class LossesFree(MemoryStorage):
    async def put(
        self, messages: Sequence[Message], *, scheduled: bool = False
    ) -> builtins.list[Receipt]:
        for row in self._server.store.leases.rows():
            if row.lease_until is not None and row.lease_until <= self._clock.time():
                self._server.store.holds.free(row)
        return await super().put(messages, scheduled=scheduled)


class LettersComeKeyless(Requeues):
    def after(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            if id_ in self._server.store.rows:
                self._server.store.holds.free(self._server.store.rows[id_])


class LettersAlwaysClaim(Requeues):
    def before(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            row = self._server.store.rows[id_]
            row.message = change(row.message, unique_until="finished")


class WindowsStay(MemoryStorage):
    async def sweep(self, limit: int = 100) -> Swept:
        for hold in self._server.store.holds._holds.values():
            hold.until = 1e12
        return await super().sweep(limit)


CATCHES: dict[Callable[..., Any], str] = {
    Unordered: "get_keeps_the_order",
    HidesHeaders: "begin_makes_missing_records headers_are_replaced_or_left",
    HidesWorkers: "a_record_follows_the_run the_end_wakes",
    HidesErrors: "failure_is_a_dead_letter the_error_is_shown_while_a_retry_waits",
    NoFilters: "filter_by_time the_last_page_has_no_cursor",
    NoTimes: "filter_by_time",
    NoEnds: "filter_up_to_a_time",
    TypesOnly: "filter_by_words_of_the_error",
    ByBirth: "letters_are_listed_by_their_end",
    QualifiedNamesOnly: "filter_by_error_type",
    OldestFirst: "filters pages_are_complete",
    AlwaysACursor: "pages_are_complete the_last_page_has_no_cursor",
    CountsRows: "paging_is_stable",
    CancelsNothing: "a_waiting_task_is_cancelled_at_once begin_skips_what_has_ended",
    CancelsOnlyTheNew: (
        "a_delayed_task_is_cancelled_at_once a_task_between_attempts_is_cancelled_at_once"
    ),
    StopsTheRunning: "a_renewal_brings_cancel_requests a_running_task_is_asked",
    CancelsTheFinished: "a_finished_task_stays answers_by_id",
    SaysNothingOfTheUnknown: "answers_by_id",
    KeepsTheCancelled: "a_cancelled_task_is_kept_for_its_time",
    ForgetsRequests: "a_request_outlives_a_retry",
    LosesHistory: "a_letter_goes_back_to_its_queue",
    AlwaysResets: "attempts_may_be_kept",
    NoSpread: "letters_may_be_spread",
    NoDelay: "letters_may_come_later",
    MovesTheFirst: "many_letters_move_in_one_call",
    NoBound: "the_oldest_letters_go dropping_is_bounded",
    DropsAllAtOnce: "dropping_is_bounded",
    CountsNoDrops: "the_oldest_letters_go what_grew_too_old_counts_as_dropped",
    CountsWhatIsHandled: "what_somebody_handled_is_not_dropped",
    MovesTwice: "a_letter_moves_once only_letters_move",
    MovesTheFinished: "only_letters_move",
    KeepsLosses: "a_convict_starts_anew",
    KeepsDeadlines: "a_late_letter_still_runs",
    RequeuesBesideTheHolder: (
        "a_returning_letter_respects_the_key of_letters_with_one_key_one_returns"
    ),
    KillsAgain: "a_repeated_failure_does_not_kill_again",
    DiscardsTheLetterAlone: "letters_are_removed",
    DiscardsAnything: "letters_are_removed only_letters_move",
    NoKeys: "a_held_key_answers_with_its_holder one_holder_within_a_call",
    OneKeyForAll: "a_record_shows_the_message keys_differ",
    HoldsToTheEnd: "a_key_may_be_free_once_the_task_is_started a_window_may_follow_the_adding",
    NoWindows: "a_window_follows_the_end",
    ReplacesNobody: "a_waiting_holder_may_be_replaced",
    ReplacesEverybody: "a_running_holder_is_not_replaced",
    KeysBeforeIds: "a_repeated_publication_is_no_conflict",
    TheLateHold: "who_came_too_late_to_start_holds_nothing",
    LossesFree: "a_lost_run_keeps_the_key",
    LettersComeKeyless: "a_removed_letter_holds_nothing",
    LettersAlwaysClaim: "a_letter_without_a_claim_returns_without_the_key",
    WindowsStay: "windows_leave_nothing_behind",
    KeysAreNeverFreed: "an_end_frees_the_key",
}


@pytest.mark.parametrize("broken", CATCHES, ids=lambda broken: broken.__name__)
def test_the_suite_catches(broken: Any, fails: Callable[..., Any]) -> None:
    for name in CATCHES[broken].split():
        assert fails(broken, f"test_{name}"), name
