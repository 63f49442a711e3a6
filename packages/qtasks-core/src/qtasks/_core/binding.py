"""Checks calls against signatures, in the caller, before anything is queued."""

from __future__ import annotations

import difflib
from inspect import Parameter, Signature
from math import inf
from typing import TYPE_CHECKING, Any

from qtasks.exc import TaskArgumentsError
from qtasks.schemas import CallOptions, TaskDefinition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks.typing import Arguments


__all__ = ["arity_of", "fit_arguments", "load_arguments", "signature_text"]


def fit_arguments(
    task: TaskDefinition, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Arguments:
    """Checks that a call and its values fit the task.

    Returns:
        The arguments; models that were given by their fields are whole.

    Raises:
        TaskArgumentsError: something does not fit; the message shows the signature.
        EncodeError: a value cannot be encoded.
    """
    types = task.types
    if types is None:
        _check_signature(task, args, kwargs)
        return args, kwargs
    if types.assemble is not None:
        args, kwargs = types.assemble(args, kwargs)
    _check_signature(task, args, kwargs)
    if types.admit is not None:
        types.admit(args, kwargs)
    return args, kwargs


def load_arguments(
    task: TaskDefinition, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Returns arguments that have arrived as they are annotated.

    Raises:
        TaskArgumentsError: a value does not fit its annotation.
    """
    types = task.types
    if types is None or types.load is None:
        return args, kwargs
    return types.load(args, kwargs)  # type: ignore[return-value]  # a dict stays one


def _check_signature(
    task: TaskDefinition, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> None:
    if not kwargs and task.arity is not None and task.arity[0] <= len(args) <= task.arity[1]:
        return
    if task.filled:
        _refuse_filled(task, kwargs)
    try:
        task.signature.bind(*args, **kwargs)
    except TypeError as error:
        msg = f"{task.name}: {error}; the task is {signature_text(task)}{_hint(task, kwargs)}"
        raise TaskArgumentsError(msg) from None


def _refuse_filled(task: TaskDefinition, kwargs: Mapping[str, Any]) -> None:
    for name in kwargs.keys() & task.filled.keys():
        msg = (
            f"{task.name}: {name} is filled in by the plugin {task.filled[name]!r} where the task"
            f" runs; leave it out: the task is {signature_text(task)}"
        )
        raise TaskArgumentsError(msg)


def arity_of(signature: Signature) -> tuple[int, float] | None:
    """Returns how many arguments a call without keywords may have, see ``TaskDefinition.arity``."""
    fewest, most = 0, 0.0
    for parameter in signature.parameters.values():
        required = parameter.default is Parameter.empty
        if parameter.kind is Parameter.VAR_POSITIONAL:
            most = inf
        elif parameter.kind is Parameter.KEYWORD_ONLY:
            if required:
                return None
        elif parameter.kind is not Parameter.VAR_KEYWORD:
            fewest += required
            most += 1
    return fewest, most


def signature_text(task: TaskDefinition) -> str:
    """Shows a task as it would be called."""
    return f"{task.name}{task.signature}"


def _hint(task: TaskDefinition, kwargs: Mapping[str, Any]) -> str:
    """Guesses what was meant by a keyword that is neither the task's nor an option."""
    known = [*task.signature.parameters, *CallOptions.__struct_fields__]
    for name in kwargs.keys() - task.signature.parameters.keys():
        if name in CallOptions.__struct_fields__:
            return f"; {name} is an option: write {task.name}.options({name}=...)"
        if name in TaskDefinition.__struct_fields__:
            return f"; {name} is an option of the declaration: @app.task({name}=...)"
        if close := difflib.get_close_matches(name, known, n=1):
            return f"; did you mean {close[0]}?"
    return ""
