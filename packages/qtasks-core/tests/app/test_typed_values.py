"""Values of many types: which come back, which are refused, and with which words."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NewType,
    ParamSpec,
    TypedDict,
    TypeVar,
)
from uuid import UUID

import msgspec
import pydantic
import pytest
from typing_extensions import TypeAliasType

from qtasks import QueueTasks
from qtasks.exc import EncodeError, TaskArgumentsError

P = ParamSpec("P")
Number = TypeVar("Number")
Code = NewType("Code", int)
MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = UUID(int=7)


class Color(enum.Enum):
    RED = "red"


class Mood(enum.StrEnum):
    FINE = "fine"


class Size(enum.Enum):
    WIDE = (3, 1)


@dataclasses.dataclass
class Line:
    item: str
    count: int = 1


@dataclasses.dataclass
class Order:
    id: UUID
    lines: list[Line]
    due: date | None = None


class Cat(msgspec.Struct, tag=True):
    name: str


class Dog(msgspec.Struct, tag=True, rename="camel"):
    name: str
    is_loud: bool = True


class Point(msgspec.Struct, frozen=True):
    x: int


class Here(msgspec.Struct):
    x: int


class There(msgspec.Struct):
    x: int
    y: int = 0


class Pair(NamedTuple):
    left: int
    right: str


class Box(TypedDict):
    width: int


class User(pydantic.BaseModel):
    name: str
    age: int = 3
    seen: datetime | None = None


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True, extra="forbid")
    color: Color
    pair: tuple[int, int]

    @pydantic.computed_field  # type: ignore[prop-decorator]  # so its documentation writes it
    @property
    def total(self) -> int:
        """The sum."""
        return sum(self.pair)


class Renamed(pydantic.BaseModel):
    user_name: str = pydantic.Field(alias="userName")


class Tea(pydantic.BaseModel):
    kind: Literal["tea"] = "tea"
    leaves: int


class Coffee(pydantic.BaseModel):
    kind: Literal["coffee"] = "coffee"
    beans: int


class Page(pydantic.BaseModel):
    url: pydantic.HttpUrl
    path: Path


@dataclasses.dataclass
class Branch:
    name: UUID | str | int
    twigs: list[Branch] | None = None


Alias = TypeAliasType("Alias", list[Order])
Drink = Annotated[Tea | Coffee, pydantic.Field(discriminator="kind")]


def echo_of(annotation: Any) -> Callable[[Any], Any]:
    """Returns a function that takes and returns one value of a type."""

    def echo(value: Any) -> Any:
        seen.append(value)
        return value

    seen: list[Any] = []
    echo.__annotations__ = {"value": annotation, "return": annotation}
    echo.seen = seen  # type: ignore[attr-defined]  # for the test
    return echo


ORDER = Order(ID, [Line("tea"), Line("cup", 2)], date(2026, 3, 1))
COMES_BACK = [
    (int, 3),
    (int, 2**70),
    (float, 1.5),
    (str, "x"),
    (bytes, b"x"),
    (bool, True),
    (None, None),
    (datetime, MOMENT),
    (date, date(2026, 3, 1)),
    (time, time(1, 2)),
    (timedelta, timedelta(days=1)),
    (UUID, ID),
    (Decimal, Decimal("1.10")),
    (int | None, None),
    (UUID | str, ID),
    (UUID | str, "x"),
    (datetime | date, MOMENT),
    (list[int], [1]),
    (tuple[int, ...], (1, 2)),
    (tuple[int, str], (1, "a")),
    (set[int], {1}),
    (frozenset[UUID], frozenset({ID})),
    (dict[str, list[UUID | str]], {"a": [ID, "x"]}),
    (dict[tuple[int, int], set[str]], {(1, 2): {"a"}}),
    (set[int] | list[int], {1}),
    (Sequence[int], [1]),
    (Color, Color.RED),
    (Mood, Mood.FINE),
    (Size, Size.WIDE),
    (Size | int, Size.WIDE),
    (Literal["a", 1], "a"),
    (Literal[Color.RED, "x"], Color.RED),
    (Code, 3),
    (Annotated[int, "a remark"], 3),
    (Annotated[int, msgspec.Meta(gt=0)], 3),
    (Annotated[int, pydantic.Field(gt=0)], 3),
    (Path, Path("/tmp/x")),
    (Path | None, Path("/tmp/x")),
    (IPv4Address, IPv4Address("127.0.0.1")),
    (Order, ORDER),
    (list[Order], [ORDER]),
    (dict[str, Order | None], {"a": ORDER, "b": None}),
    (tuple[Order, Color], (ORDER, Color.RED)),
    (set[Color], {Color.RED}),
    (set[Point], {Point(1), Point(2)}),
    (frozenset[Point], frozenset({Point(1)})),
    (dict[Color, Path], {Color.RED: Path("x")}),
    (Cat | Dog, Dog("Rex", is_loud=False)),
    (list[Cat | Dog], [Cat("Tom"), Dog("Rex")]),
    (Here | There, There(1)),
    (Here | There, Here(1)),
    (Order | Color | None, Color.RED),
    (Pair, Pair(1, "a")),
    (list[Pair], [Pair(1, "a")]),
    (Box, {"width": 1}),
    (User, User(name="Ann", seen=MOMENT)),
    (User | None, User(name="Ann")),
    (list[User], [User(name="Ann")]),
    (dict[str, list[User]], {"a": [User(name="Ann")]}),
    (Strict, Strict(color=Color.RED, pair=(1, 2))),
    (Renamed, Renamed(userName="Ann")),
    (Drink, Coffee(beans=3)),
    (Page, Page(url="https://example.org/a", path=Path("x"))),
    (Alias, [ORDER]),
    (TypeAliasType("Plain", int), 3),
    (list[Drink], [Coffee(beans=3), Tea(leaves=1)]),
    (User | Order, ORDER),
    (User | Cat, User(name="Ann")),
]


def shown(value: Any) -> str:
    """Returns the same name in every process, in whatever order a set keeps its members."""
    return str(sorted(map(repr, value))) if isinstance(value, set) else repr(value)


@pytest.mark.parametrize(("annotation", "value"), COMES_BACK, ids=shown)
def test_a_value_comes_back_as_annotated(annotation: Any, value: Any) -> None:
    app = QueueTasks(broker_url="memory://")
    function: Any = echo_of(annotation)
    task = app.task(function)

    with app.inline(raises=True):
        returned = task.add_task(value).result()

    assert function.seen == [value]
    assert type(function.seen[0]) is type(value)
    assert returned == value
    assert type(returned) is type(value)


REFUSED = [
    (int, "3", "must be int, not str"),
    (int, True, "must be int, not bool"),
    (int, 1.0, "must be int, not float"),
    (float, "1", "must be float, not str"),
    (float, True, "must be float, not bool"),
    (str, b"x", "must be str, not bytes"),
    (bytes, "x", "must be bytes, not str"),
    (bool, 1, "must be bool, not int"),
    (None, 1, "must be None, not int"),
    (date, MOMENT, "must be date, not datetime"),
    (datetime, "2026-03-01", "must be datetime, not str"),
    (UUID, str(ID), "must be UUID, not str"),
    (Decimal, 1, "must be Decimal, not int"),
    (int | None, "x", "must be int | None, not str"),
    (UUID | str, 3, "must be UUID | str, not int"),
    (list[int], [1, "2"], "must be list[int], but the list is not: Expected `int`, got `str`"),
    (list[int], 3, "must be list[int], not int"),
    (dict[str, UUID | str], {"a": 3}, "at 'a': int does not fit"),
    (tuple[UUID | str, int], ("a",), "expected 2 values, got 1"),
    (tuple[UUID | str, int], 3, "not int"),
    (list[UUID | str], 3, "not int"),
    (dict[str, UUID | str], 3, "not int"),
    (Color, "blue", "must be Color"),
    (Color, Mood.FINE, "must be Color"),
    (Literal[Color.RED, "x"], "y", "must be"),
    (Annotated[int, msgspec.Meta(gt=0)], -1, "Expected `int` >= 1"),
    (Annotated[int, pydantic.Field(gt=0)], -1, "greater than 0"),
    (Annotated[int, pydantic.Field(gt=0)], "1", "valid integer"),
    (Path, 3, "must be Path"),
    (Order, Order(ID, [Line(3)]), "Expected `str`, got `int` - at `$.lines[0].item`"),  # type: ignore[arg-type]  # a slip
    (Order, Here(1), "must be Order"),
    (Here, There(1), "it would come back as Here"),
    (list[Order], [3], "must be list[Order]"),
    (dict[Point, int], {Point(1): 1}, "a model cannot be the key of a dict"),
    (Cat | Dog, 3, "not int"),
    (Box, {"width": "1"}, "Expected `int`, got `str`"),
    (User, {"name": 3}, "name: Input should be a valid string"),
    (User, Order, "cannot be encoded"),
    (list[User], [3], "0: Input should be a valid dictionary or instance of User"),
]


@pytest.mark.parametrize(("annotation", "value", "words"), REFUSED, ids=shown)
def test_a_value_that_does_not_fit_is_refused_before_anything_is_queued(
    annotation: Any, value: Any, words: str
) -> None:
    app = QueueTasks(broker_url="memory://")
    task = app.task(name="echo")(echo_of(annotation))

    with pytest.raises((TaskArgumentsError, EncodeError)) as raised:
        app.add_tasks([task.build(*[value])])

    assert words in str(raised.value)
    assert "echo(value: " in str(raised.value)
    assert app.stats("default")[0].ready == 0


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (float, 1),
        (str, Mood.FINE),
        (list[str], [Mood.FINE]),
        (tuple[int, ...], [1]),
        (list[int], (1,)),
        (bytes, bytearray(b"x")),
        (Color, "red"),
        (Order, {"id": ID, "lines": []}),
        (User, {"name": "Ann"}),
        (object, 3),
        (Any, 3),
        (Number, 3),
    ],
    ids=shown,
)
def test_what_stands_for_a_value_is_taken(annotation: Any, value: Any) -> None:
    app = QueueTasks(broker_url="memory://")
    task = app.task(echo_of(annotation))

    with app.inline(raises=True):
        assert task.add_task(value).finished


def test_a_class_within_itself_that_must_be_taken_apart_is_left_alone() -> None:
    app = QueueTasks(broker_url="memory://")
    task = app.task(echo_of(Branch))

    with app.inline(raises=True):
        assert task.add_task(Branch(1)).returning == {"name": 1, "twigs": None}
    assert task.definition.types is not None
    assert set(task.definition.types.unchecked) == {"value"}


def test_an_error_shows_no_values() -> None:
    app = QueueTasks(broker_url="memory://")

    @app.task
    def log_in(user: User, tokens: list[int]) -> None: ...

    for arguments in ({"name": 1, "age": "secret"}, []), (User(name="a"), ["secret"]):
        with pytest.raises(TaskArgumentsError) as raised:
            log_in.add_task(*arguments)  # type: ignore[arg-type]  # that is the point
        assert "secret" not in str(raised.value)
