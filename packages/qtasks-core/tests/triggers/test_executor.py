"""The triggers of a run, for every kind of function and every place where it may run."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any

import pytest

from qtasks._worker.firing.arguments import ArgsInfo
from qtasks.executors import AsyncTaskExecutor, SyncTaskExecutor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Answering, Stage

pytestmark = pytest.mark.parametrize("url", ["memory"], indirect=True)

ORDER = [
    "task_executor_args_replace",
    "task_executor_execute",
    "task_executor_before_execute",
    "task_executor_run_task",
    "task_executor_after_execute",
    "task_executor_after_execute_result_replace",
    "task_executor_decode",
    "task_executor_task_close",
]
EVERY = [*ORDER, "task_executor_run_task_gen", "task_executor_middlewares_execute"]


def plain(x: int) -> int:
    return x


async def coroutine(x: int) -> int:
    return x


def generator(x: int) -> Iterator[int]:
    yield x


@pytest.mark.parametrize("function", [plain, coroutine])
@pytest.mark.parametrize("options", [{}, {"decode": lambda value: value}])
def test_they_fire_in_order(
    answering: type[Answering], stage: Stage, function: Any, options: dict[str, Any]
) -> None:
    plugin = answering()
    stage.app.add_plugin(plugin, EVERY)

    assert stage.run(stage.app.task(name="x", **options)(function), 1).returning == 1

    assert plugin.names() == ORDER


@pytest.mark.parametrize("pool", ["thread", "loop"])
def test_they_fire_wherever_the_function_runs(
    answering: type[Answering], stage: Stage, pool: str
) -> None:
    plugin = answering()
    stage.app.add_plugin(plugin, EVERY)

    assert stage.run(stage.app.task(pool=pool)(plain), 1).returning == 1

    assert plugin.names() == ORDER


def test_a_generator_has_one_of_its_own(answering: type[Answering], stage: Stage) -> None:
    plugin = answering()
    stage.app.add_plugin(plugin, EVERY)

    assert stage.run(stage.app.task(generator), 1).returning == [1]

    own = [
        "task_executor_run_task_gen" if name == "task_executor_run_task" else name for name in ORDER
    ]
    assert plugin.names() == own


def test_the_steps_of_an_executor_come_before_their_triggers(
    answering: type[Answering], stage: Stage
) -> None:
    steps: list[str] = []

    class Sync(SyncTaskExecutor):
        def before_execute(self) -> None:
            steps.append("before")

        def run_task(self) -> Any:
            steps.append("run")
            return super().run_task()

        def after_execute(self) -> None:
            steps.append("after")

        def decode(self) -> Any:
            steps.append("decode")
            return super().decode()

    class Async(AsyncTaskExecutor):
        async def before_execute(self) -> None:
            steps.append("before")

        async def run_task(self) -> Any:
            steps.append("run")
            return await super().run_task()

        async def after_execute(self) -> None:
            steps.append("after")

        async def decode(self) -> Any:
            steps.append("decode")
            return await super().decode()

    answers = {name: lambda name=name, **_: steps.append(name) for name in ORDER}
    stage.app.add_plugin(answering(**answers), ORDER)
    for function, executor in ((plain, Sync), (coroutine, Async)):
        steps.clear()
        assert stage.run(stage.app.task(executor=executor)(function), 1).returning == 1
        told = [name.removeprefix("task_executor_") for name in steps]
        assert told == [
            "args_replace",
            "execute",
            "before",
            "before_execute",
            "run",
            "run_task",
            "after",
            "after_execute",
            "after_execute_result_replace",
            "decode",
            "decode",
            "task_close",
        ]


def test_arguments_and_result_can_be_changed_in_place(
    answering: type[Answering], stage: Stage
) -> None:
    def arguments(task_executor: Any) -> None:
        task_executor.args = (20,)

    def result(task_executor: Any) -> None:
        task_executor.result += 1

    plugin = answering(task_executor_before_execute=arguments, task_executor_after_execute=result)
    stage.app.add_plugin(plugin, plugin.answers)

    assert stage.run(stage.app.task(plain), 1).returning == 21
    assert stage.run(stage.app.task(coroutine), 1).returning == 21


@pytest.mark.parametrize("how", ["raises", "overruns", "is cancelled", "is not served"])
def test_every_run_is_closed(
    answering: type[Answering], stage: Stage, how: str, colour: str
) -> None:
    plugin = answering()
    stage.app.add_plugin(plugin, ["task_executor_task_close"])

    @stage.app.task(echo=True, max_time=0.01 if how == "overruns" else None)
    async def end(self: Any) -> None:
        if how == "raises":
            raise ValueError
        if how == "is cancelled":
            self.ctx.cancel("enough")
        if how == "is not served":
            self.ctx.plugin_error("nobody")
        await self.ctx.sleep(60)

    handle = stage.run(end)

    assert handle.status == ("cancel" if how == "is cancelled" else "error")
    [told] = plugin.of("task_executor_task_close")
    assert (told["task_broker"].id, told["task_func"].name) == (handle.id, "end")
    assert told["task_executor"].task_func is told["task_func"]


def test_stages_without_middlewares_are_not_told(
    answering: type[Answering], stage: Stage, scenes: dict[str, Callable[[Stage], Any]]
) -> None:
    plugin = answering()
    stage.app.add_plugin(plugin, ["task_executor_middlewares_execute"])
    assert stage.run().returning == "x"
    assert plugin.calls == []

    scenes["task_executor_middlewares_execute"](stage)

    stages = [
        (told["middlewares_before"], told["middlewares_after"])
        for told in plugin.of("task_executor_middlewares_execute")
    ]
    assert [(a is None, b is None) for a, b in stages] == [(False, True), (True, False)]
    assert all(len(a or b) == 1 for a, b in stages)


# What is known of arguments


def filled(x: int, *more: list[str], y: Annotated[dict[str, int], "a note"], **rest: bytes) -> None:
    """Takes arguments of every kind."""


def test_arguments_are_told_with_their_values_and_types(
    answering: type[Answering], stage: Stage
) -> None:
    plugin = answering()
    stage.app.add_plugin(plugin, ["task_executor_args_replace"])

    stage.do(stage.app.task(filled).add_task(1, ["a"], ["b"], y={}, z=b"z"))
    stage.harness.work()

    [told] = plugin.of("task_executor_args_replace")
    infos = told["args_info"]
    assert [(i.name, i.value, i.index, i.key, i.is_kwarg) for i in infos] == [
        ("x", 1, 0, None, False),
        ("more", ["a"], 1, None, False),
        ("more", ["b"], 2, None, False),
        ("y", {}, None, "y", True),
        ("z", b"z", None, "z", True),
    ]
    assert [(i.raw_type, i.origin) for i in infos] == [
        (int, None),
        (list[str], list),
        (list[str], list),
        (dict[str, int], dict),
        (bytes, None),
    ]
    assert infos[3].annotation == Annotated[dict[str, int], "a note"]
    assert (len(infos), infos[-1], infos[:1]) == (5, infos[4], (infos[0],))
    assert "name='x'" in repr(infos)


def test_arguments_that_are_not_given_are_told_with_their_defaults(stage: Stage) -> None:
    def function(x: NoSuchName, y: int = 5, z=None) -> None:  # type: ignore[no-untyped-def,name-defined]  # noqa: ANN001, F821 - both are the point
        """Has a name that cannot be resolved, a default, and no annotation."""

    task = stage.app.task(function).definition

    x, y, z = ArgsInfo(task, (), {"y": 6})
    assert (x.value, x.given, x.annotation) == (inspect.Parameter.empty, False, "NoSuchName")
    assert (y.value, y.given, y.raw_type) == (6, True, "int")
    assert (z.value, z.given, z.annotation, z.is_kwarg) == (None, False, None, True)
