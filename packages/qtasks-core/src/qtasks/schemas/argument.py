"""What is known of one argument of a call."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["ArgMeta"]


class ArgMeta(msgspec.Struct, frozen=True, eq=False):
    """One argument, as a plugin that fills in or converts arguments needs to know it.

    Attributes:
        name: the name of the parameter.
        value: what the call gives it, else its default; ``inspect.Parameter.empty`` if
            there is neither.
        origin: the origin of its type, as ``typing.get_origin`` says it: ``list`` for
            ``list[int]``; or None.
        raw_type: its type without ``Annotated``; None if it is not annotated.
        annotation: its annotation, ``Annotated`` included, with names resolved where that was
            possible; None if it has none.
        is_kwarg: whether it is to be passed by keyword.
        index: its place among the positional arguments; None if it is to be passed by keyword.
        key: the keyword; None if it is to be passed by position.
        given: whether the call gives it.
    """

    name: str
    value: Any
    origin: Any
    raw_type: Any
    annotation: Any
    is_kwarg: bool
    index: int | None
    key: str | None
    given: bool
