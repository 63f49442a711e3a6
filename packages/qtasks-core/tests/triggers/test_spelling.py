"""Marked methods: what fits, what is refused, and that both spellings are one subscription."""

from __future__ import annotations

import contextlib
import re
from types import FunctionType
from typing import TYPE_CHECKING, Any

import pytest

from qtasks._triggers import emit
from qtasks._triggers.registry import TriggerRegistry
from qtasks.exc import RegistrationError
from qtasks.plugins import BasePlugin, Plugin, on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

RETRY = "worker_task_error_retry"


class Seed(BasePlugin):
    """Spelled as in the users' documents."""

    def start(self, *args: Any, **kwargs: Any) -> None: ...

    def stop(self, *args: Any, **kwargs: Any) -> None: ...

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any: ...


def listening(registry: TriggerRegistry, trigger: str) -> list[str]:
    return [subscription.plugin for subscription in getattr(registry.table, trigger)]


async def asked(plugin: BasePlugin, trigger: str, **arguments: Any) -> Any:
    """Asks a plugin through the compiled table; the arguments come back as they were replaced."""
    registry = TriggerRegistry()
    registry.add(plugin)
    return await emit.replace(trigger, getattr(registry.table, trigger), arguments)


def test_a_marked_method_listens_to_its_trigger_alone() -> None:
    class Audit(Plugin):
        @on("worker_start")
        @on("worker_stop")
        def seen(self, worker: Any) -> None: ...

    registry = TriggerRegistry()
    registry.add(Audit())
    heard = {name for name in registry.catalogue if getattr(registry.table, name)}
    assert heard == {"worker_start", "worker_stop"}


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("self", {}),
        ("self, attempt", {"attempt": 3}),
        ("self, attempt, e", {"attempt": 3, "e": "error"}),
        ("self, e, trace, attempt", {"e": "error", "trace": "", "attempt": 3}),
        ("self, *, e", {"e": "error"}),
        ("self, own=7, *, e", {"own": 7, "e": "error"}),
        ("self, own=7, e=None", {"own": 7, "e": "error"}),
        ("self, *args, e", {"args": (), "e": "error"}),
    ],
)
async def test_a_method_takes_any_of_the_arguments(
    signature: str, expected: dict[str, Any]
) -> None:
    scope: dict[str, Any] = {"got": []}
    code = f"def method({signature}):\n    got.append({{**locals()}})\n    del got[-1]['self']"
    exec(code, scope)
    kind = type("Picky", (Plugin,), {"method": on(RETRY)(scope["method"])})
    registry, plugin = TriggerRegistry(), kind()
    registry.add(plugin)
    arguments = dict.fromkeys(registry.catalogue[RETRY].arguments, None)
    arguments |= {"e": "error", "attempt": 3, "trace": ""}
    await emit.first(RETRY, registry.table.worker_task_error_retry, arguments)
    assert scope["got"] == [expected]
    plugin.trigger(RETRY, **arguments)
    assert scope["got"] == [expected, expected]


async def test_an_argument_may_be_called_args() -> None:
    class More(Plugin):
        @on("task_executor_args_replace")
        def more(self, args: Any) -> Any:
            return {"args": (*args, 1)}

    class Stars(Plugin):
        @on("task_executor_args_replace")
        def none(self, *args: Any) -> Any:
            return {"kw": {"given": args}}

    arguments: dict[str, Any] = {"task_executor": None, "args": (0,), "kw": {}}
    values = await asked(More(), "task_executor_args_replace", **arguments)
    assert values["args"] == (0, 1)
    assert More().trigger("task_executor_args_replace", **arguments) == {"args": (0, 1)}
    values = await asked(Stars(), "task_executor_args_replace", **arguments)
    assert values["kw"] == {"given": ()}
    assert Stars().trigger("task_executor_args_replace", **arguments) == {"kw": {"given": ()}}


async def test_a_method_may_take_all_arguments() -> None:
    class All(Plugin):
        @on("task_executor_run_task")
        async def see(self, **kwargs: Any) -> Any:
            return {"result": sorted(kwargs)}

    values = await asked(All(), "task_executor_run_task", task_executor=None, result=1)
    assert values["result"] == ["result", "task_executor"]


async def test_methods_of_every_make_can_be_marked() -> None:
    class Makes(Plugin):
        @staticmethod
        @on("task_executor_run_task")
        def static(result: Any) -> Any:
            return result + 1

        @on("worker_start")
        @classmethod
        def cls(cls, worker: Any) -> None: ...

    registry = TriggerRegistry()
    registry.add(Makes())
    assert listening(registry, "worker_start") == ["Makes"]
    values = await asked(Makes(), "task_executor_run_task", task_executor=None, result=1)
    assert values["result"] == 2


async def test_an_overriding_method_keeps_the_mark_and_none_takes_it_away() -> None:
    class Base(Plugin):
        @on("task_executor_run_task")
        def result(self, result: Any) -> Any:
            return "base"

    class Other(Base):
        def result(self, result: Any) -> Any:
            return "other"

    class Silent(Base):
        result = None  # type: ignore[assignment]  # this is how a mark is taken away

    values = await asked(Other(), "task_executor_run_task", task_executor=None, result=1)
    assert values["result"] == "other"
    registry = TriggerRegistry()
    registry.add(Silent())
    assert listening(registry, "task_executor_run_task") == []


def test_trigger_hands_over_to_the_marked_method() -> None:
    class Audit(Plugin):
        @on("worker_start")
        def greet(self, worker: Any) -> str:
            return f"hello {worker}"

    plugin = Audit("audit")
    assert plugin.trigger("worker_start", worker="w", brought_by_a_later_version=1) == "hello w"
    assert plugin.trigger("unheard_of", x=1) is None


