"""Annotations that msgspec refuses as a whole: unions, what holds them, and literals of enums."""

from __future__ import annotations

import dataclasses
import types
from collections import abc
from enum import Enum
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    Literal,
    NewType,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec

from qtasks._typed.values import Load, MisfitError, ValuePlan

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks._typed.plans import Planner

__all__ = ["take_apart"]

#: What holds values of one kind, and what is made of them.
_HOLDERS: Final[dict[Any, Callable[[Any], Any]]] = {
    list: list,
    set: set,
    frozenset: frozenset,
    abc.Sequence: list,
    abc.MutableSequence: list,
    abc.Collection: list,
    abc.Set: set,
    abc.MutableSet: set,
}
_MAPPINGS: Final = (dict, abc.Mapping, abc.MutableMapping)
_COLLECTIONS: Final = (list, tuple, set, frozenset)
_PAIR: Final = 2


def take_apart(  # noqa: PLR0911 - one return for each kind of annotation
    planner: Planner, annotation: Any, expected: str
) -> ValuePlan | None:
    """Makes the plan of an annotation from those of its parts; None if it has none.

    Raises:
        UncheckableError: nothing can be said about one of the parts.
    """
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return _union(planner, annotation, expected)
    if origin is Annotated:
        return planner.plan(args[0])
    if origin is Literal:
        return _literal(annotation, expected)
    if isinstance(annotation, NewType):
        return planner.plan(annotation.__supertype__)
    if origin is tuple:
        return _tuple(planner, annotation, expected)
    if origin in _HOLDERS and len(args) == 1:
        return _holder(_HOLDERS[origin], planner.plan(args[0]), annotation, expected)
    if origin in _MAPPINGS and len(args) == _PAIR:
        return _mapping(planner.plan(args[0]), planner.plan(args[1]), annotation, expected)
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        return _dataclass(planner, annotation, expected)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ValuePlan(annotation, expected, annotation, models=True)
    return None


def _union(planner: Planner, annotation: Any, expected: str) -> ValuePlan | None:
    plans = []
    for member in get_args(annotation):
        plan = planner.plan(member)
        if plan is None:
            return None  # one of them allows everything
        plans.append((plan, _field_names(member)))
    everything = [plan for plan, _ in plans]

    def load(value: Any) -> Any:
        kind = type(value)
        if any(kind in plan.kinds for plan in everything):
            return value
        tried = everything
        if kind is dict:  # of models, those first that have exactly these fields
            keys = value.keys()
            tried = sorted(everything, key=lambda plan: names.get(id(plan)) != keys)
        why = ""
        for plan in tried if value is not None else ():
            try:
                return plan.load(value)
            except (ValueError, TypeError) as error:
                why = why or str(error)
        raise MisfitError(why if single else "")

    single = sum(plan.kinds != {type(None)} for plan in everything) == 1
    names = {id(plan): fields for plan, fields in plans}
    kinds = frozenset[type]().union(*(plan.kinds for plan in everything))
    return ValuePlan(
        annotation, expected, load, kinds, models=any(plan.models for plan in everything)
    )


def _field_names(member: Any) -> set[str] | None:
    if dataclasses.is_dataclass(member):
        return {field.name for field in dataclasses.fields(member)}
    if isinstance(member, type) and issubclass(member, msgspec.Struct):
        names = set(member.__struct_encode_fields__)
        tag = member.__struct_config__.tag_field
        return names if tag is None else names | {tag}
    fields = getattr(member, "model_fields", None)
    return set(fields) if isinstance(fields, dict) else None


def _literal(annotation: Any, expected: str) -> ValuePlan:
    # An enum arrives as its value.
    plain = [(getattr(one, "value", one), one) for one in get_args(annotation)]

    def load(value: Any) -> Any:
        for bare, one in plain:
            if value is one or (type(value) is type(bare) and value == bare):
                return one
        raise MisfitError

    return ValuePlan(annotation, expected, load, models=any(bare is not one for bare, one in plain))


def _load_of(plan: ValuePlan | None) -> Load:
    return _as_it_is if plan is None else plan.load


def _as_it_is(value: Any) -> Any:
    return value


def _tuple(planner: Planner, annotation: Any, expected: str) -> ValuePlan:
    args = get_args(annotation)
    if len(args) == _PAIR and args[1] is Ellipsis:
        return _holder(tuple, planner.plan(args[0]), annotation, expected)
    plans = [planner.plan(arg) for arg in args]
    loads = [_load_of(plan) for plan in plans]

    def load(value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise MisfitError
        if len(value) != len(loads):
            msg = f"expected {len(loads)} values, got {len(value)}"
            raise MisfitError(msg)
        return tuple(
            _within(at, each, part)
            for at, (each, part) in enumerate(zip(loads, value, strict=True))
        )

    return ValuePlan(annotation, expected, load, models=any(plan and plan.models for plan in plans))


def _holder(
    make: Callable[[Any], Any], plan: ValuePlan | None, annotation: Any, expected: str
) -> ValuePlan:
    each = _load_of(plan)

    def load(value: Any) -> Any:
        if not isinstance(value, _COLLECTIONS):
            raise MisfitError
        return make([_within(at, each, part) for at, part in enumerate(value)])

    return ValuePlan(annotation, expected, load, models=bool(plan and plan.models))


def _mapping(
    keys: ValuePlan | None, values: ValuePlan | None, annotation: Any, expected: str
) -> ValuePlan:
    key_of, value_of = _load_of(keys), _load_of(values)

    def load(value: Any) -> Any:
        if not isinstance(value, dict):
            raise MisfitError
        return {_within("key", key_of, key): _within(key, value_of, v) for key, v in value.items()}

    models = any(plan and plan.models for plan in (keys, values))
    return ValuePlan(annotation, expected, load, models=models)


def _dataclass(planner: Planner, annotation: Any, expected: str) -> ValuePlan | None:
    kind = annotation
    if kind in planner.open:
        return None  # it stands within itself
    planner.open.add(kind)
    try:
        hints = get_type_hints(kind, include_extras=True)
        names = [field.name for field in dataclasses.fields(kind) if field.init]
        loads = {name: _load_of(planner.plan(hints[name])) for name in names}
    finally:
        planner.open.discard(kind)

    def load(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        if not isinstance(value, dict):
            raise MisfitError
        given = {
            name: _within(name, each, value[name]) for name, each in loads.items() if name in value
        }
        return kind(**given)

    return ValuePlan(annotation, expected, load, models=True)


def _within(place: Any, load: Load, value: Any) -> Any:
    """Loads a part, and says where it stands if it does not fit."""
    try:
        return load(value)
    except (ValueError, TypeError) as error:
        why = str(error) or f"{type(value).__qualname__} does not fit"
        msg = f"at {place!r}: {why}"
        raise MisfitError(msg) from None
