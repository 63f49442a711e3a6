"""The parameters of a function with their annotations, resolved one by one."""

from __future__ import annotations

import builtins
import inspect
import sys
import weakref
from functools import partial
from types import CodeType
from typing import TYPE_CHECKING, Any, Final, ForwardRef, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

__all__ = ["UnresolvedAnnotation", "parameters_of"]

#: How often an annotation may be quoted.
_QUOTES: Final = 3
#: What was found of functions whose annotations are text; the second look comes when the places
#: where their names are known may be gone.
_found: Final[weakref.WeakKeyDictionary[Any, Mapping[str, inspect.Parameter]]] = (
    weakref.WeakKeyDictionary()
)


class UnresolvedAnnotation(str):
    """The text of an annotation that could not be resolved.

    Attributes:
        error: why.
    """

    __slots__ = ("error",)

    def __new__(cls, text: str, error: Exception) -> Self:
        """Makes one.

        Args:
            text: the annotation.
            error: why it could not be resolved.
        """
        made = super().__new__(cls, text)
        made.error = error
        return made

    error: Exception


def parameters_of(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Returns the parameters of a callable by name, with annotations instead of their text.

    Names are looked up where the function was defined: in its module, in what it closes over,
    and, while it is being decorated, in the function around it. One that is not known leaves an
    :class:`UnresolvedAnnotation` for its own parameter and spoils no other.

    Args:
        function: a function, method, class, ``functools.partial`` or callable object.
    """
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):  # of C code, which has no annotations either
        return {}
    if not any(isinstance(one.annotation, str) for one in signature.parameters.values()):
        return signature.parameters
    plain = _function(function)
    known = _found.get(plain)
    if known is None:
        names = _Names(plain)
        known = {
            name: parameter.replace(annotation=names.resolve(parameter.annotation))
            for name, parameter in inspect.signature(plain).parameters.items()
        }
        if plain is not None:
            _found[plain] = known
    return {
        name: parameter.replace(
            annotation=known[name].annotation if name in known else parameter.annotation
        )
        for name, parameter in signature.parameters.items()
    }


class _Names:
    """The names that the annotations of a function may use."""

    def __init__(self, function: Any) -> None:
        code: CodeType | None = getattr(function, "__code__", None)
        self._globals: dict[str, Any] = getattr(function, "__globals__", {})
        self._locals = {} if code is None else _around(code)
        if code is not None:
            for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
                try:
                    self._locals[name] = cell.cell_contents
                except ValueError:  # not yet assigned
                    continue

    def resolve(self, annotation: Any) -> Any:
        if not isinstance(annotation, str):
            return annotation
        try:
            return self._eval(annotation, self._locals)
        except NameError as error:
            failure: Exception = error
        except Exception as error:  # noqa: BLE001 - annotations are code, which may raise anything
            return UnresolvedAnnotation(annotation, error)
        try:
            # What only type checkers import must not hide what stands beside it.
            found = self._eval(annotation, _Tolerant(self._globals, self._locals))
        except Exception:  # noqa: BLE001 - as above; the first one says more
            return UnresolvedAnnotation(annotation, failure)
        return UnresolvedAnnotation(annotation, failure) if isinstance(found, ForwardRef) else found

    def _eval(self, text: str, names: Mapping[str, Any]) -> Any:
        found: Any = text
        for _ in range(_QUOTES):  # what is quoted where all annotations are text is so twice
            if not isinstance(found, str):
                break
            found = eval(found, self._globals, names)  # noqa: S307 - it is code of the same file
        return found


class _Tolerant(dict[str, Any]):
    """Local names; one that is known nowhere is a :class:`typing.ForwardRef`."""

    def __init__(self, outer: Mapping[str, Any], names: Mapping[str, Any]) -> None:
        super().__init__(names)
        self._outer = outer

    def __missing__(self, name: str) -> Any:
        if name in self._outer or hasattr(builtins, name):
            raise KeyError(name)  # the interpreter goes on looking there
        return ForwardRef(name)


def _around(code: CodeType) -> dict[str, Any]:
    """Returns the local names of the function that is just defining another one."""
    if "<locals>" not in code.co_qualname:
        return {}
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - there is no other way to the names
    while frame is not None:
        if frame.f_locals is not frame.f_globals and _contains(frame.f_code, code):
            return dict(frame.f_locals)
        frame = frame.f_back
    return {}


def _contains(outer: CodeType, code: CodeType) -> bool:
    """Tells whether code stands in other code, if only in the body of a class there."""
    inner = [const for const in outer.co_consts if isinstance(const, CodeType)]
    return any(one is code or _contains(one, code) for one in inner)


def _function(function: Any) -> Any:
    """Returns the function whose annotations those of a callable are."""
    while True:
        if isinstance(function, partial):
            function = function.func
        elif inspect.isclass(function):
            plain = function.__init__ is object.__init__
            return inspect.unwrap(function.__new__ if plain else function.__init__)
        elif inspect.ismethod(function):
            function = function.__func__
        elif inspect.isfunction(function):
            return inspect.unwrap(function)
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        else:
            return getattr(type(function), "__call__", None)  # noqa: B004 - it is there to be called
