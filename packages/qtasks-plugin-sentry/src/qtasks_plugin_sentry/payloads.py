"""Arguments and headers of a message: what may be sent of them, and what must not be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.plugins import decode
from qtasks_plugin_sentry.redaction import Known, masked_values, secrets_in, texts_in

if TYPE_CHECKING:
    from qtasks.schemas import Message, TaskDefinition

__all__ = ["arguments_of", "known_of"]


def arguments_of(message: Message, task: TaskDefinition | None) -> dict[str, Any]:
    """Returns the arguments of a call, without what is secret by its name.

    Args:
        message: the message of a task.
        task: the task, which has names for them; None if it is not known.
    """
    named, rest, kwargs = _named(message, task)
    known = secrets_in(named) | secrets_in(rest) | secrets_in(kwargs)
    shown = [*masked_values(named, known).values(), *masked_values(rest, known)]
    return {"args": shown, "kwargs": masked_values(kwargs, known)}


def known_of(message: Message, task: TaskDefinition | None) -> Known:
    """Returns what is known to be data: the arguments and headers of a message.

    Args:
        message: the message of a task.
        task: the task, which has names for them; None if it is not known.
    """
    named, rest, kwargs = _named(message, task)
    # The names themselves are words of the program.
    values = [*named.values(), *rest, *kwargs.values(), *message.headers.values()]
    found = (named, rest, kwargs, message.headers)
    secrets = set().union(*map(secrets_in, found))
    return Known(frozenset(texts_in(values)), frozenset(secrets))


def _named(
    message: Message, task: TaskDefinition | None
) -> tuple[dict[str, Any], list[Any], dict[str, Any]]:
    """Returns arguments by their names, those that have none, and those given by name."""
    args, kwargs = _decoded(message.payload)
    names = () if task is None else tuple(task.signature.parameters)
    named = dict(zip(names, args, strict=False))
    return named, list(args[len(named) :]), kwargs


def _decoded(payload: bytes) -> tuple[Any, Any]:
    try:
        args, kwargs = decode(payload)
    except (ValueError, TypeError):  # it is malformed, which somebody else reports
        return (), {}
    return args, kwargs
