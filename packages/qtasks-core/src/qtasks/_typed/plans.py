"""From annotations to plans: msgspec does what it can, and what it refuses is taken apart."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Final, ParamSpecArgs, ParamSpecKwargs, TypeVar, get_origin

import msgspec
import msgspec.inspect as shapes

from qtasks._typed.apart import take_apart
from qtasks._typed.scalars import NATIVE, SCALARS, scalar_load, text_load
from qtasks._typed.values import Load, MisfitError, ValuePlan
from qtasks._typed.wording import annotation_text

__all__ = ["Finder", "Planner", "UncheckableError"]

#: Returns what makes values of an annotation, or None: the plugins' part.
Finder = Callable[[Any], Load | None]

_TYPE_ALONE: Final = re.compile("Expected `[^`]*`, got `[^`]*`")
_MODELS: Final = (
    shapes.StructType,
    shapes.DataclassType,
    shapes.NamedTupleType,
    shapes.EnumType,
)


class UncheckableError(Exception):
    """Nothing can be said about values of an annotation; the message says why."""


class Planner:
    """Makes plans.

    Args:
        find: asks whoever knows about types that are not known here.

    Attributes:
        open: classes that are being taken apart, so that one within itself is noticed.
    """

    def __init__(self, find: Finder) -> None:
        self._find = find
        self._found: dict[Any, Load | None] = {}
        self.open: set[Any] = set()

    def plan(self, annotation: Any) -> ValuePlan | None:  # noqa: PLR0911 - one return for each kind
        """Makes the plan of an annotation; None if it allows everything.

        Raises:
            UncheckableError: nothing can be said about it.
        """
        if annotation is Any or annotation is object:
            return None
        if isinstance(annotation, TypeVar | ParamSpecArgs | ParamSpecKwargs):
            return None
        if type(annotation).__name__ == "TypeAliasType":  # of ``type X = ...``
            return self.plan(annotation.__value__)
        expected = annotation_text(annotation)
        if (kinds := _kinds(annotation)) is not None:
            return ValuePlan(annotation, expected, scalar_load(annotation), kinds)
        if (load := self.custom(annotation)) is not None:
            fields = getattr(load, "fields", None)
            return ValuePlan(annotation, expected, load, models=True, fields=fields)
        if get_origin(annotation) is Annotated and not _constrained(annotation):
            return self.plan(annotation.__origin__)
        try:
            shape = shapes.type_info(annotation)
        except Exception as error:  # noqa: BLE001 - an annotation may be any object
            plan = take_apart(self, annotation, expected)
            if plan is None:
                raise UncheckableError(_first_line(error)) from None
            return plan
        return self._by_msgspec(annotation, shape, expected)

    def custom(self, annotation: Any) -> Load | None:
        """Asks whoever knows about types that are not known here; once for each."""
        try:
            return self._found[annotation]
        except KeyError:
            pass
        except TypeError:  # it cannot be a key
            return self._find(annotation)
        load = self._found[annotation] = text_load(annotation) or self._find(annotation)
        return load

    def _by_msgspec(self, annotation: Any, shape: shapes.Type, expected: str) -> ValuePlan | None:
        if isinstance(shape, shapes.AnyType):
            return None
        if isinstance(shape, shapes.CustomType):
            msg = f"{expected} is not known to be data"
            raise UncheckableError(msg)
        models = False
        for part in _parts(shape):
            if isinstance(part, _MODELS):
                models = True
            elif isinstance(part, shapes.CustomType):
                models |= self.custom(part.cls) is not None
                if getattr(part.cls, "_is_protocol", False):
                    msg = f"{part.cls.__qualname__} is a protocol"
                    raise UncheckableError(msg)
        return ValuePlan(annotation, expected, self._converter(annotation), models=models)

    def _converter(self, annotation: Any) -> Load:
        # In a box, because msgspec looks only once at the fields of a class.
        box = msgspec.defstruct("Box", [("value", annotation)], array_like=True)
        custom = self.custom

        def hook(kind: Any, value: Any) -> Any:
            load = custom(kind)
            return value if load is None else load(value)

        def load(value: Any) -> Any:
            try:
                return msgspec.convert((value,), box, builtin_types=NATIVE, dec_hook=hook).value  # type: ignore[attr-defined]  # the box has it
            except msgspec.ValidationError as error:
                raise MisfitError(_unboxed(str(error))) from None

        return load


def _kinds(annotation: Any) -> frozenset[type] | None:
    try:
        return SCALARS.get(annotation)
    except TypeError:  # it cannot be a key
        return None


def _constrained(annotation: Any) -> bool:
    """Tells whether msgspec has a use for what stands beside the type."""
    return any(isinstance(each, msgspec.Meta) for each in annotation.__metadata__)


def _parts(shape: Any) -> list[Any]:
    """Returns a shape and all shapes within it."""
    found: list[Any] = []
    seen: set[int] = set()
    waiting = [shape]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, tuple):
            waiting.extend(part)
        elif isinstance(part, shapes.Type | shapes.Field):
            found.append(part)
            waiting.extend(getattr(part, name) for name in part.__struct_fields__)
    return found


def _unboxed(text: str) -> str:
    """Takes the box out of a message of msgspec; empty if it says only that the type is wrong."""
    text = text.replace("`$[0]", "`$", 1).removesuffix(" - at `$`")
    return "" if _TYPE_ALONE.fullmatch(text) else text


def _first_line(error: Exception) -> str:
    return str(error).split("\n")[0]
