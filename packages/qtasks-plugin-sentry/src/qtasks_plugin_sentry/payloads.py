"""Arguments and headers of a message: what may be sent of them, and what must not be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.plugins import decode
from qtasks_plugin_sentry.redaction import masked_values, texts_in

if TYPE_CHECKING:
    from qtasks.schemas import Message, TaskDefinition

__all__ = ["arguments_of", "data_in"]


def arguments_of(message: Message, task: TaskDefinition | None) -> dict[str, Any]:
    """Returns the arguments of a call, without what is secret by its name.

    Args:
        message: the message of a task.
        task: the task, which has names for them; None if it is not known.
    """
    args, kwargs = _decoded(message.payload)
    names = () if task is None else tuple(task.signature.parameters)
    named = masked_values(dict(zip(names, args, strict=False)))
    rest = masked_values(list(args[len(named) :]))
    return {"args": [*named.values(), *rest], "kwargs": masked_values(kwargs)}


def data_in(message: Message) -> set[str]:
    """Returns the texts among the arguments and headers of a message.

    Args:
        message: the message of a task.
    """
    return texts_in(list(_decoded(message.payload))) | texts_in(list(message.headers.values()))


def _decoded(payload: bytes) -> tuple[Any, Any]:
    try:
        args, kwargs = decode(payload)
    except (ValueError, TypeError):  # it is malformed, which somebody else reports
        return (), {}
    return args, kwargs
