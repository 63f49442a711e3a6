"""Registering plugins, compiling tables, and firing each kind of trigger."""

from __future__ import annotations

import contextlib
import logging
import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_args

import pytest

from qtasks._triggers import emit
from qtasks._triggers.added import make_table
from qtasks._triggers.policy import Policy
from qtasks._triggers.registry import TriggerRegistry
from qtasks._triggers.subscription import Subscribers, Subscription
from qtasks._triggers.table import TriggerTable
from qtasks.contracts.triggers import CATALOGUE, COMPONENTS, Kind, Role, TriggerName
from qtasks.exc import RegistrationError, Reject
from qtasks.plugins import BasePlugin
from qtasks.schemas import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from qtasks.schemas import TaskDefinition

BEFORE = "qtasks_add_task_before_broker"
ERROR = "task_executor_run_task_trigger_error"
RETRY = "worker_task_error_retry"
RESULT = "task_executor_run_task"


class Recorder(BasePlugin):
    """Remembers what it was told and answers with ``answer``."""

    def __init__(self, name: str | None = None, answer: Any = None) -> None:
        super().__init__(name)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answer = answer

    def start(self, *args: Any, **kwargs: Any) -> None:
        return super().start(*args, **kwargs)

    def stop(self, *args: Any, **kwargs: Any) -> None:
        return super().stop(*args, **kwargs)

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        self.calls.append((name, kwargs))
        return self.answer


class AsyncRecorder(Recorder):
    async def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return super().trigger(name, *args, **kwargs)


def subscribers(*answers: Any, trigger: str = RESULT, policy: Policy | None = None) -> Subscribers:
    """Subscribers that give these answers; exceptions are raised, callables asked."""
    shared = policy or Policy()

    def subscribe(number: int, answer: Any) -> Subscription:
        def call(arguments: Mapping[str, Any]) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer(arguments) if callable(answer) else answer

        spec = CATALOGUE[trigger]
        return Subscription(f"p{number}", Recorder(), spec, call, shared)

    return tuple(subscribe(number, answer) for number, answer in enumerate(answers))


def test_the_table_has_one_attribute_for_each_trigger() -> None:
    assert [each.name for each in fields(TriggerTable) if each.init] == list(CATALOGUE)


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_table_sums_up_who_listens(name: str) -> None:
    heard = TriggerTable(**{name: subscribers(None)})

    assert heard.hears_runs is name.startswith("task_executor_")
    after = {"worker_execute_after", "worker_outcome", "worker_lease_lost", "worker_dead_letter"}
    assert heard.hears_ends is (name in {*after, "storage_remove_finished_task"})


def test_a_table_with_triggers_of_others_sums_up_ours() -> None:
    one = subscribers(None)

    table = make_table({"acme_paid": one, "task_executor_decode": one, "worker_outcome": one})

    assert (table.hears_runs, table.hears_ends) == (True, True)
    assert not make_table({"acme_paid": one}).hears_runs


def test_the_type_of_names_has_every_trigger() -> None:
    assert get_args(TriggerName) == tuple(CATALOGUE)


def test_every_spec_is_complete() -> None:
    for name, spec in CATALOGUE.items():
        assert spec.doc, name
        assert spec.since, name
        assert spec.section("Example"), name
        assert bool(spec.section("Returns")) is bool(spec.returns), name
        assert set(spec.roles) <= set(get_args(Role)), name
        assert name.startswith(spec.component), name
        assert all(f"{argument}:" in spec.doc for argument in spec.arguments), name
        answers = spec.kind in {Kind.FILTER, Kind.FIRST, Kind.LAST}
        assert bool(spec.returns) is answers, name
        if spec.kind is Kind.FILTER:
            assert set(spec.returns) <= set(spec.arguments), name


