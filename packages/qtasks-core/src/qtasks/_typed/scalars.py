"""Plain types, which are only looked at."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from qtasks._typed.values import MisfitError
from qtasks.contracts.codec import TEXTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["NATIVE", "SCALARS", "scalar_load", "text_load"]

#: What the codec brings back by itself, beside what every format can; nothing else is taken for it.
NATIVE: Final = (bytes, bytearray, memoryview, datetime, date, time, timedelta, UUID, Decimal)

#: Plain types, and the exact types of their values that need no second look.
SCALARS: Final[Mapping[type, frozenset[type]]] = {
    int: frozenset({int}),
    float: frozenset({float, int}),
    str: frozenset({str}),
    bool: frozenset({bool}),
    bytes: frozenset({bytes, bytearray, memoryview}),
    type(None): frozenset({type(None)}),
    **{kind: frozenset({kind}) for kind in (datetime, date, time, timedelta, UUID, Decimal)},
}
#: Of these no subclass is taken: True is no number, and a moment is no day.
_NOT: Final[Mapping[type, type]] = {int: bool, float: bool, date: datetime}


def scalar_load(kind: type) -> Callable[[Any], Any]:
    """Returns the check of a plain type, for values that are not exactly of it."""
    takes = tuple(SCALARS[kind])
    refused = _NOT.get(kind, ())

    def load(value: Any) -> Any:
        if isinstance(value, takes) and not isinstance(value, refused):
            return value
        raise MisfitError

    return load


def text_load(kind: Any) -> Callable[[Any], Any] | None:
    """Returns what makes a value of its text, for types that travel as text, such as paths."""
    if not (isinstance(kind, type) and issubclass(kind, TEXTS)):
        return None

    def load(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        if isinstance(value, str):
            return kind(value)
        raise MisfitError

    return load
