"""Brokers that settle wrongly, and the tests that catch them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from qtasks.adapters.memory import MemoryBroker
from qtasks.schemas import (
    Cancel,
    Extension,
    Fail,
    Release,
    Retry,
    Settlement,
    Success,
    Swept,
    TaskError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qtasks.adapters.memory.row import Row
    from qtasks.schemas import Held

change = msgspec.structs.replace


class Settles(MemoryBroker):
    """Changes settlements before they are written."""

    def row(self, id_: str) -> Row | None:
        return self._server.store.rows.get(id_)

    def alter(self, settlement: Settlement, row: Row | None) -> Settlement | None:
        """Returns what is written instead; None refuses."""
        return settlement

    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        refused = []
        for settlement in settlements:
            altered = self.alter(settlement, self.row(settlement.id))
            if altered is None:
                refused.append(settlement.id)
            else:
                refused += await super().settle([altered])
        return refused


class NoTokenCheck(Settles):
    def alter(self, settlement: Settlement, row: Row | None) -> Settlement:
        return settlement if row is None else change(settlement, token=row.token)


class LargerTokensPass(Settles):
    def alter(self, settlement: Settlement, row: Row | None) -> Settlement:
        if row is not None and settlement.token > row.token:
            return change(settlement, token=row.token)
        return settlement


class TerminalIsNotFinal(Settles):
    def alter(self, settlement: Settlement, row: Row | None) -> Settlement:
        store = self._server.store
        if row is not None and row.token == settlement.token and row.finished_at is not None:
            store.revive(row)
            row.finished_at = None
            store.lease(row, row.worker, 1.0, self._clock.time())
            row.token = settlement.token
        return settlement


class RevivesRequeued(Settles):
    def alter(self, settlement: Settlement, row: Row | None) -> Settlement:
        if row is not None and row.token == settlement.token and row.lease_until is None:
            self._server.store.lease(row, row.worker, 1.0, self._clock.time())
            row.token = settlement.token
        return settlement


class RepeatsAreRefused(Settles):
    def alter(self, settlement: Settlement, row: Row | None) -> Settlement | None:
        return None if row is not None and row.lease_until is None else settlement


class RepeatsPostpone(Settles):
    def alter(self, settlement: Settlement, row: Row | None) -> Settlement:
        if row is not None and row.token == settlement.token and row.lease_until is None:
            row.due_at = self._clock.time() + getattr(settlement.outcome, "delay", 0.0)
            self._server.store.withdraw(row)
            self._server.store.line_up(row, 2, self._clock.time())
        return settlement


class LateIsRefused(Settles):
    def alter(self, settlement: Settlement, row: Row | None) -> Settlement | None:
        late = row is not None and (row.lease_until or 0.0) <= self._clock.time()
        return None if late else settlement


class NothingIsRefused(Settles):
    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        await super().settle(settlements)
        return []


class OneSpoilsAll(Settles):
    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        rows = [self.row(settlement.id) for settlement in settlements]
        if any(row and row.token != s.token for s, row in zip(settlements, rows, strict=True)):
            return [settlement.id for settlement in settlements]
        return await super().settle(settlements)


class ChokesOnNothing(MemoryBroker):
    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        assert settlements
        return await super().settle(settlements)

    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        assert held
        return await super().extend(held, lease)


class DropsResults(Settles):
    def alter(self, settlement: Settlement, row: Row | None) -> Settlement:
        if isinstance(settlement.outcome, Success):
            return change(settlement, outcome=Success(None))
        return settlement


class EmptyIsNone(Settles):
    def alter(self, settlement: Settlement, row: Row | None) -> Settlement:
        if isinstance(settlement.outcome, Success):
            return change(settlement, outcome=Success(settlement.outcome.result or None))
        return settlement


class AppendsHistory(Settles):
    def alter(self, settlement: Settlement, row: Row | None) -> Settlement:
        before = (row and row.history) or b""
        return change(settlement, history=before + (settlement.history or b""))


class MergesHeaders(Settles):
    def alter(self, settlement: Settlement, row: Row | None) -> Settlement:
        before = {} if row is None else row.message.headers
        return change(settlement, headers={**before, **(settlement.headers or {})})


class Counts(Settles):
    def alter(self, settlement: Settlement, row: Row | None) -> Settlement:
        return change(settlement, attempts=settlement.attempts + 1)


class AllRetriesCount(Settles):
    def alter(self, settlement: Settlement, row: Row | None) -> Settlement:
        if isinstance(settlement.outcome, Retry):
            return change(settlement, outcome=change(settlement.outcome, counted=True))
        return settlement


class DelaysCountFromTheStart(Settles):
    def alter(self, settlement: Settlement, row: Row | None) -> Settlement:
        if isinstance(settlement.outcome, Retry) and row is not None:
            delay = row.created_at + settlement.outcome.delay - self._clock.time()
            return change(settlement, outcome=change(settlement.outcome, delay=max(0.0, delay)))
        return settlement


class FailsSoftly(Settles):
    def alter(self, settlement: Settlement, row: Row | None) -> Settlement:
        if isinstance(settlement.outcome, Fail):
            return change(settlement, outcome=Cancel(settlement.outcome.reason))
        return settlement


class CancelsHard(Settles):
    def alter(self, settlement: Settlement, row: Row | None) -> Settlement:
        if isinstance(settlement.outcome, Cancel):
            error = TaskError("x", "x")
            return change(settlement, outcome=Fail(error, settlement.outcome.reason))
        return settlement


class ReleaseClears(Settles):
    def alter(self, settlement: Settlement, row: Row | None) -> Settlement:
        if isinstance(settlement.outcome, Release) and row is not None:
            row.lost = 0
        return settlement


class LossesAreNotReset(Settles):
    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        before = {s.id: row.lost for s in settlements if (row := self.row(s.id)) is not None}
        refused = await super().settle(settlements)
        for id_, lost in before.items():
            row = self.row(id_)
            if row is not None:
                row.lost = lost
        return refused


class KeepsForEver(Settles):
    def alter(self, settlement: Settlement, row: Row | None) -> Settlement:
        return change(settlement, ttl=1e12)


class ForgetsErrors(Settles):
    def alter(self, settlement: Settlement, row: Row | None) -> Settlement:
        if isinstance(settlement.outcome, Retry):
            return change(settlement, outcome=change(settlement.outcome, error=None))
        return settlement


class RequestsAreForgotten(Settles):
    def alter(self, settlement: Settlement, row: Row | None) -> Settlement:
        if row is not None:
            row.cancel = None
        return settlement


class TokensStartOver(MemoryBroker):
    """Counts tokens for each task."""

    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        refused = await super().settle(settlements)
        store = self._server.store
        store._token = 0 if not store.rows else store._token
        return refused


class TokensRepeat(MemoryBroker):
    """Gives a released delivery its old token again."""

    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        refused = await super().settle(settlements)
        if any(isinstance(settlement.outcome, Release) for settlement in settlements):
            self._server.store._token -= 1
        return refused


class TakeBackKeepsTheToken(MemoryBroker):
    async def sweep(self, limit: int = 100) -> Swept:
        tokens = {row.id: row.token for row in self._server.store.rows.values()}
        swept = await super().sweep(limit)
        for id_ in swept.taken_back:
            self._server.store.rows[id_].token = tokens[id_]
        return swept


class TakeBackKeepsTheLease(TakeBackKeepsTheToken):
    """Looks only at tokens, which taking back leaves as they are."""

    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        store = self._server.store
        for settlement in settlements:
            row = store.rows.get(settlement.id)
            if row is not None and row.token == settlement.token and row.lost:
                store.lease(row, row.worker, 1.0, self._clock.time())
                row.token = settlement.token
        return await super().settle(settlements)


CATCHES: dict[Callable[..., Any], str] = {
    NoTokenCheck: "a_repeat_after_the_next_hand_out_is_refused a_token_from_nowhere_is_refused",
    LargerTokensPass: "a_batch_is_settled_one_by_one a_token_from_nowhere_is_refused",
    TerminalIsNotFinal: "a_final_settlement_may_be_repeated terminal_is_final",
    RevivesRequeued: "a_final_settlement_may_be_repeated one_settlement_wins",
    RepeatsAreRefused: "a_final_settlement_may_be_repeated one_settlement_wins",
    RepeatsPostpone: "a_retry_may_be_repeated terminal_is_final",
    LateIsRefused: (
        "a_final_settlement_may_be_repeated a_late_settlement_counts_until_the_lease_is_taken_back"
    ),
    NothingIsRefused: "a_repeat_after_the_next_hand_out_is_refused an_unknown_task_is_refused",
    OneSpoilsAll: "a_batch_is_settled_one_by_one",
    ChokesOnNothing: "nothing_to_renew nothing_to_settle",
    DropsResults: "a_finished_task_is_not_waited_for success_is_recorded",
    EmptyIsNone: "success_without_result",
    AppendsHistory: "history_is_replaced_or_left",
    MergesHeaders: "headers_are_replaced_or_left",
    Counts: "release_gives_back uncounted_retry",
    AllRetriesCount: "uncounted_retry",
    DelaysCountFromTheStart: "retry_waits_for_its_delay",
    FailsSoftly: "a_letter_moves_once failure_is_a_dead_letter",
    CancelsHard: "cancel_is_no_dead_letter",
    ReleaseClears: "a_released_suspect_is_still_one retry_forgets_losses_and_release_does_not",
    LossesAreNotReset: "losses_must_be_consecutive retry_forgets_losses_and_release_does_not",
    KeepsForEver: "no_time_to_live_removes_at_once records_are_kept_for_their_time",
    ForgetsErrors: "counted_retry the_error_is_shown_while_a_retry_waits",
    RequestsAreForgotten: "a_request_outlives_a_retry",
    TokensStartOver: "tokens_outlive_the_record",
    TokensRepeat: "tokens_grow",
    TakeBackKeepsTheToken: "take_back_makes_the_token_stale",
    TakeBackKeepsTheLease: "innocents_are_not_convicted take_back_makes_the_token_stale",
}


@pytest.mark.parametrize("broken", CATCHES, ids=lambda broken: broken.__name__)
def test_the_suite_catches(broken: Any, fails: Callable[..., Any]) -> None:
    for name in CATCHES[broken].split():
        assert fails(broken, f"test_{name}"), name
