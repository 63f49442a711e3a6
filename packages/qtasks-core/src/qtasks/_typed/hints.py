"""The annotations of a function, as far as they can be resolved."""

from __future__ import annotations

import collections.abc
import functools
import inspect
import sys
import types
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RETURN", "Hints", "hints_of", "signature_of"]

#: The name under which the annotation of the result is kept; no parameter can have it.
RETURN: Final = "return"
#: Newer Pythons look at annotations only when asked to, and fail at names that are not there.
_TOLERANT: Final[dict[str, Any]] = {}
if sys.version_info >= (3, 14):
    import annotationlib

    _TOLERANT["annotation_format"] = annotationlib.Format.FORWARDREF


#: Names that mean one thing, and are often imported for type checkers alone.
_COMMON: Final = {
    name: getattr(module, name)
    for module, names in (
        (typing, "Annotated Any Literal Optional Union"),
        (
            collections.abc,
            (
                "AsyncGenerator AsyncIterable AsyncIterator Awaitable Callable Coroutine Generator"
                " Iterable Iterator Mapping MutableMapping MutableSequence Sequence"
            ),
        ),
    )
    for name in names.split()
}


class Hints(msgspec.Struct, frozen=True):
    """What was found.

    Attributes:
        known: annotations by the names of their parameters.
        unknown: why the others could not be resolved.
    """

    known: Mapping[str, Any]
    unknown: Mapping[str, str]


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """Returns the signature of a function, whatever its annotations are."""
    return inspect.signature(function, **_TOLERANT)


def hints_of(function: Callable[..., Any], signature: inspect.Signature) -> Hints:
    """Resolves annotations one by one, so that one that cannot be spoils no other.

    Args:
        function: the function.
        signature: the parameters that count, and the annotation of the result.
    """
    given = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if parameter.annotation is not parameter.empty
    }
    if signature.return_annotation is not signature.empty:
        given[RETURN] = signature.return_annotation
    known, unknown = {}, {}
    spaces: tuple[dict[str, Any], dict[str, Any]] | None = None
    for name, annotation in given.items():
        if isinstance(annotation, type):
            known[name] = annotation
            continue
        spaces = spaces or _namespaces(function)
        try:
            known[name] = _resolved(annotation, *spaces)
        except Exception as error:  # noqa: BLE001 - an annotation may be any expression
            unknown[name] = f"{type(error).__name__}: {error}"
    return Hints(known, unknown)


def _resolved(annotation: Any, module: dict[str, Any], local: dict[str, Any]) -> Any:
    holder = types.SimpleNamespace(__annotations__={RETURN: annotation})
    return typing.get_type_hints(holder, module, local, include_extras=True)[RETURN]


def _namespaces(function: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the names that a function sees: those of its module, and those it closes over."""
    found = inspect.unwrap(function)
    while isinstance(found, functools.partial):
        found = inspect.unwrap(found.func)
    found = getattr(found, "__func__", found)
    if not isinstance(found, types.FunctionType):
        found = getattr(type(found), "__call__", None)  # noqa: B004 - it is looked at, not called
    if not isinstance(found, types.FunctionType):
        return dict(_COMMON), {}
    local = {}
    for name, cell in zip(found.__code__.co_freevars, found.__closure__ or (), strict=True):
        try:
            local[name] = cell.cell_contents
        except ValueError:
            continue  # it has no value yet
    local.update((each.__name__, each) for each in getattr(found, "__type_params__", ()))
    return {**_COMMON, **found.__globals__}, local
