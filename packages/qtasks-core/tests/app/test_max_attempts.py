"""How many attempts a task has is said by plugins, when the task is declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import qtasks
from qtasks.exc import RegistrationError
from qtasks.plugins import Plugin, hookimpl, on
from qtasks.schemas import Verdict
from qtasks.testing import make_app, run_task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qtasks.schemas import TaskDefinition


class Attempts(Plugin):
    """Answers what the option ``answer`` says; an exception is raised."""

    @hookimpl
    def qtasks_task_options(self) -> Mapping[str, Callable[[Any], object]]:
        return {"answer": repr}

    @hookimpl
    def qtasks_max_attempts(self, task: TaskDefinition) -> Any:
        answer = task.extra["answer"]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Four(Plugin):
    """Always answers 4."""

    @hookimpl
    def qtasks_max_attempts(self) -> int:
        return 4


def test_the_answer_is_in_the_definition_and_in_the_context() -> None:
    app = make_app(plugins=[Attempts()])
    seen = []

    @app.task(answer=3, echo=True)
    def look(self: Any) -> None:
        seen.append((self.ctx.max_attempts, self.ctx.is_last_attempt))

    run_task(app, look)

    assert look.definition.max_attempts == 3
    assert seen == [(3, False)]


def test_tasks_without_options_of_plugins_are_not_asked_about() -> None:
    app = make_app(plugins=[Four()])

    @app.task(priority=1)
    def plain() -> None: ...

    assert plain.definition.max_attempts is None


def test_the_first_answer_counts_and_none_leaves_it_to_the_next() -> None:
    app = make_app(plugins=[Attempts(), Four()])
    app.task(name="two", answer=2)(lambda: None)
    app.task(name="four", answer=None)(lambda: None)

    assert [task.max_attempts for task in app.tasks.values()] == [2, 4]


def test_tasks_of_routers_and_shared_tasks_are_asked_about() -> None:
    app = make_app(plugins=[Attempts()])
    router = qtasks.Router()
    router.task(name="routed", answer=7)(lambda: None)

    app.include_router(router)

    assert app.tasks["routed"].max_attempts == 7


@pytest.mark.parametrize("kind", [ValueError, TypeError])
def test_options_that_contradict_each_other_are_refused(kind: type[Exception]) -> None:
    app = make_app(plugins=[Attempts()])

    with pytest.raises(RegistrationError, match="task 'odd': they contradict each other"):
        app.task(name="odd", answer=kind("they contradict each other"))(lambda: None)
    assert not app.tasks


@pytest.mark.parametrize("answer", [0, True, "3", RuntimeError("broken")])
def test_an_answer_that_cannot_be_is_logged_and_left_out(
    answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(plugins=[Attempts(), Four()])
    app.task(name="odd", answer=answer)(lambda: None)

    assert app.tasks["odd"].max_attempts == 4
    assert "Attempts" in caplog.text
    assert "qtasks_max_attempts" in caplog.text


async def test_a_policy_is_told_how_long_ago_a_task_was_accepted() -> None:
    told = []

    class Twice(Plugin):
        @on("worker_task_error_retry")
        def judge(self, attempt: int, elapsed: float) -> Verdict | None:
            told.append((attempt, elapsed))
            return Verdict("retry", delay=20) if attempt < 3 else None

    app = make_app("async", plugins=[Twice()])

    @app.task
    async def fail() -> None:
        raise OSError

    handle = await run_task(app, fail, delay=100)

    assert handle.status == "error"
    assert told == [(1, 100.0), (2, 120.0), (3, 140.0)]


def test_a_worker_knows_its_app() -> None:
    app = make_app()

    assert app.worker().app is app
