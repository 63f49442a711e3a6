"""Ids as people write them: whole, or their first characters as narrow tables show them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qtasks.app.base import as_id
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
_BEGINNING: Final = re.compile(r"[0-9a-f]{6,31}")


def whole_ids(asked: Invocation, texts: Sequence[str], *, dead: bool | None = None) -> list[str]:
    """Returns whole ids; at least six characters stand for the one id that begins with them.

    Args:
        asked: the invocation.
        texts: ids or their beginnings.
        dead: True to look through dead letters alone.

    Raises:
        TaskArgumentsError: a text cannot be an id, or is the beginning of several.
        UnknownTaskError: none of the newest tasks has an id that begins so.
    """
    beginnings = [found for text in texts if (found := _beginning(text))]
    if not beginnings:
        return [as_id(text) for text in texts]
    query = RecordQuery(dead=dead)

    async def look(client: Client) -> list[str]:
        return [
            record.id async for page in pages(client, query, _NEWEST) for record in page.records
        ]

    known = asked.ask(look)
    return [_the_one(asked, text, known) if _beginning(text) else as_id(text) for text in texts]


def _beginning(text: str) -> str | None:
    """Returns the hexadecimal digits of what may be the beginning of an id, else None."""
    digits = text.replace("-", "").lower()
    return digits if _BEGINNING.fullmatch(digits) else None


def _the_one(asked: Invocation, text: str, known: Sequence[str]) -> str:
    digits = _beginning(text) or text
    found = [task_id for task_id in known if task_id.replace("-", "").startswith(digits)]
    if len(found) > 1:
        msg = f"{text!r} is the beginning of several ids: {', '.join(found[:5])}; write more of it"
        raise TaskArgumentsError(msg)
    if not found:
        msg = (
            f"none of the newest {_NEWEST:,} tasks in {asked.place} has an id that begins with"
            f" {text!r}: write the whole id"
        )
        raise UnknownTaskError(msg)
    return found[0]
