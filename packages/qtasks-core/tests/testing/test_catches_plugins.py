"""Plugins that break one rule each, and the tests that catch them."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
import warnings
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from qtasks.plugins import BasePlugin, Plugin, on
from qtasks.schemas import Verdict
from qtasks.testing.conformance import PluginConformance
from qtasks.testing.conformance.base import suite_tests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Good(BasePlugin):
    """A plugin as it should be, of which the others spoil something."""

    plugin_api = "1.0"

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        self.count = 0

    def start(self, *args: Any, **kwargs: Any) -> Any: ...

    def stop(self, *args: Any, **kwargs: Any) -> Any: ...

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        self.count += 1
        if name == "task_executor_execute":
            return watching()
        if name == "qtasks_add_task_before_broker":
            return {"headers": {**kwargs["headers"], "by": "good"}}
        return None


class GoodAsync(Good):
    """The same with coroutines."""

    async def start(self, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)

    async def stop(self, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)

    async def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return super().trigger(name, *args, **kwargs)


@contextlib.contextmanager
def watching() -> Iterator[None]:
    yield


class Marked(Plugin):
    """The same with marks."""

    plugin_api = "1.0"

    def start(self) -> None:
        self.ended = 0

    @on("task_executor_execute")
    def around(self) -> Any:
        return watching()

    @on("worker_outcome")
    async def count(self, final: bool) -> None:
        self.ended += final

    @on("brought_by_nobody", optional=True)
    def hear(self) -> None: ...


class Units(msgspec.Struct):
    """Options."""

    unit: str = "s"


class Optional(Marked):
    """The same, and it looks at its options, which the app gives it."""

    Options = Units

    def start(self) -> None:
        super().start()
        self.unit = self.options.unit


# What it is


class NeedsArguments(Good):
    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address


class NoPlugin:
    name = "no-plugin"


THE_ONE = Good()


def always_the_same() -> Good:
    return THE_ONE


class NameWithAComma(Good):
    def __init__(self) -> None:
        super().__init__("first,second")


class NameIsNoText(Good):
    def __init__(self) -> None:
        super().__init__(5)  # type: ignore[arg-type]  # what is wrong


class UnsteadyName(Good):
    asked = 0

    @property
    def name(self) -> str:
        self.asked += 1
        return f"plugin-{self.asked}"

    @name.setter
    def name(self, name: str | None) -> None: ...


class FixedName(Good):
    @property
    def name(self) -> str:
        return "fixed"

    @name.setter
    def name(self, name: str | None) -> None:
        if name is not None:
            msg = "it has one name"
            raise AttributeError(msg)


class NoApi(Good):
    plugin_api = None  # type: ignore[assignment]  # what is wrong


class ApiIsANumber(Good):
    plugin_api = 1.0  # type: ignore[assignment]  # what is wrong


class OtherApi(Good):
    plugin_api = "9.0"


class Warns(Good):
    def __init__(self) -> None:
        super().__init__()
        warnings.warn("Good is deprecated", DeprecationWarning, stacklevel=2)


class Misspells(Good):
    trigger_names = ("worker_strat",)  # for the class of the tests


class MarkMisspells(Marked):
    @on("worker_strat")
    def greet(self) -> None: ...


class MarkWantsMore(Marked):
    @on("worker_start")
    def greet(self, worker: Any, address: str) -> None: ...


class NarrowTrigger(Good):
    def trigger(self, name: str, worker: Any = None) -> Any: ...  # type: ignore[override]  # what is wrong


class NarrowStart(Good):
    def start(self, address: str) -> Any: ...  # type: ignore[override]  # what is wrong


class ShowsEverything(Good):
    def __repr__(self) -> str:
        return "Good\n" + "x" * self.count


class ShowsALot(Good):
    def __repr__(self) -> str:
        return "x" * 1000


class ShowsWhatIsNotThere(Good):
    connection: Any

    def __repr__(self) -> str:
        return f"<Good {self.connection}>"


# Its life


class HangsInStart(Good):
    def start(self, *args: Any, **kwargs: Any) -> Any:
        threading.Event().wait(5)


class HangsInStop(Good):
    async def stop(self, *args: Any, **kwargs: Any) -> Any:
        await asyncio.Event().wait()


class StartsOnce(Good):
    started = False

    def start(self, *args: Any, **kwargs: Any) -> Any:
        if self.started:
            msg = "it has started"
            raise RuntimeError(msg)
        self.started = True

    def stop(self, *args: Any, **kwargs: Any) -> Any:
        self.started = False


class StopsOnce(Good):
    def start(self, *args: Any, **kwargs: Any) -> Any:
        self.connection = object()

    def stop(self, *args: Any, **kwargs: Any) -> Any:
        del self.connection


class OneLife(Good):
    over = False

    def start(self, *args: Any, **kwargs: Any) -> Any:
        assert not self.over

    def stop(self, *args: Any, **kwargs: Any) -> Any:
        self.over = True


class OneLoop(Good):
    loop: Any = None

    async def start(self, *args: Any, **kwargs: Any) -> Any:
        self.loop = self.loop or asyncio.get_running_loop()
        self.loop.call_soon(int)


class KnowsTwoRoles(Good):
    def start(self, *args: Any, role: str = "worker", **kwargs: Any) -> Any:
        return {"worker": 1, "client": 2}[role]


class LeavesAThread(Good):
    def start(self, *args: Any, **kwargs: Any) -> Any:
        threading.Thread(target=threading.Event().wait, args=(5,), daemon=True).start()


class LeavesATask(Good):
    async def start(self, *args: Any, **kwargs: Any) -> Any:
        self.task = asyncio.create_task(asyncio.sleep(5))


# Its answers


class KnowsAllTriggers(Good):
    def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return {"worker_start": 1}[name]


class AnswersTheUnknown(Good):
    def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return None if name in {"worker_start", "worker_stop"} else 5


class KnowsAllArguments(Good):
    def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return self.on_outcome(**kwargs) if name == "worker_outcome" else None

    def on_outcome(
        self, worker: Any, task_broker: Any, outcome: Any, final: Any, fenced: Any
    ) -> None: ...


class Answers(Good):
    """Answers one trigger."""

    to = ""
    answer: Any = None

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return self.answer if name == self.to else None


class AnswersAMessage(Answers):
    to, answer = "worker_start", "hello"


class AnswersWrongKeys(Answers):
    to, answer = "task_executor_args_replace", {"arguments": (1, 2)}


class AnswersNoVerdict(Answers):
    to, answer = "worker_task_error_retry", "retry"


class AnswersNoContextManager(Answers):
    to, answer = "task_executor_execute", "around"


class ChangesResults(Answers):
    to, answer = "task_executor_run_task", {"result": 5}


class ChangesWhatIsGiven(Answers):
    to, answer = "task_executor_run_task_gen", {"result": 5}


class AnswersForAll(Answers):
    to, answer = "task_executor_run_task_trigger_error", "rescued"


class Retries(Answers):
    to, answer = "worker_task_error_retry", Verdict("discard")


class RaisesAtTheEnd(Good):
    def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "worker_stop":
            raise KeyError(name)


class RaisesInAsyncApps(Good):
    def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "qtasks_get":
            with contextlib.suppress(RuntimeError):
                asyncio.get_running_loop()
                raise KeyError(name)


# Its company


class Panics(Good):
    """Gives up once an error was seen anywhere."""

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "plugin_error":
            msg = f"something is wrong with {kwargs['plugin']}"
            raise RuntimeError(msg)


class OneAtATime(Good):
    running: bool = False

    def start(self, *args: Any, **kwargs: Any) -> Any:
        assert not type(self).running
        type(self).running = True

    def stop(self, *args: Any, **kwargs: Any) -> Any:
        type(self).running = False


class OneToAProcess(Good):
    apps: set[int] = set()  # noqa: RUF012 - what is wrong

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "worker_start":
            self.apps.add(id(self))
            assert len(self.apps) == 1


CATCHES: dict[Callable[..., Any], str] = {
    NeedsArguments: "it_can_be_made",
    NoPlugin: "it_can_be_made",
    always_the_same: "it_can_be_made",
    NameWithAComma: "it_has_a_name",
    NameIsNoText: "it_has_a_name",
    UnsteadyName: "it_has_a_name its_failures_bear_its_name",
    FixedName: "two_of_it_live_side_by_side",
    NoApi: "it_says_which_api_it_speaks",
    ApiIsANumber: "it_says_which_api_it_speaks",
    OtherApi: "it_says_which_api_it_speaks",
    Warns: "it_registers_without_a_warning",
    MarkMisspells: "it_listens_to_triggers_that_exist it_registers_without_a_warning",
    MarkWantsMore: "it_listens_to_triggers_that_exist",
    Misspells: "it_listens_to_triggers_that_exist",
    NarrowTrigger: "it_takes_the_arguments_of_every_trigger it_raises_nothing",
    NarrowStart: "it_takes_the_arguments_of_every_trigger",
    ShowsEverything: "it_can_be_shown",
    ShowsALot: "it_can_be_shown",
    ShowsWhatIsNotThere: "it_can_be_shown",
    HangsInStart: "start_and_stop_end",
    HangsInStop: "start_and_stop_end",
    StartsOnce: "start_and_stop_may_be_repeated",
    StopsOnce: "start_and_stop_may_be_repeated it_may_be_stopped_before_it_has_started",
    OneLife: "it_starts_again it_may_be_stopped_before_it_has_started",
    OneLoop: "it_starts_again",
    KnowsTwoRoles: "it_starts_in_every_role",
    LeavesAThread: "nothing_is_left_running",
    LeavesATask: "nothing_is_left_running",
    KnowsAllTriggers: "it_ignores_triggers_that_it_does_not_know",
    AnswersTheUnknown: "it_ignores_triggers_that_it_does_not_know",
    KnowsAllArguments: "it_ignores_arguments_that_it_does_not_know",
    AnswersAMessage: "it_answers_as_the_triggers_want_it",
    AnswersWrongKeys: "it_answers_as_the_triggers_want_it it_raises_nothing",
    AnswersNoVerdict: "it_answers_as_the_triggers_want_it",
    AnswersNoContextManager: "it_answers_as_the_triggers_want_it",
    ChangesResults: "a_result_is_the_same_without_it",
    ChangesWhatIsGiven: "a_result_is_the_same_without_it",
    AnswersForAll: "a_result_is_the_same_without_it",
    Retries: "a_result_is_the_same_without_it",
    RaisesAtTheEnd: "it_raises_nothing",
    RaisesInAsyncApps: "it_raises_nothing",
    Panics: "it_bears_with_a_neighbour_that_fails",
    OneAtATime: "two_of_it_live_side_by_side",
    OneToAProcess: "two_apps_may_have_one_each",
}


def failure(make: Callable[..., Any], name: str, **attributes: Any) -> BaseException | None:
    """Returns what makes a test fail, in an app of some colour; None if it passes."""
    suite = type("Suite", (PluginConformance,), {"PATIENCE": 30.0, **attributes})()
    test = getattr(suite, name)
    wanted = inspect.signature(test).parameters
    for colour in ("sync", "async") if "colour" in wanted else ("",):
        offered = {"plugin": make, "colour": colour}
        try:
            test(**{parameter: offered[parameter] for parameter in wanted})
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - whatever fails a test
            return error
    return None


@pytest.mark.parametrize("name", suite_tests(PluginConformance))
@pytest.mark.parametrize("good", [Good, GoodAsync, Marked, Optional, lambda: Good("named")])
def test_good_plugins_pass(good: Any, name: str) -> None:
    assert failure(good, name) is None


@pytest.mark.parametrize("broken", CATCHES, ids=lambda broken: broken.__name__)
def test_the_suite_catches(broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OneAtATime, "running", False)
    monkeypatch.setattr(OneToAProcess, "apps", set())
    patience = 0.2 if broken in (HangsInStart, HangsInStop) else 30.0
    names = getattr(broken, "trigger_names", None)
    for name in CATCHES[broken].split():
        assert failure(broken, f"test_{name}", PATIENCE=patience, TRIGGER_NAMES=names), name