def test_a_plugin_must_implement_its_three_methods() -> None:
    class Half(BasePlugin):
        def start(self, *args: Any, **kwargs: Any) -> None:
            """Does nothing."""

    with pytest.raises(TypeError, match="abstract"):
        Half()  # type: ignore[abstract]  # the mistake under test


def test_a_global_plugin_gets_all_triggers_a_named_one_its_own() -> None:
    registry = TriggerRegistry()
    registry.add(Recorder("all"))
    registry.add(Recorder("one"), trigger_names=["worker_start"])
    registry.add(Recorder("worker"), component="worker")
    names = {
        trigger: [s.plugin for s in getattr(registry.table, trigger)]
        for trigger in ("worker_start", BEFORE, RESULT)
    }
    assert names == {
        "worker_start": ["one", "all", "worker"],
        BEFORE: ["all"],
        RESULT: ["all", "worker"],
    }


def test_registering_an_instance_again_adds_triggers_but_no_second_call() -> None:
    registry, plugin = TriggerRegistry(), Recorder("p")
    registry.add(plugin, trigger_names=["worker_start"])
    registry.add(plugin, trigger_names=["worker_start", "worker_stop"])
    assert len(registry.table.worker_start) == len(registry.table.worker_stop) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"plugin": Recorder}, r"expected an instance .* \(call the class\)"),
        ({"plugin": 3}, "expected an instance"),
        (
            {"plugin": Recorder(), "trigger_names": ["worker_strat"]},
            "unknown trigger 'worker_strat' .did you mean 'worker_start'",
        ),
        ({"plugin": Recorder(), "component": "wroker"}, "did you mean 'worker'.*known are qtasks"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict[str, Any], message: str) -> None:
    registry = TriggerRegistry()
    with pytest.raises(RegistrationError, match=message):
        registry.add(**arguments)
    assert registry.plugins == {}


def test_two_plugins_cannot_share_a_name() -> None:
    registry = TriggerRegistry()
    registry.add(Recorder())
    with pytest.raises(RegistrationError, match="a plugin named 'Recorder' is registered"):
        registry.add(Recorder())


def test_components_cover_the_catalogue() -> None:
    covered = {component for parts in COMPONENTS.values() for component in parts}
    assert {spec.component for spec in CATALOGUE.values()} <= covered


def test_a_plugin_may_apply_to_some_tasks_alone(task: Callable[[str], TaskDefinition]) -> None:
    class Picky(Recorder):
        def applies(self, task: TaskDefinition) -> bool:
            return task.name == "mine"

    registry = TriggerRegistry()
    registry.add(Recorder("all"))
    assert registry.table_for(task("other")) is registry.table
    registry.add(Picky("picky"))
    mine, other = registry.table_for(task("mine")), registry.table_for(task("other"))
    assert [s.plugin for s in mine.worker_start] == ["all", "picky"]
    assert [s.plugin for s in other.worker_start] == ["all"]


def test_a_plugin_may_want_some_triggers_of_a_task(task: Callable[[str], TaskDefinition]) -> None:
    class Picky(Recorder):
        def applies(self, task: TaskDefinition) -> bool | tuple[str, ...]:
            return ("worker_outcome",) if task.name == "mine" else True

    registry = TriggerRegistry()
    registry.add(Picky("picky"))
    mine = registry.table_for(task("mine"))
    assert [s.plugin for s in mine.worker_outcome] == ["picky"]
    assert mine.worker_start == ()
    assert registry.table_for(task("other")) is registry.table


def test_a_plugin_that_wants_a_trigger_without_an_answer_is_left_out(
    task: Callable[[str], TaskDefinition],
) -> None:
    class Confused(Recorder):
        def applies(self, task: TaskDefinition) -> tuple[str, ...]:
            return ("worker_start", "worker_strat")

    registry = TriggerRegistry()
    registry.add(Confused("confused"))
    assert registry.table_for(task("mine")).worker_start == ()
    assert registry.policy.errors["confused", "applies"] == 1


