"""What a task returned, as it is kept."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from qtasks.contracts.codec import Unkept, encode
from qtasks.exc import PayloadTooLargeError

if TYPE_CHECKING:
    from qtasks.schemas import TaskDefinition

__all__ = ["encode_result"]

log = logging.getLogger("qtasks.worker")


def encode_result(task: TaskDefinition, value: Any, limit: int) -> bytes:
    """Encodes a result; one that is too large is left out, for the task has done its work.

    Args:
        task: the task.
        value: what it returned.
        limit: the most bytes it may take.

    Raises:
        EncodeError: a part of it has a type that is not supported.
    """
    try:
        return encode(value, f"the result of {task.name}:", limit)
    except PayloadTooLargeError as error:
        why = f"{task.name} has succeeded, but its result is not kept: {error}"
        log.warning("%s", why)
        return encode(Unkept(why))
