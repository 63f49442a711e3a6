"""What plugins are told of the arguments of a call, worked out when one of them looks."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints, overload

from qtasks.schemas import ArgMeta

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks.schemas import TaskDefinition

__all__ = ["ArgsInfo"]

_KEYWORD = inspect.Parameter.KEYWORD_ONLY
_MANY = inspect.Parameter.VAR_POSITIONAL
_NAMED = inspect.Parameter.VAR_KEYWORD


class ArgsInfo(Sequence[ArgMeta]):
    """The arguments of one call, in the order of the function's parameters.

    Args:
        task: the registered task.
        args: positional arguments.
        kw: keyword arguments.
    """

    def __init__(self, task: TaskDefinition, args: Sequence[Any], kw: Mapping[str, Any]) -> None:
        self._task, self._args, self._kw = task, args, kw
        self._metas: tuple[ArgMeta, ...] | None = None

    @overload
    def __getitem__(self, index: int) -> ArgMeta: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ArgMeta, ...]: ...
    def __getitem__(self, index: int | slice) -> ArgMeta | tuple[ArgMeta, ...]:
        """Returns one of them, or some."""
        return self._all()[index]

    def __len__(self) -> int:
        """Returns how many there are."""
        return len(self._all())

    def __repr__(self) -> str:
        """Shows them."""
        return f"{type(self).__name__}{self._all()!r}"

    def _all(self) -> tuple[ArgMeta, ...]:
        if self._metas is None:
            self._metas = tuple(_metas(self._task, self._args, self._kw))
        return self._metas


def _metas(task: TaskDefinition, args: Sequence[Any], kw: Mapping[str, Any]) -> Iterator[ArgMeta]:
    hints, rest = _hints(task.func), dict(kw)
    position = 0
    for name, parameter in task.signature.parameters.items():
        annotation = hints.get(name)
        if parameter.kind is _MANY:
            for value in args[position:]:
                yield _meta(name, value, annotation, index=position)
                position += 1
        elif parameter.kind is _NAMED:
            for key, value in rest.items():
                yield _meta(key, value, annotation, key=key)
        elif parameter.kind is not _KEYWORD and position < len(args):
            yield _meta(name, args[position], annotation, index=position)
            position += 1
        else:
            given = name in rest
            value = rest.pop(name, parameter.default)
            yield _meta(name, value, annotation, key=name, given=given)


def _meta(
    name: str,
    value: Any,
    annotation: Any,
    *,
    index: int | None = None,
    key: str | None = None,
    given: bool = True,
) -> ArgMeta:
    raw = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    return ArgMeta(name, value, get_origin(raw), raw, annotation, index is None, index, key, given)


@lru_cache(maxsize=1024)
def _hints(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Returns the annotations of a function; those that cannot be resolved stay text."""
    function = inspect.unwrap(function)
    try:
        return get_type_hints(function, include_extras=True)
    except Exception:  # noqa: BLE001 - annotations are code, which may raise anything
        return dict(getattr(function, "__annotations__", {}))
