"""Which deliveries are one run: a plugin may put another in the place of the one that came."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from qtasks.schemas import Delivery

__all__ = ["first_of", "same_run"]

#: The delivery that came, by the identity of the one that stands for it, as long as that lives.
_FIRST: Final[dict[int, tuple[weakref.ref[Delivery], Delivery]]] = {}


def same_run(new: Delivery, old: Delivery) -> None:
    """Notes that a delivery stands for another, so that what is kept for the run stays."""
    if new is not old:
        key = id(new)
        forget = weakref.ref(new, lambda _: _FIRST.pop(key, None))
        _FIRST[key] = (forget, first_of(old))


def first_of(delivery: Delivery) -> Delivery:
    """Returns the delivery as it came, whatever plugins have put in its place."""
    found = _FIRST.get(id(delivery)) if _FIRST else None
    return delivery if found is None else found[1]
