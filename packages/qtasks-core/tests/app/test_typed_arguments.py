"""Calls are checked against the annotations, and values come back as annotated."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import functools
import importlib
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec
from uuid import UUID

import msgspec
import pydantic
import pytest

from qtasks import INJECTED, QueueTasks, Router
from qtasks.exc import EncodeError, TaskArgumentsError, TaskFailedError
from qtasks.plugins import Plugin, hookimpl

if TYPE_CHECKING:
    from conftest import Harness

P = ParamSpec("P")
ID = UUID(int=7)


class Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Line:
    item: str
    count: int = 1


@dataclasses.dataclass
class Order:
    id: UUID
    lines: list[Line]
    due: date | None = None


class User(pydantic.BaseModel):
    name: str
    age: int = 3
    seen: datetime | None = None


ORDER = Order(ID, [Line("tea"), Line("cup", 2)], date(2026, 3, 1))


@pytest.fixture
def url() -> str:
    """A queue in memory: what travels is encoded there as elsewhere."""
    return "memory://"


# Parameters of every kind


def test_parameters_of_every_kind_are_checked(harness: Harness) -> None:
    @harness.app.task
    def everything(
        a: int, /, b: Order, *rest: Color, c: User | None = None, **others: UUID
    ) -> list[Any]:
        kinds = [type(each).__name__ for each in (a, b, *rest, c, *others.values())]
        return [*kinds, *others]

    handle = harness.do(
        everything.add_task(1, ORDER, Color.RED, Color.RED, c=User(name="a"), d=ID, a=ID)
    )
    harness.work()

    kinds = ["int", "Order", "Color", "Color", "User", "UUID", "UUID", "d", "a"]
    assert harness.do(handle.result(timeout=10)) == kinds
    for arguments, keywords, words in [
        ((1, ORDER, "blue"), {}, "each of *rest must be Color"),
        ((1, ORDER), {"c": 3}, "c must be User | None"),
        ((1, ORDER), {"d": 3}, "d must be UUID, not int"),
    ]:
        with pytest.raises(TaskArgumentsError) as raised:
            harness.do(everything.add_task(*arguments, **keywords))
        assert words in str(raised.value)


def test_one_bad_call_keeps_all_from_being_queued(harness: Harness) -> None:
    @harness.app.task
    def count(x: int) -> None: ...

    good = count.build(1)
    bad = msgspec.structs.replace(good, args=("1",))

    with pytest.raises(TaskArgumentsError, match="x must be int, not str"):
        harness.do(harness.app.add_tasks([good, bad]))
    assert harness.do(harness.app.stats("default"))[0].ready == 0


def test_what_a_worker_gets_is_checked_again(harness: Harness) -> None:
    producer = type(harness.app)(broker=harness.app.broker)
    handle = harness.do(producer.add_task("count", "1"))

    @harness.app.task
    def count(x: int) -> None: ...

    harness.work()
    with pytest.raises(TaskFailedError, match="x must be int, not str"):
        harness.do(handle.result(timeout=10))


def test_a_worker_makes_models_for_who_does_not_know_the_task(harness: Harness) -> None:
    producer = type(harness.app)(broker=harness.app.broker)
    handle = harness.do(producer.add_task("greet", {"name": "Ann"}, count=2))

    @harness.app.task
    def greet(user: User, count: int) -> User:
        return User(name=user.name * count)

    harness.work()
    assert harness.do(handle.result(timeout=10)) == {"name": "AnnAnn", "age": 3, "seen": None}
    mine = harness.do(harness.app.get(handle.id))
    assert mine.returning == User(name="AnnAnn")


def test_echo_and_injected_parameters_are_left_alone(harness: Harness) -> None:
    class Injector(Plugin):
        def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
            return {"kw": {**kwargs["kw"], "session": 5}}

    harness.app.add_plugin(Injector(), trigger_names="task_executor_args_replace")

    @harness.app.task(echo=True)
    def look(self: Any, order: Order, session: Order = INJECTED) -> list[Any]:
        return [self.task_name, order.id, session]

    handle = harness.do(look.add_task(ORDER))
    harness.work()
    assert harness.do(handle.result(timeout=10)) == ["look", ID, 5]


def test_without_validation_models_still_come_back(harness: Harness) -> None:
    @harness.app.task(validate=False)
    def loose(x: int, order: Order) -> list[str]:
        return [type(x).__name__, type(order).__name__]

    handle = harness.do(loose.add_task("1", ORDER))
    unfit = harness.do(loose.add_task("1", {"id": 3}))
    harness.work()

    assert harness.do(handle.result(timeout=10)) == ["str", "Order"]
    with pytest.raises(TaskFailedError, match="order must be Order, but the dict is not"):
        harness.do(unfit.result(timeout=10))


def test_validate_is_yes_or_no() -> None:
    app = QueueTasks(broker_url="memory://")
    with pytest.raises(ValueError, match="validate='no'; use True or False"):
        app.task(validate="no")(print)  # type: ignore[call-overload]  # the mistake


# Annotations that say nothing


def test_annotations_that_cannot_be_used_are_left_alone() -> None:
    app = QueueTasks(broker_url="memory://")

    def strange(a: Any, b: Any, c: Any, d: Any, e: int = 0) -> Any:
        return [a, b, c, d, e]

    strange.__annotations__ |= {"a": "Ticket", "b": Callable[[], int], "c": "what is", "d": 5}
    strange.__annotations__["return"] = "Ticket"
    task = app.task(strange)

    with app.inline(raises=True):
        assert task.add_task(1, 2, 3, 4, 5).returning == [1, 2, 3, 4, 5]
        with pytest.raises(TaskArgumentsError, match="e must be int"):
            task.add_task(1, 2, 3, 4, "5")
    types = task.definition.types
    assert types is not None
    assert set(types.unresolved) == {"a", "c"}
    assert "Ticket" in types.unresolved["a"]
    assert set(types.unchecked) == {"b", "d"}


def test_none_is_taken_where_it_is_the_default() -> None:
    app = QueueTasks(broker_url="memory://")

    @app.task
    def sloppy(x: int = None, order: Order = None) -> list[Any]:  # type: ignore[assignment]  # noqa: RUF013 - that is the point
        return [x, order]

    with app.inline(raises=True):
        assert sloppy.add_task(None, order=None).returning == [None, None]  # type: ignore[call-overload]  # as above
        with pytest.raises(TaskArgumentsError, match="x must be int, not str"):
            sloppy.add_task("1")  # type: ignore[call-overload]  # as above


def test_a_task_without_annotations_has_no_steps() -> None:
    app = QueueTasks(broker_url="memory://")

    @app.task
    def free(a: Any, *rest: object, b: Any = 1, **others: Any) -> Any:
        return [a, b, rest, others]

    @app.task
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None: ...

    with app.inline(raises=True):
        for task in free, wrapped:
            task.add_task(1)
            types = task.definition.types
            steps = (types.assemble, types.admit, types.load, types.returned, types.yielded)
            assert {*steps, types.result, types.value} == {None}


def test_names_are_found_where_the_function_sees_them() -> None:
    app = QueueTasks(broker_url="memory://")

    @app.task
    def early(late: Late, local: Local) -> list[str]:
        assert Local
        return [type(late).__name__, type(local).__name__]

    @dataclasses.dataclass
    class Local:
        x: int

    with app.inline(raises=True):
        assert early.add_task(Late(1), Local(2)).returning == ["Late", "Local"]


class Late(msgspec.Struct):
    x: int


def test_objects_and_partials_are_tasks_too() -> None:
    class Called:
        def __call__(self, order: Order) -> str:
            return type(order).__name__

    def two(x: int, order: Order) -> str:
        return type(order).__name__ * x

    app = QueueTasks(broker_url="memory://")
    first = app.task(name="first")(Called())
    second = app.task(name="second")(functools.partial(two, 2))
    with app.inline(raises=True):
        assert first.add_task(ORDER).returning == "Order"
        assert second.add_task(ORDER).returning == "OrderOrder"


# Results and streams


def test_results_of_generators_and_their_values_come_back(harness: Harness) -> None:
    @harness.app.task
    def orders(count: int) -> Iterator[Order]:
        for _ in range(count):
            yield ORDER

    @harness.app.task
    async def later(count: int) -> AsyncIterator[Color]:
        for _ in range(count):
            yield Color.RED

    first, second = harness.do(orders.add_task(2)), harness.do(later.add_task(1))
    harness.work()

    assert harness.do(first.result(timeout=10)) == [ORDER, ORDER]
    assert harness.collect(first.stream(timeout=10)) == [ORDER, ORDER]
    assert harness.do(second.result(timeout=10)) == [Color.RED]
    assert harness.collect(second.stream(timeout=10)) == [Color.RED]


def test_what_takes_the_place_of_a_result_stays_what_it_is(harness: Harness) -> None:
    @harness.app.task(decode=lambda order: {"id": str(order.id), "lines": []})
    def decoded() -> Order:
        return ORDER

    @harness.app.task(generate_handler=lambda color: color.value)
    def handled() -> Iterator[Color]:
        yield Color.RED

    first, second = harness.do(decoded.add_task()), harness.do(handled.add_task())
    harness.work()

    assert harness.do(first.result(timeout=10)) == {"id": str(ID), "lines": []}
    assert harness.do(second.result(timeout=10)) == ["red"]


def test_a_result_that_is_not_what_it_says_stays_plain(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    @harness.app.task
    def wrong() -> Order:
        return 3  # type: ignore[return-value]  # that is the point

    handle = harness.do(wrong.add_task())
    harness.work()

    assert harness.do(handle.result(timeout=10)) == 3
    assert "What wrong returned is not what it is annotated with" in caplog.text


def test_a_result_whose_validator_fails_stays_plain(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    class Fragile(pydantic.BaseModel):
        key: str

        @pydantic.field_validator("key")
        @classmethod
        def look_up(cls, key: str) -> str:
            return {"a": "b"}[key]

    def wrong() -> Any:
        return {"key": "c"}

    wrong.__annotations__["return"] = Fragile
    handle = harness.do(harness.app.task(wrong).add_task())
    harness.work()

    assert harness.do(handle.result(timeout=10)) == {"key": "c"}
    assert "What wrong returned is not what it is annotated with" in caplog.text
    ((found,), _) = harness.do(harness.app.list_tasks())
    assert found.returning == {"key": "c"}


def test_tasks_of_routers_are_checked_too(harness: Harness) -> None:
    router = Router(method=harness.colour)

    @router.task
    def place(order: Order) -> Order:
        return order

    harness.app.include_router(router)
    handle = harness.do(place.add_task(ORDER))
    harness.work()

    assert harness.do(handle.result(timeout=10)) == ORDER
    with pytest.raises(TaskArgumentsError, match="order must be Order"):
        harness.do(place.add_task(3))


# Another process


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes the functions importable, here and in pool processes."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    yield importlib.import_module("typed_tasks")
    sys.modules.pop("typed_tasks")


def test_models_cross_to_pool_processes(harness: Harness, importable: Any) -> None:
    seen: list[Any] = []

    def look(value: Any) -> Any:
        seen.append(value)
        return value

    move = harness.app.task(pool="process", decode=look)(importable.move)
    walk = harness.app.task(pool="process", generate_handler=look)(importable.walk)
    plain = harness.app.task(pool="process")(importable.plain)
    moved = harness.do(move.add_task(importable.Point(1, 2), importable.User(name="Ann")))
    walked = harness.do(walk.add_task([importable.Point(1, 2)]))
    number = harness.do(plain.add_task(3))

    harness.work()

    assert harness.do(moved.result(timeout=30)) == {"x": 4, "y": 2}
    assert harness.do(walked.result(timeout=30)) == [{"x": 2, "y": 2}]
    assert harness.do(number.result(timeout=30)) == 3
    assert sorted(seen, key=lambda point: point.x) == [
        importable.Point(2, 2),
        importable.Point(4, 2),
    ]


# Types that only plugins know


class Money:
    """An amount that knows nothing of any library."""

    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and other.cents == self.cents

    def __hash__(self) -> int:
        return hash(self.cents)


class Wallet(dict[str, int]):
    """A dict with a name."""


class Wallets(Plugin):
    """Knows wallets."""

    @hookimpl
    def qtasks_value_converter(self, annotation: Any) -> Callable[[Any], Any] | None:
        return _wallet if annotation is Wallet else None


def _wallet(value: Any) -> Wallet:
    if not isinstance(value, dict):
        msg = "a wallet is made of coins"
        raise TypeError(msg)
    return Wallet(value)


def test_a_plugin_can_know_a_type(harness: Harness) -> None:
    harness.app.add_plugin(Wallets())

    @harness.app.task
    def spend(wallet: Wallet, others: list[Wallet]) -> Wallet:
        assert [type(each) for each in others] == [Wallet]
        return wallet

    handle = harness.do(spend.add_task(Wallet(a=1), [Wallet(b=2)]))
    harness.work()

    found = harness.do(handle.result(timeout=10))
    assert type(found) is Wallet
    assert found == {"a": 1}
    with pytest.raises(TaskArgumentsError, match="but the int is not: a wallet is made of coins"):
        harness.do(spend.add_task(3, []))


def test_nobody_knows_a_type(harness: Harness) -> None:
    @harness.app.task
    def pay(money: Money) -> None: ...

    with pytest.raises(EncodeError, match="Money"):
        harness.do(pay.add_task(Money(1)))
    types = harness.app.tasks["pay"].types
    assert types.unchecked == {"money": "Money is not known to be data"}


def test_threads_may_look_at_the_annotations_together() -> None:
    app = QueueTasks(broker_url="memory://")

    @app.task
    def task(orders: list[Order]) -> None: ...

    async def many() -> None:
        calls = [asyncio.to_thread(task.add_task, [ORDER]) for _ in range(8)]
        for handle in await asyncio.gather(*calls):
            assert handle.status == "new"

    asyncio.run(many())
