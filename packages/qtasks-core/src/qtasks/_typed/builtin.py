"""What comes with QTasks knows about types of values, also where there is no app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtasks._builtin.pydantic_models import PydanticModels

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["builtin_converter"]

_PYDANTIC: Final = PydanticModels()


def builtin_converter(annotation: Any) -> Callable[[Any], Any] | None:
    """Returns what makes values of an annotation; the plugins of an app are asked before.

    Args:
        annotation: the annotation, resolved.
    """
    return _PYDANTIC.qtasks_value_converter(annotation)
