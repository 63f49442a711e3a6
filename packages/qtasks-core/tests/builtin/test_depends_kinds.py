"""Everything that makes a value, for tasks of both colours in apps of both colours."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Self

import pytest

from qtasks.plugins import Depends

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Generator, Iterator

    from conftest import Harness

told: list[str] = []


@pytest.fixture(autouse=True)
def _quiet() -> None:
    told.clear()


def function() -> str:
    told.append("open")
    return "value"


async def coroutine() -> str:
    told.append("open")
    return "value"


def generator() -> Iterator[str]:
    told.append("open")
    yield "value"
    told.append("close")


async def async_generator() -> AsyncIterator[str]:
    told.append("open")
    yield "value"
    told.append("close")


manager = contextmanager(generator)
async_manager = asynccontextmanager(async_generator)


class Manager:
    def __enter__(self) -> str:
        told.append("open")
        return "value"

    def __exit__(self, *_: object) -> None:
        told.append("close")


class AsyncManager:
    async def __aenter__(self) -> str:
        told.append("open")
        return "value"

    async def __aexit__(self, *_: object) -> None:
        told.append("close")


class Value(str):
    __slots__ = ()

    def __new__(cls) -> Self:
        told.append("open")
        return super().__new__(cls, "value")


class Factory:
    def __call__(self) -> Iterator[str]:
        return generator()


class AsyncCallable:
    async def __call__(self) -> str:
        return await coroutine()


def returns_manager() -> Manager:
    return Manager()


def returns_coroutine() -> Coroutine[Any, Any, str]:
    return coroutine()


async def coroutine_of_manager() -> Manager:
    return Manager()


def parametrised(word: str) -> str:
    told.append("open")
    return word


KINDS = {
    "function": (function, False),
    "coroutine": (coroutine, False),
    "generator": (generator, True),
    "async generator": (async_generator, True),
    "context manager": (manager, True),
    "async context manager": (async_manager, True),
    "class": (Value, False),
    "class that is a context manager": (Manager, True),
    "class that is an async context manager": (AsyncManager, True),
    "object": (Factory(), True),
    "async object": (AsyncCallable(), False),
    "function that returns a context manager": (returns_manager, True),
    "coroutine that returns a context manager": (coroutine_of_manager, True),
    "function that returns a coroutine": (returns_coroutine, False),
    "partial": (partial(parametrised, "value"), False),
    "bound method": (Factory().__call__, True),
}


@pytest.mark.parametrize("url", ["memory"], indirect=True)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["coroutine", "thread", "loop", "generator"])
def test_a_value_is_made_and_put_away(harness: Harness, kind: str, place: str) -> None:
    dependency, closes = KINDS[kind]

    if place == "coroutine":

        @harness.app.task(name="it")
        async def coroutine_task(x: int, value: Depends(dependency)) -> str:
            told.append(f"run {x}")
            return value

    elif place == "generator":
        it: Any = Depends(dependency)

        @harness.app.task(name="it")
        def generator_task(x: int, value: Any = it) -> Iterator[str]:
            told.append(f"run {x}")
            yield value

    else:

        @harness.app.task(name="it", pool=place)
        def plain_task(value: Annotated[str, "a", Depends(dependency), "b"], x: int) -> str:
            told.append(f"run {x}")
            return value

    handle = harness.do(harness.app.add_task("it", 1))
    harness.work()

    result = harness.do(handle.result(timeout=10))
    assert result == (["value"] if place == "generator" else "value")
    assert told == ["open", "run 1", "close"][: 2 + closes]


def no_yield() -> Iterator[None]:
    yield from ()


async def no_async_yield() -> AsyncIterator[None]:
    for each in ():
        yield each


def fails() -> Iterator[None]:
    raise RuntimeError("of its own")  # noqa: EM101, TRY003 - as users write it
    yield


@pytest.mark.parametrize("url", ["memory"], indirect=True)
@pytest.mark.parametrize("scope", ["task", "worker"])
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (no_yield, "no_yield ended without a yield, which is to give its value"),
        (no_async_yield, "no_async_yield ended without a yield, which is to give its value"),
        (fails, "of its own"),
    ],
)
def test_a_generator_that_yields_nothing_is_named(
    harness: Harness, run: Any, kind: Any, scope: str, message: str
) -> None:
    @harness.app.task
    async def work(value: Annotated[None, Depends(kind, scope)]) -> None: ...

    error = run(work).error
    assert (error.type, error.message) == ("builtins.RuntimeError", message)


class Client:
    """Can be awaited and entered, as many clients of servers and pools of connections."""

    def __await__(self) -> Generator[None, None, Self]:
        told.append("await")
        return self
        yield

    async def __aenter__(self) -> Self:
        told.append("open")
        return self

    async def __aexit__(self, *_: object) -> None:
        told.append("close")


class Ready:
    """Can be awaited, and gives itself."""

    def __await__(self) -> Generator[None, None, Self]:
        told.append("await")
        return self
        yield


@pytest.mark.parametrize("url", ["memory"], indirect=True)
@pytest.mark.parametrize("awaits", [True, False])
@pytest.mark.parametrize(
    ("kind", "enter", "said"),
    [
        (Client, True, ["open", "close"]),
        (Client, False, []),
        (Ready, True, ["await"]),
        (Ready, False, ["await"]),
    ],
)
def test_what_gives_itself_is_awaited_once_at_most(  # noqa: PLR0917 - fixtures
    harness: Harness, run: Any, awaits: bool, kind: Any, enter: bool, said: list[str]
) -> None:
    async def get_async() -> Any:
        return kind()

    @harness.app.task
    async def work(
        client: Annotated[Any, Depends(get_async if awaits else kind, enter=enter)],
    ) -> str:
        return type(client).__name__

    assert run(work).returning == kind.__name__
    assert told == said
