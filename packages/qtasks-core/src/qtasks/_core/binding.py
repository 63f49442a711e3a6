"""Checks calls against signatures, in the caller, before anything is queued."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.exc import TaskArgumentsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks.schemas import TaskDefinition

__all__ = ["check_arguments", "signature_text"]


def check_arguments(task: TaskDefinition, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Checks that a call fits the task.

    Raises:
        TaskArgumentsError: it does not; the message shows the signature.
    """
    try:
        task.signature.bind(*args, **kwargs)
    except TypeError as error:
        msg = f"{task.name}: {error}; the task is {signature_text(task)}"
        raise TaskArgumentsError(msg) from None


def signature_text(task: TaskDefinition) -> str:
    """Shows a task as it would be called."""
    return f"{task.name}{task.signature}"