def test_a_plugin_without_an_init_of_its_base_is_named_after_its_class() -> None:
    class Nameless(Plugin):
        def __init__(self) -> None:
            self.own = 1

        @on("worker_start")
        def greet(self) -> None: ...

    registry = TriggerRegistry()
    registry.add(Nameless())
    assert listening(registry, "worker_start") == ["Nameless"]


def marked(trigger: str, function: Any, **options: Any) -> Plugin:
    own = FunctionType(function.__code__, globals(), argdefs=function.__defaults__)
    kind = type("Mine", (Plugin,), {"method": on(trigger, **options)(own)})
    plugin: Plugin = kind()
    return plugin


def generator(self: Any) -> Iterator[None]:
    yield


async def async_generator(self: Any) -> AsyncIterator[None]:
    yield


async def coroutine(self: Any) -> None: ...


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: marked("worker_strat", lambda self: None),
            "marked for an unknown trigger 'worker_strat' (did you mean 'worker_start'?)",
        ),
        (
            lambda: marked("worker_start", lambda self, wroker: None),
            "has no argument 'wroker' (did you mean 'worker'?); it has worker",
        ),
        (
            lambda: marked("worker_start", lambda self, wroker=None: None),
            "has no argument 'wroker' (did you mean 'worker'?)",
        ),
        (lambda: marked("worker_start", lambda self, zzz: None), "it has worker"),
        (
            lambda: marked("worker_start", lambda self, worker, /: None),
            "Mine.method(worker, /): arguments come by name: drop the /",
        ),
        (
            lambda: marked("worker_start", lambda self, *worker: None),
            "arguments come by name, so *worker stays empty",
        ),
        (lambda: marked("worker_start", generator), "return the answer instead of yielding it"),
        (
            lambda: marked("task_executor_execute", generator),
            "decorate it with contextlib.contextmanager",
        ),
        (
            lambda: marked("task_executor_execute", async_generator),
            "decorate it with contextlib.asynccontextmanager",
        ),
        (lambda: marked("worker_start", coroutine, blocking=True), "but it is async"),
        (
            lambda: marked("task_executor_execute", lambda self: None, blocking=True),
            "but it returns a context manager",
        ),
        (lambda: marked("worker_start", lambda self: None, order="frist"), "order='frist'"),
        (lambda: on(lambda self: None), "write @on('worker_start')"),
    ],
)
def test_a_mark_that_does_not_fit_is_refused(make: Any, message: str) -> None:
    registry = TriggerRegistry()
    with pytest.raises(RegistrationError, match=re.escape(message)):
        registry.add(make())
    assert registry.plugins == {}
    assert listening(registry, "worker_start") == []


def test_an_optional_mark_may_name_a_trigger_that_is_not_there() -> None:
    registry = TriggerRegistry()
    registry.add(marked("acme_paid", lambda self, order_id: None, optional=True))
    assert list(registry.plugins) == ["Mine"]


def test_one_trigger_has_one_method() -> None:
    class Twice(Plugin):
        @on("worker_start")
        def one(self) -> None: ...

        @on("worker_start")
        def two(self) -> None: ...

    with pytest.raises(RegistrationError, match=r"with one\(\) and with two\(\)"):
        TriggerRegistry().add(Twice())


@pytest.mark.parametrize("base", [Seed, Plugin])
def test_the_two_spellings_do_not_mix_in_one_class(base: type[BasePlugin]) -> None:
    def trigger(self: Any, name: str, **kwargs: Any) -> None: ...

    def method(self: Any) -> None: ...

    kind: Any = type("Both", (base,), {"trigger": trigger, "method": on("worker_start")(method)})
    with pytest.raises(RegistrationError, match=r"the mark on method\(\) would be overlooked"):
        TriggerRegistry().add(kind())


def test_trigger_names_and_component_narrow_the_marked_methods() -> None:
    class Wide(Plugin):
        @on("worker_start")
        def one(self) -> None: ...

        @on("qtasks_get")
        def two(self) -> None: ...

    registry = TriggerRegistry()
    registry.add(Wide("named"), trigger_names=["worker_start"])
    registry.add(Wide("part"), component="worker")
    assert listening(registry, "worker_start") == ["named", "part"]
    assert listening(registry, "qtasks_get") == []
    with pytest.raises(RegistrationError, match="'wide' has no method marked for worker_stop"):
        registry.add(Wide("wide"), trigger_names=["worker_start", "worker_stop"])


def test_properties_of_a_plugin_are_not_touched() -> None:
    class Touchy(Seed):
        @property
        def connection(self) -> Any:
            msg = "not connected yet"
            raise RuntimeError(msg)

    registry = TriggerRegistry()
    registry.add(Touchy())
    assert list(registry.plugins) == ["Touchy"]


async def test_a_marked_method_may_be_a_context_manager() -> None:
    log: list[str] = []

    class Around(Plugin):
        @on("task_executor_execute")
        @contextlib.contextmanager
        def timed(self, task_broker: Any) -> Iterator[None]:
            log.append(f"enter {task_broker}")
            yield
            log.append("exit")

    class AsyncAround(Plugin):
        @on("task_executor_execute")
        @contextlib.asynccontextmanager
        async def timed(self) -> AsyncIterator[None]:
            log.append("async enter")
            yield
            log.append("async exit")

    registry = TriggerRegistry()
    registry.add(Around())
    registry.add(AsyncAround())
    subscribers = registry.table.task_executor_execute
    about = {"task_executor": None, "task_broker": "d"}
    async with emit.around("task_executor_execute", subscribers, about):
        log.append("body")
    assert log == ["enter d", "async enter", "body", "async exit", "exit"]
