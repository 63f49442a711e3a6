"""How annotations and types are called in messages: short, without modules."""

from __future__ import annotations

import enum
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

__all__ = ["annotation_text", "kind_name"]


def annotation_text(annotation: Any) -> str:
    """Returns an annotation as people write it.

    Args:
        annotation: an annotation, or a part of one.
    """
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " | ".join(map(annotation_text, args))
    if origin is Literal:
        return f"Literal[{', '.join(map(_literal_text, args))}]"
    if origin is Annotated:
        beside = ", ".join(map(repr, annotation.__metadata__))
        return f"Annotated[{annotation_text(args[0])}, {beside}]"
    if origin is not None and args:
        return f"{annotation_text(origin)}[{', '.join(map(_argument_text, args))}]"
    if annotation is None or isinstance(annotation, type):
        return kind_name(annotation)
    return str(getattr(annotation, "__name__", None) or repr(annotation))


def kind_name(kind: type | None) -> str:
    """Returns what a type is called in messages."""
    if kind is None or kind is type(None):
        return "None"
    return kind.__qualname__.rpartition("<locals>.")[2]


def _argument_text(argument: Any) -> str:
    if argument is Ellipsis:
        return "..."
    if isinstance(argument, list):  # of Callable[[int], str]
        return f"[{', '.join(map(_argument_text, argument))}]"
    return annotation_text(argument)


def _literal_text(value: Any) -> str:
    return str(value) if isinstance(value, enum.Enum) else repr(value)
