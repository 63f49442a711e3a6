"""Random values of random annotations come back as they were, or are refused before they travel."""

from __future__ import annotations

import dataclasses
import enum
import functools
import inspect
import operator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec
import pydantic
from hypothesis import given
from hypothesis import strategies as st

from qtasks._typed.builtin import builtin_converter
from qtasks._typed.task_types import TaskTypes
from qtasks.contracts.codec import decode, decode_arguments, encode, encode_arguments
from qtasks.exc import EncodeError, TaskArgumentsError


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    at: datetime | None = None


class Sound(msgspec.Struct, frozen=True, tag=True):
    name: str
    color: Color = Color.RED


class Span(msgspec.Struct, frozen=True, array_like=True):
    left: Decimal
    right: bytes = b""


class Pair(NamedTuple):
    left: int
    right: UUID


class User(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)
    name: str
    points: tuple[int, ...] = ()
    color: Color | None = None


TEXT = st.text(st.characters(codec="utf-8"), max_size=5)
MOMENTS = st.datetimes(timezones=st.just(UTC))
LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(),
    float: st.floats(allow_nan=False),
    str: TEXT,
    bool: st.booleans(),
    bytes: st.binary(max_size=5),
    type(None): st.none(),
    datetime: MOMENTS,
    date: st.dates(),
    timedelta: st.timedeltas(),
    UUID: st.uuids(),
    Decimal: st.decimals(allow_nan=False),
    PurePosixPath: st.just(PurePosixPath("/tmp/x")),
    Color: st.sampled_from(Color),
    Literal["a", 1]: st.sampled_from(["a", 1]),
    Point: st.builds(Point, st.integers(), st.none() | MOMENTS),
    Sound: st.builds(Sound, TEXT, st.sampled_from(Color)),
    Span: st.builds(Span, st.decimals(allow_nan=False), st.binary(max_size=5)),
    Pair: st.builds(Pair, st.integers(), st.uuids()),
    User: st.builds(User, name=TEXT, points=st.lists(st.integers()).map(tuple)),
}
#: Of these no other is mistaken for one when they stand in a union.
DISTINCT = [int, str, bytes, type(None), datetime, UUID, Point, User]
HASHABLE = [kind for kind in LEAVES if kind is not Literal["a", 1]]


def lists(inner: tuple[Any, Any]) -> tuple[Any, Any]:
    """Returns a list of something, and its values."""
    return list[inner[0]], st.lists(inner[1], max_size=3)  # type: ignore[name-defined]  # at run time


def tuples(inner: tuple[Any, Any]) -> tuple[Any, Any]:
    """Returns a tuple that begins with a number."""
    return tuple[int, inner[0]], st.tuples(st.integers(), inner[1])  # type: ignore[name-defined]  # at run time


def dicts(inner: tuple[Any, Any]) -> tuple[Any, Any]:
    """Returns a dict of something."""
    return dict[str, inner[0]], st.dictionaries(TEXT, inner[1], max_size=3)  # type: ignore[name-defined]  # at run time


def maybes(inner: tuple[Any, Any]) -> tuple[Any, Any]:
    """Returns something or None."""
    return inner[0] | None, st.none() | inner[1]


leaves = st.sampled_from(list(LEAVES.items()))
sets = st.sampled_from(HASHABLE).map(
    lambda kind: (set[kind], st.sets(LEAVES[kind], max_size=3))  # type: ignore[valid-type]  # at run time
)
unions = st.sets(st.sampled_from(DISTINCT), min_size=2, max_size=3).map(
    lambda kinds: (functools.reduce(operator.or_, kinds), st.one_of(*map(LEAVES.get, kinds)))  # type: ignore[arg-type]  # all are there
)
annotations = st.recursive(
    leaves | sets | unions,
    lambda inner: inner.map(lists) | inner.map(tuples) | inner.map(dicts) | inner.map(maybes),
    max_leaves=4,
)


def types_of(annotation: Any) -> TaskTypes:
    """Returns what the annotations of a task with one parameter mean."""

    def echo(value: Any) -> Any:
        return value

    echo.__annotations__ = {"value": annotation, "return": annotation}
    signature = inspect.signature(echo)
    how = {"validate": True, "replaced": False}
    return TaskTypes("echo", echo, signature, "function", builtin_converter, **how)


def travelled(types: TaskTypes, value: Any) -> Any:
    """Sends a value on its way and back, as a worker and a client would."""
    args, kwargs = decode_arguments(encode_arguments(((value,), {}), "call"))
    if types.load is not None:
        (loaded,), _ = types.load(tuple(args), kwargs)
    else:
        (loaded,) = args
    result = decode(encode(loaded))
    return result if types.result is None else types.result(result)


@given(st.data())
def test_values_come_back_as_they_were(data: st.DataObject) -> None:
    annotation, values = data.draw(annotations)
    value = data.draw(values)
    types = types_of(annotation)

    if types.admit is not None:
        types.admit((value,), {})

    returned = travelled(types, value)
    assert returned == value
    assert type(returned) is type(value)


@given(st.data())
def test_what_is_admitted_can_be_loaded(data: st.DataObject) -> None:
    annotation, _ = data.draw(annotations)
    _, others = data.draw(annotations)
    value = data.draw(others)
    types = types_of(annotation)

    try:
        if types.admit is not None:
            types.admit((value,), {})
    except (TaskArgumentsError, EncodeError):
        return  # nothing travels

    travelled(types, value)  # raises nothing
