"""What type checkers see of QTasks; checked, never run. Wrong lines carry the expected error."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, assert_type

from qtasks import INJECTED, Depends, QueueTasks, SyncTask
from qtasks.app.handles import TaskHandle
from qtasks.app.inline import AsyncInline, Inline
from qtasks.asyncio import AsyncTask, AsyncTaskHandle
from qtasks.asyncio import QueueTasks as AsyncQueueTasks
from qtasks.configs import QueueConfig, Source
from qtasks.contexts import AsyncContext, SyncContext
from qtasks.executors import BaseTaskExecutor, SyncTaskExecutor
from qtasks.middlewares import TaskMiddleware
from qtasks.plugins import AsyncState, State, StateKey, SyncState
from qtasks.schemas import TaskCall
from qtasks.stats import AsyncStats, SyncStats

app = QueueTasks()
async_app = AsyncQueueTasks()


class Mine(TaskMiddleware):
    def __init__(self, task_executor: BaseTaskExecutor, *, limit: int = 1) -> None:
        super().__init__(task_executor)
        self.limit = limit

    async def __call__(self) -> None:
        """Does nothing."""


@app.task
def bare(path: str, width: int = 256) -> bytes:
    return path.encode() * width


@app.task(max_time=30, pool="process")
def configured(x: int) -> float:
    return x / 2


@async_app.task
async def in_async(x: int) -> list[int]:
    return [x]


@app.task
async def coroutine(x: int) -> int:
    return x


@app.task(name="other")
async def configured_coroutine(x: int) -> int:
    return x


@dataclass
class Order:
    number: int


@app.task(validate=False)
def ordered(order: Order, colors: list[str] | None = None) -> Order:
    return order


@app.task
def words(text: str) -> Iterator[str]:
    yield from text.split()


@app.task(generate_handler=abs)
def numbers(count: int) -> Generator[int, None, None]:
    yield from range(count)


@app.task(stream=False)
def total(count: int) -> Generator[int, None, float]:
    yield from range(count)
    return count / 2


@async_app.task
async def later(count: int) -> AsyncIterator[int]:
    yield count


@async_app.task(name="latest")
async def latest(count: int) -> AsyncGenerator[int]:
    yield count


class Session: ...


@app.task
def injected(x: int, session: Session = INJECTED, *, name: str = INJECTED) -> Session:
    return session


assert_type(injected.add_task(1).result(), Session)
injected.add_task()  # type: ignore[call-overload]  # x is missing


@app.events.on.task_error
def note(task_broker: object) -> int:
    return 1


@app.events.on.task_error()
async def note_async(task_broker: object) -> int:
    return 1


assert_type(note(1), int)
app.events.on.task_eror(note)  # type: ignore[attr-defined]  # no such event
with app.inline(raises=True) as inline:
    assert_type(inline, Inline)
    assert_type(inline.advance(timedelta(hours=1)), None)
assert_type(SyncStats(app).inspect().app(json=True), str)
SyncStats(async_app)  # type: ignore[arg-type]  # an app of the other colour


@app.task(echo=True)
def echo(self: SyncTask, x: int) -> str:
    assert_type(self.ctx, SyncContext)
    assert_type(self.app, QueueTasks)
    self.ctx.progress(1, 2, "half")
    self.add_task("anything", task_name="bare")
    return self.task_name * x


@async_app.task(echo=True, max_time=30)
async def async_echo(self: AsyncTask, x: int, *, y: int = 2) -> str:
    assert_type(self.ctx, AsyncContext)
    assert_type(self.app, AsyncQueueTasks)
    await self.ctx.sleep(0.1)
    await self.add_task("anything", task_name="bare")
    return self.task_name * x * y


@app.task(echo=True)
async def coroutine_echo(self: AsyncTask, x: int) -> int:
    await self.add_task(x)
    return x


assert_type(echo(1), str)
assert_type(echo.add_task(1), TaskHandle[str])
assert_type(echo.build(x=1), TaskCall)
assert_type(coroutine_echo.add_task(1).result(), int)
echo.add_task("a")  # type: ignore[call-overload]  # x is a number
app.task(team="billing", max_time=3)
app.task(middlewares_before=[Mine, partial(Mine, limit=3)], executor=SyncTaskExecutor)
app.task(middlewares_after=[Mine])(len)
async_app.add_middleware(partial(Mine, limit=3), position="after")
app.add_middleware(int)  # type: ignore[arg-type]  # it makes no middleware
app.add_middleware(Mine, "around")  # type: ignore[arg-type]  # there are two positions
app.task(max_time="soon")  # type: ignore[call-overload]  # max_time is a number
assert_type(bare("a"), bytes)
assert_type(bare.add_task("a", width=3), TaskHandle[bytes])
assert_type(bare.add_task("a", timeout=3).returning, bytes | None)
assert_type(bare.add_task("a").result(), bytes)
assert_type(bare.add_task("a").wait(1), TaskHandle[bytes])
assert_type(bare.options(delay=timedelta(hours=1)).add_task("a"), TaskHandle[bytes])
assert_type(bare.build("a"), TaskCall)
assert_type(ordered.add_task(Order(1), ["red"]).result(), Order)
assert_type(ordered.options(priority=-5).add_task(order=Order(1)).returning, Order | None)
ordered.add_task({"number": 1})  # type: ignore[call-overload]  # a checker wants the model
assert_type(words("a b"), Iterator[str])
assert_type(words.add_task("a b").result(), list[str])
assert_type(numbers.add_task(1).result(), list[int])
assert_type(total.add_task(1).result(), float)
assert_type(coroutine.add_task(1).result(), int)
assert_type(configured_coroutine.add_task(1).result(), int)
assert_type(configured.add_task(3).result(), float)
for handle in app.as_completed([configured.add_task(1)]):
    assert_type(handle.result(), float)

bare.add_task(5)  # type: ignore[call-overload]  # path is text
bare.add_task()  # type: ignore[call-overload]  # path is missing
bare.build("a", widht=3)  # type: ignore[call-arg]  # no such parameter
bare.options(delay=1).add_task(5)  # type: ignore[arg-type]  # path is text
bare("a", "b")  # type: ignore[arg-type]  # width is a number


async def use() -> None:
    assert_type(await coroutine(1), int)
    assert_type(await configured_coroutine(1), int)
    assert_type(await in_async.add_task(1), AsyncTaskHandle[list[int]])
    assert_type((await in_async.add_task(1, timeout=2)).returning, list[int] | None)
    assert_type(await (await in_async.add_task(1)).result(), list[int])
    assert_type(await in_async(1), list[int])
    assert_type(await (await later.add_task(1)).result(), list[int])
    assert_type(await (await latest.add_task(1)).result(), list[int])
    assert_type(later(1), AsyncIterator[int])
    assert_type(await note_async(1), int)
    async with async_app.inline() as inline:
        assert_type(inline, AsyncInline)
    assert_type((await AsyncStats(async_app).inspect()).task("in_async"), str)
    await in_async.add_task("a")  # type: ignore[call-overload]  # x is a number


config = QueueConfig(lease=30, queues=("a", "b"), max_threads=None, uvloop=False)
QueueConfig(leese=30)  # type: ignore[call-arg]  # no such setting
QueueConfig(lease="soon")  # type: ignore[arg-type]  # seconds are a number
assert_type(config.lease, float)
assert_type(config.prefetch, int | None)
assert_type(config.prefetched, int)
config.max_tasks_process = 5
config.max_tasks_process = "5"  # type: ignore[assignment]  # a number
config.leese = 5  # type: ignore[attr-defined]  # no such setting
assert_type(config.source("lease"), Source)


def changed(config: QueueConfig, key: str, value: object) -> None:
    assert_type(key, str)


assert_type(config.subscribe(changed), Callable[[], None])
config.subscribe(len)  # type: ignore[arg-type]  # it takes three arguments


def parameters(task: SyncTask[[str], int], other: AsyncTask[[str], int]) -> None:
    assert_type(task.add_task("a").result(), int)
    assert_type(other.build("a"), TaskCall)


def made() -> str:
    return "db"


async def awaited() -> str:
    return "db"


def yielded() -> Iterator[str]:
    yield "db"


async def yielded_later() -> AsyncIterator[str]:
    yield "db"


class Database:
    """A class as a dependency."""


class Form(AsyncState, ttl=60):
    step: int = 0


assert_type(Depends(made), str)
assert_type(Depends(awaited), str)
assert_type(Depends(yielded, scope="worker"), str)
assert_type(Depends(yielded_later), str)
assert_type(Depends(contextmanager(yielded)), str)
assert_type(Depends(asynccontextmanager(yielded_later)), str)
assert_type(Depends(Database), Database)
Depends(made, scoep="worker")  # type: ignore[call-overload]  # no such option


@app.task
async def depends(
    x: int,
    state: Annotated[Form, StateKey("x")],
    *,
    db: str = Depends(made),
    same: Annotated[str, Depends(awaited)] = INJECTED,
) -> int:
    assert_type(await state.update(step=1), dict[str, Any])
    return x


def states(blocking: SyncState, either: State) -> None:
    assert_type(blocking.get_all(), dict[str, Any])
    blocking.set("a", 1)
    either.set("a", 1)
