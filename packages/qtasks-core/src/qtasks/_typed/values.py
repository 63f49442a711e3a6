"""How values of one annotation are checked, and how they come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from qtasks._typed.wording import kind_name
from qtasks.contracts.codec import decode, encode

__all__ = ["Load", "MisfitError", "ValuePlan"]

#: Takes a value, or what is left of it after its travel, and returns it as annotated; raises
#: :class:`MisfitError`, ``ValueError`` or ``TypeError``.
Load = Callable[[Any], Any]

_PLAIN = (list, tuple, dict, set, frozenset, str, int, float)


class MisfitError(ValueError):
    """A value is not what the annotation says; the message may say which part of it."""


class ValuePlan(msgspec.Struct, frozen=True, eq=False):
    """What an annotation means for its values.

    Attributes:
        annotation: the annotation.
        expected: likewise, for messages.
        load: makes the annotated value of a plain one.
        kinds: types whose values fit, whatever they are.
        models: whether values come back as something else than plain data.
        fields: for a model whose fields a call may give one by one: the keywords they are given
            by, and the names they have.
    """

    annotation: Any
    expected: str
    load: Load
    kinds: frozenset[type] = frozenset()
    models: bool = False
    fields: dict[str, str] | None = None

    def admit(self, value: Any) -> None:
        """Checks a value before it travels, as it will be when it arrives.

        Raises:
            EncodeError: it cannot travel.
            ValueError, TypeError: it does not fit; :class:`MisfitError` is one of them.
        """
        if not self.models:
            try:
                self.load(value)
            except (ValueError, TypeError):
                self.load(decode(encode(value)))  # subclasses are plain when they arrive
            return
        loaded = self.load(decode(encode(value)))
        kind = type(loaded)
        if not isinstance(value, (kind, *_PLAIN)):
            msg = f"it would come back as {kind_name(kind)}"
            raise MisfitError(msg)
