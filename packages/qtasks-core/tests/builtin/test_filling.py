"""Plugins of third parties fill in parameters by the same means as the built-in ones."""

from __future__ import annotations

import logging
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.exc import RegistrationError
from qtasks.plugins import Plugin, UnresolvedAnnotation, on, parameters_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from conftest import Harness

pytestmark = pytest.mark.parametrize("url", ["memory"], indirect=True)


class Filler(Plugin):
    """Fills in some parameters."""

    def __init__(
        self, name: str, values: dict[str, Any], fills: Iterable[str] | None = None
    ) -> None:
        super().__init__(name)
        self.values = values
        self.named = values.keys() if fills is None else fills
        self.closed: list[BaseException | None] = []

    def fills(self, task: Any) -> Iterable[str]:
        return [name for name in self.named if name != "db" or "db" in task.signature.parameters]

    @on("task_executor_fill")
    async def fill(self) -> Any:
        return self.values

    @on("task_executor_task_close")
    def close(self, e: BaseException | None) -> None:
        self.closed.append(e)


def test_values_reach_the_function(harness: Harness, run: Any) -> None:
    plugin = Filler("filler", {"db": "db"})
    harness.app.add_plugin(plugin)

    @harness.app.task
    def use(db: str, x: int) -> list[Any]:
        return [db, x]

    @harness.app.task
    def other(x: int) -> int:
        return x

    assert run(use, 1).returning == ["db", 1]
    assert run(other, 1).returning == 1
    assert plugin.closed == [None, None]


def test_what_it_promised_must_come(harness: Harness, run: Any) -> None:
    harness.app.add_plugin(Filler("filler", {}, ["db"]))

    @harness.app.task
    def use(db: str) -> None: ...

    assert run(use).error.message == "use: the plugin 'filler' did not fill in db"


def test_a_nonsensical_answer_is_the_plugins_error(
    harness: Harness, run: Any, caplog: pytest.LogCaptureFixture
) -> None:
    plugin = Filler("filler", 5, ["db"])  # type: ignore[arg-type]  # it is what is tested
    harness.app.add_plugin(plugin)

    @harness.app.task
    def use(db: str) -> None: ...

    assert "did not fill in db" in run(use).error.message
    assert harness.app.plugin_errors[("filler", "task_executor_fill")] == 1
    assert "values are a mapping" in caplog.text


def test_who_fills_in_nothing_harms_nobody(harness: Harness, run: Any) -> None:
    class Broken(Plugin):
        @on("task_executor_fill")
        def fill(self) -> None:
            raise OSError

    harness.app.add_plugin(Broken("broken"))
    harness.app.add_plugin(Filler("filler", {"db": "db", "stray": 1}, ["db"]))

    @harness.app.task
    def use(db: str) -> str:
        return db

    assert run(use).returning == "db"


def test_what_cannot_be_filled_in_is_refused(harness: Harness) -> None:
    def use(db: str, *many: int) -> None: ...

    for fills, message in (
        (["nothing"], "cannot fill in 'nothing': the task has no such parameter; it has db, many"),
        (["many"], "many: 'int' takes many values"),
    ):
        app = type(harness.app)(broker_url="memory://", plugins=[Filler("filler", {}, fills)])
        with pytest.raises(RegistrationError, match=message):
            app.task(use)
    two = [Filler("one", {"db": 1}), Filler("two", {"db": 2})]
    app = type(harness.app)(broker_url="memory://", plugins=two)
    with pytest.raises(RegistrationError, match="'one' fills it in already"):
        app.task(use)


@pytest.mark.parametrize("pool", ["thread", "loop"])
def test_plain_code_is_called_in_the_place_of_the_task(
    harness: Harness, run: Any, pool: str
) -> None:
    class Where(Plugin):
        def fills(self, task: Any) -> list[str]:
            return [name for name in task.signature.parameters if name == "thread"]

        @on("task_executor_fill")
        async def fill(self, task_executor: Any) -> Any:
            return {"thread": await task_executor.call_plain(threading.get_ident)}

    harness.app.add_plugin(Where("where"))

    @harness.app.task(pool=pool)
    def same(thread: int) -> bool:
        return thread == threading.get_ident()

    assert run(same).returning is True


@pytest.mark.parametrize("trigger", ["task_executor_args_replace", "task_executor_execute"])
def test_a_task_without_steps_keeps_a_thread_that_a_plugin_has_asked_for(
    harness: Harness, run: Any, trigger: str
) -> None:
    seen = []

    class Where(Plugin):
        async def look(self, task_executor: Any) -> None:
            seen.append(await task_executor.call_plain(threading.get_ident))

        @on("task_executor_args_replace")
        async def begin(self, task_executor: Any) -> None:
            if trigger == "task_executor_args_replace":
                await self.look(task_executor)

        @on("task_executor_execute")
        @asynccontextmanager
        async def around(self, task_executor: Any) -> AsyncIterator[None]:
            await self.look(task_executor)
            yield
            await self.look(task_executor)

        @on("task_executor_task_close")
        async def close(self, task_executor: Any) -> None:
            await self.look(task_executor)

    harness.app.add_plugin(Where("where"))

    @harness.app.task
    def bare() -> None:
        seen.append(threading.get_ident())

    assert run(bare).status == "success"
    assert len(seen) >= 4
    assert len(set(seen)) == 1


def test_a_plugin_that_asks_for_a_thread_only_after_the_function_gets_one(
    harness: Harness, run: Any
) -> None:
    seen = []

    class Where(Plugin):
        @on("task_executor_task_close")
        async def close(self, task_executor: Any) -> None:
            seen.append(await task_executor.call_plain(threading.get_ident))

    harness.app.add_plugin(Where("where"))

    @harness.app.task
    def bare() -> None: ...

    assert run(bare).status == "success"
    (thread,) = seen
    assert thread != threading.get_ident()


def test_the_context_needs_somebody_who_keeps_it(
    harness: Harness, run: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Ask(Plugin):
        @on("task_executor_before_execute")
        def ask(self, task_executor: Any) -> None:
            task_executor.context()

    harness.app.add_plugin(Ask("ask"))

    @harness.app.task
    def bare() -> None: ...

    caplog.set_level(logging.ERROR)
    assert run(bare).error is None
    assert "bare: there is no context without echo=True" in caplog.text


def test_annotations_are_resolved_one_by_one() -> None:
    class Local: ...

    def function(a: Local, b: nowhere, c: list[int], d=1) -> None: ...  # type: ignore[no-untyped-def,name-defined]  # noqa: ANN001, F821 - it is what is tested

    def decorated(wrap: Callable[..., Any]) -> Any:
        return wrap

    found = parameters_of(decorated(function))
    assert found["a"].annotation is Local
    assert found["c"].annotation == list[int]
    unresolved = found["b"].annotation
    assert isinstance(unresolved, UnresolvedAnnotation)
    assert unresolved == "nowhere"
    assert "nowhere" in str(unresolved.error)
    assert parameters_of(print) is not None


test_annotations_are_resolved_one_by_one = pytest.mark.usefixtures("url")(
    test_annotations_are_resolved_one_by_one
)
