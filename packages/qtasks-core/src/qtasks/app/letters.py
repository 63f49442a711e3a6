"""Which dead letters a call is about: their ids, or ``"all"`` with filters."""

from __future__ import annotations

import difflib
import logging
from datetime import timedelta  # noqa: TC003 - resolved at run time, for documentation
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict

from qtasks._runtime.seconds import seconds_of
from qtasks.app.asking import as_id, make_query
from qtasks.exc import TaskArgumentsError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from uuid import UUID

    from qtasks._core.client import Client
    from qtasks._core.dead_letters import DeadLetters
    from qtasks.typing import Clock

__all__ = ["LetterFilters", "Letters", "discard", "requeue"]

log = logging.getLogger(__name__)

#: How many ids a line in the log names.
_SHOWN: Final = 5

#: Ids of dead letters, or all that the filters leave.
Letters: TypeAlias = "Sequence[str | UUID] | Literal['all']"


class LetterFilters(TypedDict, total=False):
    """Which of all dead letters; those that are given all have to fit.

    Attributes:
        task: only this task name.
        queue: only this queue.
        error: only failures of this exception type, or with this text in their message.
        reason: only this reason.
        since: only those that died at or after this time: seconds since the epoch, or a timedelta
            back from now.
        until: only those that died before this time, likewise.
        limit: how many at the most, the newest ones.
    """

    task: str | None
    queue: str | None
    error: str | None
    reason: str | None
    since: float | timedelta | None
    until: float | timedelta | None
    limit: int | None


def requeue(
    letters: Letters,
    filters: LetterFilters,
    clock: Clock,
    *,
    reset_attempts: bool,
    spread: float | timedelta,
) -> Callable[[Client], Coroutine[Any, Any, list[str]]]:
    """Returns what a client does to send dead letters back.

    Raises:
        TaskArgumentsError: it is not clear which, or the spread cannot be.
    """
    find = _finder(letters, filters, clock)
    seconds = seconds_of(spread)
    if seconds is None:
        msg = f"spread={spread!r}: use seconds from 0 up, or a timedelta"
        raise TaskArgumentsError(msg)

    async def do(client: Client) -> list[str]:
        dead = await client.dead_letters()
        ids = await find(dead)
        moved = await dead.requeue(ids, reset_attempts=reset_attempts, spread=seconds)
        if dead.hollow:
            log.warning("Dead letters without a task were not sent back: %s", _some(dead.hollow))
        return moved

    return do


def discard(
    letters: Letters, filters: LetterFilters, clock: Clock
) -> Callable[[Client], Coroutine[Any, Any, list[str]]]:
    """Returns what a client does to remove dead letters.

    Raises:
        TaskArgumentsError: it is not clear which.
    """
    find = _finder(letters, filters, clock)

    async def do(client: Client) -> list[str]:
        dead = await client.dead_letters()
        return await dead.discard(await find(dead))

    return do


def _some(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:_SHOWN])
    return f"{shown} and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else shown


def _finder(
    letters: Letters, filters: LetterFilters, clock: Clock
) -> Callable[[DeadLetters], Coroutine[Any, Any, list[str]]]:
    """Returns how the ids are found."""
    for name in filters.keys() - LetterFilters.__annotations__.keys():
        known = list(LetterFilters.__annotations__)
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"filters are {', '.join(known)}"
        msg = f"unknown filter {name!r}; {hint}"
        raise TaskArgumentsError(msg)
    given = sorted(name for name, value in filters.items() if value is not None)
    if isinstance(letters, str):
        if letters != "all":
            msg = f"{letters!r}: give a list of ids, as [{letters!r}], or 'all' and filters"
            raise TaskArgumentsError(msg)
        return _query(filters, clock)
    if given:
        msg = f"{', '.join(given)} with ids: filters leave a part of 'all', ids name their own"
        raise TaskArgumentsError(msg)
    wanted = list(dict.fromkeys(as_id(task_id) for task_id in letters))

    async def named(_: DeadLetters) -> list[str]:
        return wanted

    return named


def _query(
    filters: LetterFilters, clock: Clock
) -> Callable[[DeadLetters], Coroutine[Any, Any, list[str]]]:
    wanted: dict[str, Any] = {**filters}
    limit = wanted.pop("limit", None)
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        msg = f"limit={limit!r}; use a whole number from 1 up, or None for all"
        raise TaskArgumentsError(msg)
    query = make_query(dead=True, now=clock.time(), **wanted)

    async def find(dead: DeadLetters) -> list[str]:
        return await dead.find(query, limit)

    return find
