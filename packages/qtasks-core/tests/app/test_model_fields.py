"""Models of pydantic may be given whole, or by their fields."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated, Any

import pydantic
import pytest

from qtasks import QueueTasks
from qtasks.exc import TaskArgumentsError, TaskFailedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Harness


class Color(enum.Enum):
    RED = "red"


class User(pydantic.BaseModel):
    name: str
    age: int = 3


class Town(pydantic.BaseModel):
    zip_code: str = pydantic.Field(alias="zipCode")
    people: int = 0


class Defaults(pydantic.BaseModel):
    loud: bool = False
    color: Color = Color.RED


ANN = User(name="Ann", age=9)


@pytest.fixture
def url() -> str:
    """A queue in memory: what travels is encoded there as elsewhere."""
    return "memory://"


@pytest.fixture
def got() -> list[Any]:
    """What tasks got."""
    return []


@pytest.fixture
def call(got: list[Any]) -> Callable[..., Any]:
    """Runs a task in the way of a worker, and returns what it got."""
    app = QueueTasks(broker_url="memory://")

    def run(function: Any, *args: Any, **kwargs: Any) -> Any:
        task = app.tasks.get(function.__name__) or app.task(function).definition
        with app.inline(raises=True):
            app.add_task(task.name, *args, **kwargs)
        return got.pop()

    return run


@pytest.fixture
def tasks(got: list[Any]) -> Any:
    """Functions that say what they got."""

    class Tasks:
        @staticmethod
        def one(user: User) -> None:
            got.append(user)

        @staticmethod
        def maybe(user: User | None = None, *, note: str = "") -> None:
            got.append((user, note))

        @staticmethod
        def noted(user: Annotated[User, "who"], note: str) -> None:
            got.append((user, note))

        @staticmethod
        def two(user: User, town: Town, count: int = 1) -> None:
            got.append((user, town, count))

        @staticmethod
        def both(user: User, owner: User) -> None:
            got.append((user, owner))

        @staticmethod
        def optional(x: int, defaults: Defaults) -> None:
            got.append((x, defaults))

        @staticmethod
        def places(user: User, /, *rest: int) -> None:
            got.append((user, rest))

        @staticmethod
        def anything(user: User, **others: Any) -> None:
            got.append((user, others))

        @staticmethod
        def many(users: list[User]) -> None:
            got.append(users)

    return Tasks


def test_a_whole_model_wins(call: Any, tasks: Any) -> None:
    assert call(tasks.one, ANN) == ANN
    assert call(tasks.one, user=ANN) == ANN
    assert call(tasks.one, {"name": "Ann", "age": 9}) == ANN
    assert call(tasks.maybe, None) == (None, "")
    assert call(tasks.many, [ANN, {"name": "Bob"}]) == [ANN, User(name="Bob")]


def test_fields_are_given_by_keyword(call: Any, tasks: Any) -> None:
    assert call(tasks.one, name="Ann", age=9) == ANN
    assert call(tasks.maybe, name="Ann", note="x") == (User(name="Ann"), "x")
    assert call(tasks.maybe, note="x") == (None, "x")
    assert call(tasks.noted, name="Ann", note="x") == (User(name="Ann"), "x")


def test_fields_are_given_by_place(call: Any, tasks: Any) -> None:
    assert call(tasks.one, "Ann", 9) == ANN
    assert call(tasks.one, "Ann") == User(name="Ann")
    assert call(tasks.one, 9, name="Ann") == ANN
    assert call(tasks.noted, "Ann", 9, "x") == (ANN, "x")
    assert call(tasks.maybe, "Ann", note="x") == (User(name="Ann"), "x")
    assert call(tasks.places, "Ann", 9, 1, 2) == (ANN, (1, 2))


def test_several_models_take_their_own_fields(call: Any, tasks: Any) -> None:
    town = Town(zipCode="1")
    assert call(tasks.two, name="Ann", zipCode="1") == (User(name="Ann"), town, 1)
    assert call(tasks.two, name="Ann", zip_code="1", people=2, count=3) == (
        User(name="Ann"),
        Town(zipCode="1", people=2),
        3,
    )
    assert call(tasks.two, ANN, zipCode="1") == (ANN, town, 1)
    assert call(tasks.two, ANN, "1", 2, 3) == (ANN, Town(zipCode="1", people=2), 3)
    assert call(tasks.two, "Ann", 9, town, 3) == (ANN, town, 3)
    assert call(tasks.both, ANN, name="Bob") == (ANN, User(name="Bob"))


def test_a_model_whose_fields_all_have_defaults_is_given_like_any_other(
    call: Any, tasks: Any
) -> None:
    assert call(tasks.optional, 1, True) == (1, Defaults(loud=True))
    assert call(tasks.optional, 1, color=Color.RED) == (1, Defaults())
    assert call(tasks.optional, 1, Defaults(loud=True)) == (1, Defaults(loud=True))


def test_keywords_that_the_task_takes_itself_are_no_fields(call: Any, tasks: Any) -> None:
    assert call(tasks.anything, "Ann", age=4) == (User(name="Ann"), {"age": 4})


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "words"),
    [
        ("both", (), {"name": "Ann"}, r"name is a field of user and of owner.*user=User\(name"),
        ("one", (), {}, "missing a required argument: 'user'"),
        ("one", (), {"age": 3}, "user must be User, but the dict is not: name: Field required"),
        ("one", (), {"names": "Ann"}, "'user'"),
        ("one", ("Ann",), {"names": "Ann"}, "unexpected keyword argument 'names'"),
        ("one", ("Ann", 9, 1), {}, "too many positional"),
        ("one", (3,), {}, "name: Input should be a valid string"),
        ("one", (ANN,), {"user": ANN}, "multiple values"),
        ("one", (ANN,), {"name": "Bob"}, "unexpected keyword argument 'name'"),
        ("two", ("Ann", 9), {}, "missing a required argument: 'town'"),
        ("many", ("Ann",), {}, r"users must be list\[User\]"),
    ],
)
def test_what_does_not_fit_is_refused(
    tasks: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], words: str
) -> None:
    app = QueueTasks(broker_url="memory://")
    task = app.task(getattr(tasks, name))

    with pytest.raises(TaskArgumentsError, match=words):
        task.add_task(*args, **kwargs)
    assert app.stats("default")[0].ready == 0


def test_the_worker_puts_fields_together_too(harness: Harness) -> None:
    producer = type(harness.app)(broker=harness.app.broker)
    handle = harness.do(producer.add_task("greet", "Ann", age=9))
    unfit = harness.do(producer.add_task("greet", age="x"))

    @harness.app.task
    def greet(user: User) -> User:
        return user

    harness.work()
    assert harness.do(harness.app.get(handle.id)).returning == ANN
    with pytest.raises(TaskFailedError, match="name: Field required"):
        harness.do(unfit.result(timeout=10))


def test_the_message_has_the_whole_model(harness: Harness) -> None:
    @harness.app.task
    def greet(user: User) -> None: ...

    call = greet.build("Ann", age=9)

    assert call.args == ({"age": 9, "name": "Ann"},)
    handle = harness.do(greet.add_task("Ann", age=9))
    assert handle.args == ({"age": 9, "name": "Ann"},)
