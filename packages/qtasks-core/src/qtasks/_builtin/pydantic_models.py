"""Models of pydantic as arguments and results; pydantic is imported when a task uses one."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from qtasks.contracts.hookspecs import hookimpl
from qtasks.contracts.plugin import Plugin

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PydanticModels"]


class PydanticModels(Plugin):
    """Knows what to do with annotations in which models, or constraints, of pydantic stand."""

    name = "pydantic"

    @hookimpl
    def qtasks_value_converter(self, annotation: Any) -> Callable[[Any], Any] | None:
        """Returns what makes values of the annotation, if there is something of pydantic in it."""
        # Whoever wrote a model has imported pydantic.
        if "pydantic" not in sys.modules:
            return None
        found = _Found()
        found.look(annotation)
        if not (found.models or found.constraints):
            return None
        import pydantic

        try:
            adapter = pydantic.TypeAdapter(annotation)
        except pydantic.PydanticSchemaGenerationError:
            return None  # something else stands in it too
        return Converter(adapter, _model_of(annotation), strict=None if found.models else True)


class Converter:
    """Makes models of plain data.

    Args:
        adapter: pydantic's own for the annotation.
        model: the class, if the annotation is one, or one and None.
        strict: whether nothing is converted; None leaves it to the models.

    Attributes:
        fields: the keywords by which the fields of the class may be given, and their names.
    """

    def __init__(self, adapter: Any, model: Any, *, strict: bool | None) -> None:
        self._adapter = adapter
        self._strict = strict
        self.fields = None if model is None else _keywords(model)

    def __call__(self, value: Any) -> Any:
        """Returns the value as annotated.

        Raises:
            ValueError: it does not fit; the message has no values in it.
        """
        import pydantic

        try:
            return self._validated(value)
        except pydantic.ValidationError as error:
            raise ValueError(_told(error)) from None

    def _validated(self, value: Any) -> Any:
        import pydantic

        validate = self._adapter.validate_python
        try:
            return validate(value, strict=self._strict, by_alias=True, by_name=True)
        except pydantic.ValidationError:
            if self._strict:
                raise
            # Enums and tuples of a strict model have travelled as what JSON would have.
            return validate(value, strict=False, by_alias=True, by_name=True)


class _Found:
    """What of pydantic stands in an annotation.

    Attributes:
        models: whether there are models.
        constraints: whether there are constraints, such as ``Field(gt=0)``.
    """

    def __init__(self) -> None:
        self.models = False
        self.constraints = False

    def look(self, annotation: Any) -> None:
        """Looks at an annotation and all within it."""
        if isinstance(annotation, type) and hasattr(annotation, "__pydantic_core_schema__"):
            self.models = True
        elif inspect.isclass(annotation) and dataclasses.is_dataclass(annotation):
            return  # its fields are looked at when one of them is not known
        if get_origin(annotation) is Annotated:
            inner, *beside = get_args(annotation)
            self.constraints |= any(_is_pydantics(each) for each in beside)
            self.look(inner)
            return
        for part in get_args(annotation):
            self.look(part)


def _is_pydantics(beside: Any) -> bool:
    module = type(beside).__module__
    return module.partition(".")[0] in ("pydantic", "annotated_types")


def _model_of(annotation: Any) -> Any:
    """Returns the model that an annotation is, if need be beside None."""
    if get_origin(annotation) is Annotated:
        return _model_of(get_args(annotation)[0])
    if isinstance(annotation, type) and isinstance(getattr(annotation, "model_fields", None), dict):
        return annotation
    others = [part for part in get_args(annotation) if part is not type(None)]
    if len(others) == 1 and type(None) in get_args(annotation):
        return _model_of(others[0])
    return None


def _keywords(model: Any) -> dict[str, str]:
    fields = {}
    for name, field in model.model_fields.items():
        fields[name] = name
        if field.alias is not None:
            fields.setdefault(field.alias, name)
    return fields


def _told(error: Any) -> str:
    """Says what is wrong, and where, without the values."""
    mistakes = error.errors(include_url=False, include_input=False, include_context=False)
    lines = []
    for each in mistakes:
        place = ".".join(str(part) for part in each["loc"])
        lines.append(f"{place}: {each['msg']}" if place else each["msg"])
    return "; ".join(lines)