@pytest.fixture
def task() -> Callable[[str], TaskDefinition]:
    from qtasks.app.declare import declare

    def make(name: str) -> TaskDefinition:
        def function() -> None:
            """Does nothing."""

        return declare(function, name, {})

    return make


def test_only_async_subscribers_need_a_loop() -> None:
    registry = TriggerRegistry()
    registry.add(Recorder())
    assert not registry.client_needs_loop
    registry.add(AsyncRecorder(), component="worker")
    assert not registry.client_needs_loop
    registry.add(AsyncRecorder("client"), trigger_names=["qtasks_get"])
    assert registry.client_needs_loop


async def test_notify_tells_everybody_in_order_whatever_they_answer() -> None:
    told: list[int] = []
    heard = subscribers(lambda _: told.append(1) or 5, ValueError("x"), lambda _: told.append(3))
    await emit.notify("worker_start", heard, {"worker": None})
    assert told == [1, 3]


async def test_a_failing_plugin_is_logged_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    policy = Policy()
    await emit.notify("worker_start", subscribers(ValueError("broken"), policy=policy), {})
    assert policy.errors == {("p0", "worker_start"): 1}
    assert re.search(r"Plugin p0 \(from .*test_registry\) failed in worker_start", caplog.text)
    assert "broken" in caplog.text


async def test_control_exceptions_pass() -> None:
    with pytest.raises(Reject):
        await emit.notify("worker_execute_before", subscribers(Reject("no")), {})
    await emit.notify("worker_outcome", subscribers(Reject("nothing to steer")), {})


async def test_filters_see_what_the_one_before_left() -> None:
    chain = subscribers(
        lambda a: {"priority": a["priority"] + 1},
        None,
        ValueError("skipped"),
        lambda a: {"priority": a["priority"] * 10, "args": (1,)},
        trigger=BEFORE,
    )
    values = await emit.replace(BEFORE, chain, {"priority": 1, "args": (), "kw": {"k": 1}})
    assert values == {"priority": 20, "args": (1,), "kw": {"k": 1}}


@pytest.mark.parametrize("answer", [5, "text", {}, {"unknown": 1}, []])
async def test_several_keys_need_a_documented_dict(
    answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    before = {"priority": 1}
    assert await emit.replace(BEFORE, subscribers(answer, trigger=BEFORE), before) == before
    assert "expected a dict with some of the keys" in caplog.text


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (0, 0),
        (False, False),
        ("", ""),
        ([], []),
        ({}, {}),
        ({"other": 1}, {"other": 1}),
        ({"result": 4}, 4),
        ({"result": None}, None),
        ({"result": 4, "more": 1}, {"result": 4, "more": 1}),
    ],
)
async def test_one_key_takes_any_value(answer: Any, expected: Any) -> None:
    values = await emit.replace(RESULT, subscribers(answer), {"result": "before"})
    assert values["result"] == expected
    if answer != {"result": None}:
        assert await emit.last(ERROR, subscribers(answer, trigger=ERROR), {}) == expected


async def test_first_stops_at_the_first_answer() -> None:
    asked: list[int] = []
    yes = Verdict("retry")
    chain = subscribers(None, ValueError("x"), "no", yes, lambda _: asked.append(1), trigger=RETRY)
    assert await emit.first("worker_task_error_retry", chain, {}) == yes
    assert asked == []
    assert await emit.first("worker_task_error_retry", subscribers(None), {}) is None


async def test_last_asks_everybody() -> None:
    assert await emit.last(ERROR, subscribers(1, 2, None, ValueError("x")), {}) == 2
    assert await emit.last(ERROR, subscribers(None), {}) is None


