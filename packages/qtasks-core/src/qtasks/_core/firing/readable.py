"""Whether what a plugin answered can be written and read again; the worker must not find out.

Contracts check what can be seen from outside; bytes and values are known to the codec alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.contracts.codec import decode, decode_arguments, encode, encode_arguments
from qtasks.schemas import Delivery, Message, Settlement, Success

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["check_readable", "check_storable", "encodable"]


def check_storable(_: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    """Checks the values that are to be stored.

    Raises:
        EncodeError: one cannot be.
    """
    for value in answer.values():
        encode(value, "the answer:")


def encodable(limit: int) -> Callable[[Mapping[str, Any], Mapping[str, Any]], None]:
    """Returns a check of arguments.

    Args:
        limit: how many bytes they may take.
    """

    def check(before: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        if "args" in answer or "kw" in answer:
            values = {**before, **answer}
            encode_arguments((tuple(values["args"]), dict(values["kw"])), "the answer:", limit)

    return check


def check_readable(before: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    """Checks the bytes of messages, deliveries and outcomes.

    Raises:
        DecodeError: nobody could read them.
    """
    for key, value in answer.items():
        if value is before[key]:
            continue
        if key == "kw":  # the fields of an outcome
            check_readable(before[key], value)
        elif isinstance(value, Delivery):
            if value.malformed is None:
                decode_arguments(value.message.payload)
        elif isinstance(value, Message):
            decode_arguments(value.payload)
        else:
            outcome = value.outcome if isinstance(value, Settlement) else value
            if isinstance(outcome, Success) and outcome.result is not None:
                decode(outcome.result)
