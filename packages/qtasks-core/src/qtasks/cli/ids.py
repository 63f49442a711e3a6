"""Ids as people write them: whole, or their last characters as narrow tables show them.

Ids sort by time, so tasks of one minute begin alike; their ends are random.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qtasks.app.asking import as_id
from qtasks.cli.filters import pages
from qtasks.exc import TaskArgumentsError, UnknownTaskError
from qtasks.schemas import RecordQuery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks._core.client import Client
    from qtasks.cli.invocation import Invocation

__all__ = ["whole_ids"]

#: How many of the newest tasks are looked through.
_NEWEST: Final = 10_000
_END: Final = re.compile(r"[0-9a-f]{6,31}")


def whole_ids(asked: Invocation, texts: Sequence[str], *, dead: bool | None = None) -> list[str]:
    """Returns whole ids; at least six characters stand for the one id that ends with them.

    Args:
        asked: the invocation.
        texts: ids or their ends.
        dead: True to look through dead letters alone.

    Raises:
        TaskArgumentsError: a text cannot be an id, or is the end of several.
        UnknownTaskError: none of the newest tasks has an id that ends so.
    """
    ends = [found for text in texts if (found := _end(text))]
    if not ends:
        return [_whole(text) for text in texts]
    query = RecordQuery(dead=dead)

    async def look(client: Client) -> list[str]:
        return [
            record.id async for page in pages(client, query, _NEWEST) for record in page.records
        ]

    known = asked.ask(look)
    return [_the_one(asked, text, known) if _end(text) else _whole(text) for text in texts]


def _whole(text: str) -> str:
    try:
        return as_id(text)
    except TaskArgumentsError as error:
        msg = f"{error}, of which the last six characters or more are enough"
        raise TaskArgumentsError(msg) from None


def _end(text: str) -> str | None:
    """Returns the hexadecimal digits of what may be the end of an id, else None."""
    digits = text.replace("-", "").lower()
    return digits if _END.fullmatch(digits) else None


def _the_one(asked: Invocation, text: str, known: Sequence[str]) -> str:
    digits = _end(text) or text
    found = [task_id for task_id in known if task_id.replace("-", "").endswith(digits)]
    if len(found) > 1:
        msg = f"{text!r} is the end of several ids: {', '.join(found[:5])}; write more of it"
        raise TaskArgumentsError(msg)
    if not found:
        msg = (
            f"none of the newest {_NEWEST:,} tasks in {asked.place} has an id that ends with"
            f" {text!r}: write the whole id"
        )
        raise UnknownTaskError(msg)
    return found[0]