async def test_awaitables_are_awaited_from_either_colour() -> None:
    registry = TriggerRegistry()
    plugin = AsyncRecorder("p", answer=9)
    registry.add(plugin)

    async def late() -> int:
        return 7

    chain = (*registry.table.task_executor_run_task, *subscribers(lambda _: late()))
    values = await emit.replace(RESULT, chain, {"task_executor": None, "result": 1})
    assert plugin.calls == [(RESULT, {"task_executor": None, "result": 1})]
    assert values["result"] == 7


class Manager:
    def __init__(self, log: list[str], fail: str = "") -> None:
        self.log, self.fail = log, fail

    def _step(self, step: str) -> None:
        self.log.append(step)
        if step == self.fail:
            raise ValueError(step)

    async def __aenter__(self) -> None:
        self._step("enter")

    async def __aexit__(self, kind: object, *_: object) -> bool:
        self._step("exit" if kind is None else "exit with error")
        return True


@pytest.mark.parametrize(
    ("fail", "steps"),
    [
        ("", ["enter", "body", "exit"]),
        ("enter", ["enter", "body"]),
        ("exit", ["enter", "body", "exit"]),
    ],
)
async def test_around_runs_the_body_once_whatever_the_plugin_does(
    fail: str, steps: list[str]
) -> None:
    log: list[str] = []
    async with emit.around("task_executor_execute", subscribers(Manager(log, fail), None, 5), {}):
        log.append("body")
    assert log == steps


async def test_around_shows_the_bodys_exception_but_cannot_swallow_it() -> None:
    log: list[str] = []
    with pytest.raises(KeyError):
        async with emit.around("task_executor_execute", subscribers(Manager(log)), {}):
            raise KeyError
    assert log == ["enter", "exit with error"]


async def test_around_exits_what_it_has_entered_when_a_failure_is_raised() -> None:
    strict = Policy(strict=True)
    first: list[str] = []
    second: list[str] = []
    both = subscribers(Manager(first), Manager(second, "enter"), policy=strict)
    with pytest.raises(ValueError, match="enter"):
        async with emit.around("task_executor_execute", both, {}):
            pytest.fail("the body must not run")
    assert (first, second) == (["enter", "exit with error"], ["enter"])


async def test_around_exits_in_turn_and_shows_outer_ones_what_inner_ones_raise() -> None:
    log: list[str] = []
    strict = Policy(strict=True)
    both = subscribers(Manager(log), Manager(log, "exit"), policy=strict)
    with pytest.raises(ValueError, match="exit"):
        async with emit.around("task_executor_execute", both, {}):
            log.append("body")
    assert log == ["enter", "enter", "body", "exit", "exit with error"]


async def test_around_takes_plain_context_managers() -> None:
    log: list[str] = []

    @contextlib.contextmanager
    def plain() -> Iterator[None]:
        log.append("enter")
        yield
        log.append("exit")

    with_plain = subscribers(lambda _: plain())
    async with emit.around("task_executor_execute", with_plain, {}):
        log.append("body")
    assert log == ["enter", "body", "exit"]
    assert logging.getLogger("qtasks.plugins")


@pytest.mark.parametrize("name", ["a,b", "line\n", 5, b"text"])
def test_a_plugin_is_named_by_text_that_can_be_shown_and_listed(name: Any) -> None:
    plugin = Recorder(name)
    with pytest.raises(RegistrationError, match="use printable text without commas"):
        TriggerRegistry().add(plugin)


def test_a_plugin_says_at_once_whether_it_applies() -> None:
    class Late(Recorder):
        async def applies(self, task: Any) -> bool:  # type: ignore[override]  # the mistake
            return bool(task)

    with pytest.raises(RegistrationError, match=r"applies\(\) is asked where .*: make it a def"):
        TriggerRegistry().add(Late("late"))


def test_a_misspelled_keyword_is_no_keyword() -> None:
    unknown: Any = {"befor": "other"}
    with pytest.raises(TypeError, match=r"no keyword 'befor' \(did you mean 'before'\?\)"):
        TriggerRegistry().add(Recorder("mine"), **unknown)
