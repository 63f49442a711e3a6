"""A plugin that raises, answers nonsense or does not come back: named, counted, left behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest

from qtasks._runtime.bridge import Portal, drive
from qtasks._runtime.signals import take_interrupts
from qtasks._triggers import emit
from qtasks._triggers.hangs import HangWatch
from qtasks._triggers.policy import Policy
from qtasks._triggers.registry import TriggerRegistry
from qtasks.configs import QueueConfig
from qtasks.exc import RegistrationError, Reject, TaskCancelError
from qtasks.plugins import BasePlugin, Plugin, on
from qtasks.schemas import Delivery, Message, Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

RETRY = "worker_task_error_retry"
RESULT = "task_executor_run_task"
ARGS = "task_executor_args_replace"
SOON = QueueConfig(plugin_timeout=0.01)


def marked(trigger: str, method: Callable[..., Any], name: str = "mine", **options: Any) -> Plugin:
    """A plugin with one method, which is given without ``self``."""
    function = staticmethod(method)
    kind: Any = type("Marked", (Plugin,), {"method": on(trigger, **options)(function)})
    plugin: Plugin = kind(name)
    return plugin


def raises(error: BaseException) -> Callable[[], Any]:
    def method() -> Any:
        raise error

    return method


def told_of(told: list[dict[str, Any]]) -> Callable[..., None]:
    return lambda **about: told.append(about)


def delivery() -> Delivery:
    return Delivery(Message("id-1", "pay", b"", "default"), token=1)


async def fire(registry: TriggerRegistry, trigger: str, **arguments: Any) -> None:
    await emit.notify(trigger, getattr(registry.table, trigger), arguments)


def registered(*plugins: BasePlugin, policy: Policy | None = None, **how: Any) -> TriggerRegistry:
    registry = TriggerRegistry(policy)
    for plugin in plugins:
        registry.add(plugin, **how)
    return registry


# Raising


async def test_a_failure_is_named_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    told: list[dict[str, Any]] = []
    error = ValueError("broken")
    registry = registered(marked("worker_outcome", raises(error)))
    registry.add(marked("plugin_error", told_of(told), name="watcher"))
    registry.add(marked("worker_outcome", raises(OSError()), name="other"), origin="acme-x 1.2")
    await fire(registry, "worker_outcome", task_broker=delivery())
    await fire(registry, "worker_outcome", task_broker=delivery())
    errors = registry.policy.errors
    assert errors == {("mine", "worker_outcome"): 2, ("other", "worker_outcome"): 2}
    assert told[0] == {"plugin": "mine", "trigger": "worker_outcome", "e": error, "uuid": "id-1"}
    first, second, *_ = caplog.records
    assert re.fullmatch(
        r"Plugin mine \(from .*\) failed in worker_outcome of pay id-1; everything else goes on",
        first.message,
    )
    assert "Plugin other (acme-x 1.2) failed" in second.message
    extra: Any = second
    assert (extra.plugin, extra.trigger) == ("other", "worker_outcome")
    assert (extra.task_id, extra.task_name) == ("id-1", "pay")
    assert len(error.__notes__) == 1
    assert re.fullmatch(r"in plugin mine \(from .*\), worker_outcome", error.__notes__[0])


async def test_a_failure_that_is_told_of_tells_of_no_other() -> None:
    heard: list[str] = []
    registry = registered(
        marked("plugin_error", raises(ValueError("again")), name="clumsy"),
        marked("plugin_error", lambda plugin: heard.append(plugin), name="watcher"),  # noqa: PLW0108 - append names no argument
        marked("worker_start", raises(ValueError("once"))),
    )
    await fire(registry, "worker_start", worker=None)
    assert heard == ["mine"]
    assert registry.policy.errors["clumsy", "plugin_error"] == 1


@pytest.mark.parametrize("policy", [Policy(), Policy(strict=True)], ids=["on_error", "strict mode"])
async def test_a_failure_is_raised_where_that_is_asked_for(policy: Policy) -> None:
    how = {} if policy.strict else {"on_error": "raise"}
    registry = registered(marked("worker_start", raises(ValueError("bad"))), policy=policy, **how)
    with pytest.raises(ValueError, match="bad") as caught:
        await fire(registry, "worker_start", worker=None)
    assert "in plugin mine" in caught.value.__notes__[0]
    assert policy.errors == {("mine", "worker_start"): 1}


async def test_the_class_may_ask_for_its_failures_to_be_raised() -> None:
    plugin = marked("worker_start", raises(ValueError("bad")))
    type(plugin).on_error = "raise"
    with pytest.raises(ValueError, match="bad"):
        await fire(registered(plugin), "worker_start", worker=None)
    with pytest.raises(RegistrationError, match="on_error='explode' is unknown"):
        registered(marked("worker_start", print), on_error="explode")


async def test_control_exceptions_pass_only_where_there_is_a_run() -> None:
    for error in (Reject("no"), TaskCancelError("no")):
        registry = registered(
            marked("worker_execute_before", raises(error), name="a"),
            marked("worker_outcome", raises(error), name="b"),
            marked("qtasks_get", raises(error), name="c"),
        )
        with pytest.raises(type(error)):
            await fire(registry, "worker_execute_before", worker=None)
        await fire(registry, "worker_outcome", worker=None)
        values = {"task": 1}
        assert await emit.replace("qtasks_get", registry.table.qtasks_get, values) == values
        assert set(registry.policy.errors) == {("b", "worker_outcome"), ("c", "qtasks_get")}


class Unheard(BaseException):
    """What no handler of ordinary errors sees."""


class Odd(Exception):  # noqa: N818 - the point is how it behaves
    """It can be neither shown nor annotated."""

    def __str__(self) -> str:
        raise RuntimeError

    def add_note(self, note: str) -> None:
        raise RuntimeError(note)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "error", [SystemExit(3), asyncio.CancelledError(), GeneratorExit(), Unheard(), Odd()]
)
async def test_a_plugin_can_neither_exit_nor_cancel(error: BaseException) -> None:
    async def at_once() -> None:
        raise error

    async def later() -> None:
        await asyncio.sleep(0)
        raise error

    for method in (raises(error), at_once, later):
        registry = registered(marked("worker_start", method))
        await fire(registry, "worker_start", worker=None)
        assert registry.policy.errors["mine", "worker_start"] == 1


async def test_a_round_that_is_closed_asks_nobody_any_more() -> None:
    asked: list[str] = []

    async def wait() -> None:
        asked.append("first")
        await asyncio.Event().wait()

    registry = registered(
        marked("worker_start", wait, name="a"),
        marked("worker_start", lambda: asked.append("second"), name="b"),
    )
    rounds = fire(registry, "worker_start", worker=None)
    rounds.send(None)
    rounds.close()
    assert asked == ["first"]
    assert not registry.policy.errors


def test_without_a_loop_a_cancellation_is_the_plugins_own() -> None:
    registry = registered(marked("worker_start", raises(asyncio.CancelledError())))
    drive(fire(registry, "worker_start", worker=None))
    assert registry.policy.errors["mine", "worker_start"] == 1


async def test_an_interrupt_is_the_users_where_python_raises_it() -> None:
    registry = registered(marked("worker_start", raises(KeyboardInterrupt())))
    with pytest.raises(KeyboardInterrupt):
        await fire(registry, "worker_start", worker=None)
    restore = take_interrupts()
    try:
        await fire(registry, "worker_start", worker=None)
    finally:
        restore()
    assert registry.policy.errors["mine", "worker_start"] == 1


def test_in_another_thread_an_interrupt_is_the_plugins_own() -> None:
    async def interrupt() -> None:
        raise KeyboardInterrupt

    registry = registered(marked("worker_start", interrupt))
    portal = Portal()
    portal.call(lambda: fire(registry, "worker_start", worker=None))
    portal.close()
    assert registry.policy.errors["mine", "worker_start"] == 1


@pytest.mark.parametrize("step", ["start", "stop"])
async def test_whatever_start_or_stop_raises_the_others_go_on(step: str) -> None:
    kind: Any = type("Wild", (Plugin,), {step: staticmethod(raises(Unheard()))})
    done: list[str] = []
    other: Any = type("Calm", (Plugin,), {step: lambda _: done.append(step)})
    registry = registered(kind("first"), other("calm"), kind("last"))
    await registry.start("worker", "worker")
    await registry.stop("worker", "worker")
    assert done == [step]
    assert registry.policy.errors == {("first", step): 1, ("last", step): 1}


async def test_cancellation_from_outside_passes() -> None:
    entered = asyncio.Event()

    async def wait() -> None:
        entered.set()
        await asyncio.Event().wait()

    registry = registered(marked("worker_start", wait))
    task = asyncio.create_task(fire(registry, "worker_start", worker=None))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not registry.policy.errors


def test_a_plugin_that_cannot_say_whether_it_applies_is_left_out() -> None:
    from qtasks.app.declare import declare

    class Unsure(Plugin):
        def applies(self, task: Any) -> bool:
            raise KeyError(task.name)

        @on("worker_outcome")
        def hear(self) -> None: ...

    registry = registered(Unsure())
    task = declare(test_a_plugin_that_cannot_say_whether_it_applies_is_left_out, "pay", {})
    assert registry.table_for(task).worker_outcome == ()
    assert registry.policy.errors["Unsure", "applies"] == 1


# Nonsense


@pytest.mark.parametrize(
    ("trigger", "answer", "words"),
    [
        (ARGS, 5, "it answered 5; expected a dict with some of the keys args, kw"),
        (ARGS, {"argz": ()}, "expected a dict with some of the keys args, kw"),
        (ARGS, {}, "expected a dict"),
        (ARGS, {"args": 5}, "it answered {'args': 5}: args is a list or tuple, not int"),
        (ARGS, {"args": "text"}, "args is a list or tuple, not str"),
        (ARGS, {"kw": [1]}, "kw is a mapping from names to values, not [1]"),
        (
            "qtasks_add_task_before_broker",
            {"priority": True},
            "priority is a whole number from -128 to 127, not True",
        ),
        ("qtasks_add_task_before_broker", {"headers": 1}, "headers are text to text, not 1"),
    ],
)
async def test_an_answer_that_cannot_be_used_is_an_error_of_the_plugin(
    trigger: str, answer: Any, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    registry = registered(marked(trigger, lambda: answer))
    before = {"args": (1,), "kw": {"k": 1}, "priority": 3, "headers": {}}
    after = await emit.replace(trigger, getattr(registry.table, trigger), dict(before))
    assert after == before
    assert registry.policy.errors["mine", trigger] == 1
    assert words in caplog.text


async def test_only_a_verdict_is_a_verdict(caplog: pytest.LogCaptureFixture) -> None:
    good = Verdict("discard")
    unheard_of: Any = Verdict("explode")  # type: ignore[arg-type]  # the mistake
    endless = Verdict("retry", delay=float("inf"))
    registry = registered(
        marked(RETRY, lambda: "retry, please", name="bad"),
        marked(RETRY, lambda: unheard_of, name="worse"),
        marked(RETRY, lambda: endless, name="worst"),
        marked(RETRY, lambda: {"verdict": good}, name="good"),
    )
    assert await emit.first(RETRY, registry.table.worker_task_error_retry, {}) is good
    assert "verdict is a Verdict, not 'retry, please'" in caplog.text
    assert [name for name, _ in registry.policy.errors] == ["bad", "worse", "worst"]


async def test_only_a_context_manager_can_be_entered(caplog: pytest.LogCaptureFixture) -> None:
    registry = registered(marked("task_executor_execute", lambda: 5))
    ran = []
    subscribers = registry.table.task_executor_execute
    async with emit.around("task_executor_execute", subscribers, {}):
        ran.append(1)
    assert ran == [1]
    assert "it answered 5; expected a context manager" in caplog.text


# Not coming back


async def forever() -> None:
    await asyncio.Event().wait()


async def test_an_async_method_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[int] = []
    registry = registered(
        marked("worker_start", forever),
        marked("worker_start", lambda: heard.append(1), name="next"),
        policy=Policy(SOON),
    )
    await fire(registry, "worker_start", worker=None)
    assert heard == [1]
    assert registry.policy.errors == {("mine", "worker_start"): 1}
    assert "it took over 0.01 s (plugin_timeout) and was left behind" in caplog.text


async def stubborn() -> None:
    """Does not let itself be cancelled."""
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await forever()


class Stubborn(Plugin):
    async def start(self, *_: Any, **__: Any) -> None:
        await stubborn()

    @on("worker_start")
    async def listen(self) -> None:
        await stubborn()

    @on("task_executor_execute")
    @contextlib.asynccontextmanager
    async def surround(self) -> AsyncIterator[None]:
        yield
        await stubborn()


async def test_one_that_will_not_be_cancelled_is_left_behind_all_the_same() -> None:
    registry = registered(Stubborn(), policy=Policy(SOON))
    await registry.start("worker", "worker")
    await fire(registry, "worker_start", worker=None)
    subscribers = registry.table.task_executor_execute
    async with emit.around("task_executor_execute", subscribers, {}):
        pass
    assert [step for _, step in registry.policy.errors] == [
        "start",
        "worker_start",
        "task_executor_execute",
    ]


async def test_one_that_will_not_be_cancelled_does_not_keep_who_is() -> None:
    registry = registered(marked("worker_start", stubborn), policy=Policy(SOON))
    asking = asyncio.create_task(fire(registry, "worker_start", worker=None))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not registry.policy.errors


async def test_one_that_is_cancelled_may_clean_up_first() -> None:
    done: list[str] = []

    async def careful() -> None:
        try:
            await forever()
        finally:
            await asyncio.sleep(0)
            done.append("clean")

    registry = registered(marked("worker_start", careful), policy=Policy(SOON))
    await fire(registry, "worker_start", worker=None)
    assert done == ["clean"]
    assert registry.policy.errors == {("mine", "worker_start"): 1}


@pytest.mark.parametrize("blocking", [False, True])
async def test_one_that_was_left_behind_is_left_alone_for_a_while(
    blocking: bool, caplog: pytest.LogCaptureFixture
) -> None:
    go, asked, time = threading.Event(), [], [0.0]

    def wait(worker: str) -> None:
        asked.append(worker)
        go.wait()

    async def wait_async(worker: str) -> None:
        asked.append(worker)
        await forever()

    method: Callable[..., Any] = wait if blocking else wait_async
    # Within this time a thread has begun, also where many others want to.
    policy = Policy(QueueConfig(plugin_timeout=0.5))
    registry = registered(marked("worker_start", method, blocking=blocking), policy=policy)
    registry.add(marked("worker_stop", lambda worker: asked.append(worker), name="other"))  # noqa: PLW0108 - append names no argument
    registry.policy.now = lambda: time[0]
    for now, worker in ((0.0, "a"), (4.9, "b"), (5.1, "c"), (10.0, "d")):
        time[0] = now
        await fire(registry, "worker_start", worker=worker)
        await fire(registry, "worker_stop", worker="stop")
    assert [worker for worker in asked if worker != "stop"] == ["a", "c"]
    assert asked.count("stop") == 4
    assert registry.policy.errors == {("mine", "worker_start"): 2}
    assert "it is not asked there for 5 s" in caplog.text
    go.set()
    registry.policy.threads.close()


async def test_a_timeout_of_its_own_is_what_it_is(caplog: pytest.LogCaptureFixture) -> None:
    async def impatient() -> None:
        msg = "its own"
        raise TimeoutError(msg)

    await fire(registered(marked("worker_start", impatient)), "worker_start", worker=None)
    assert "its own" in caplog.text
    assert "plugin_timeout" not in caplog.text


async def test_a_blocking_method_runs_in_a_thread_and_is_left_behind() -> None:
    go, where = threading.Event(), []

    def wait(worker: Any) -> None:
        where.append(threading.current_thread())
        if worker == "slow":
            go.wait()

    registry = registered(marked("worker_start", wait, blocking=True), policy=Policy(SOON))
    await fire(registry, "worker_start", worker="slow")
    assert registry.policy.errors == {("mine", "worker_start"): 1}
    go.set()
    registry.policy.threads.close()
    patient = registered(marked("worker_start", wait, blocking=True))
    await fire(patient, "worker_start", worker="quick")
    assert not patient.policy.errors
    assert threading.current_thread() not in where
    patient.policy.threads.close()


async def test_the_answer_of_a_blocking_method_counts() -> None:
    registry = registered(marked(RESULT, lambda result: result + 1, blocking=True))
    values = {"task_executor": None, "result": 1}
    after = await emit.replace(RESULT, registry.table.task_executor_run_task, values)
    assert after["result"] == 2
    registry.policy.threads.close()


@pytest.mark.parametrize("step", ["start", "stop"])
@pytest.mark.parametrize("colour", ["sync", "async"])
async def test_one_that_hangs_in_start_or_stop_keeps_nobody(step: str, colour: str) -> None:
    go, life = threading.Event(), []

    def plain(self: Any) -> None:
        go.wait()

    async def coroutine(self: Any) -> None:
        await forever()

    class Neighbour(Plugin):  # on the loop, where it takes no time to begin
        async def start(self, role: str) -> None:
            life.append(f"start {role}")

        async def stop(self) -> None:
            life.append("stop")

    hanging: Any = type("Hanging", (Plugin,), {step: plain if colour == "sync" else coroutine})
    registry = TriggerRegistry(Policy(SOON))
    registry.add(hanging())
    registry.add(Neighbour())
    await registry.start("user", "worker")
    await registry.stop("user", "worker")
    assert life == ["start worker", "stop"]
    assert registry.policy.errors == {("Hanging", step): 1}
    go.set()


async def test_a_plugin_that_is_added_while_a_worker_runs_is_started() -> None:
    life: list[str] = []
    started = asyncio.Event()

    class Late(Plugin):
        async def start(self, role: str) -> None:
            life.append(role)
            started.set()

        async def stop(self) -> None:
            life.append("stop")

    registry = TriggerRegistry()
    await registry.start("user", "worker")
    registry.add(Late())
    await started.wait()
    await registry.stop("user", "worker")
    assert life == ["worker", "stop"]
    registry.add(Late("after"))
    assert life == ["worker", "stop"]


async def test_in_strict_mode_a_plugin_that_does_not_start_is_not_started() -> None:
    class Broken(Plugin):
        def start(self) -> None:
            msg = "no socket"
            raise OSError(msg)

    registry = registered(Broken(), policy=Policy(strict=True))
    for _ in range(2):
        with pytest.raises(OSError, match="no socket"):
            await registry.start("user", "worker")


async def test_a_plugin_that_keeps_the_loop_is_seen_from_outside(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: list[Any] = []
    inside, out = threading.Event(), threading.Event()

    def keep_the_loop() -> None:
        inside.set()
        out.wait()

    registry = registered(
        marked("worker_outcome", keep_the_loop),
        marked("plugin_error", lambda plugin, uuid: told.append((plugin, uuid)), name="watcher"),
    )
    watch = HangWatch(registry.policy)

    def keeper() -> None:
        watch.look(0.0)  # nobody is asked yet, or somebody who returns
        inside.wait()
        for now in (10.0, 39.9, 40.0, 80.0):
            watch.look(now)
            counts.append(registry.policy.errors["mine", "worker_outcome"])
        out.set()

    counts: list[int] = []
    thread = threading.Thread(target=keeper)
    thread.start()
    await fire(registry, "worker_outcome", task_broker=delivery())
    thread.join()
    assert counts == [0, 0, 1, 1]
    assert "it has kept the event loop for over 30 s" in caplog.text
    assert "in keep_the_loop\n" in caplog.text
    while not told:
        await asyncio.sleep(0)
    assert told == [("mine", "id-1")]


async def test_short_calls_are_no_hang_however_many() -> None:
    registry = registered(marked("worker_start", lambda: watched.append(watch.look(len(watched)))))
    watch, watched = HangWatch(registry.policy), list[None]()
    for _ in range(100):
        await fire(registry, "worker_start", worker=None)
    assert len(watched) == 100
    assert not registry.policy.errors


# Memory of one run


class Keeping(BasePlugin):
    """Counts its calls in ``plugin_cache``."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.seen: list[Any] = []

    def start(self, *args: Any, **kwargs: Any) -> None: ...

    def stop(self, *args: Any, **kwargs: Any) -> None: ...

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        self.seen.append(kwargs.get("plugin_cache"))
        count = kwargs.get("plugin_cache", {}).get("count", 0) + 1
        return {"plugin_cache": {"count": count}}


async def test_a_plugin_cache_lasts_for_one_run_of_one_plugin() -> None:
    one, two = Keeping("one"), Keeping("two")
    registry = TriggerRegistry()
    registry.add(one, ["worker_execute_before", RESULT])
    registry.add(two, [RESULT])
    first, second = delivery(), delivery()
    for run in (first, second):
        executor = type("Executor", (), {"task_broker": run})()
        await fire(registry, "worker_execute_before", worker=None, task_broker=run)
        values = {"task_executor": executor, "result": 7}
        after = await emit.replace(RESULT, registry.table.task_executor_run_task, values)
        assert after["result"] == 7
    assert one.seen == [None, {"count": 1}] * 2
    assert two.seen == [None, None]
    caches: Any = registry.table.task_executor_run_task[0].caches
    assert len(caches._kept) == 2
    del first, second, run, executor, values, after
    gc.collect()
    assert len(caches._kept) == 0


async def test_a_plugin_cache_may_come_with_an_answer() -> None:
    class Both(Keeping):
        def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
            self.seen.append(kwargs.get("plugin_cache"))
            return {"result": 9, "plugin_cache": "kept"}

    plugin, run = Both("p"), delivery()
    registry = registered(plugin)
    executor = type("Executor", (), {"task_broker": run})()
    for _ in range(2):
        values = {"task_executor": executor, "result": 7}
        after = await emit.replace(RESULT, registry.table.task_executor_run_task, values)
        assert after["result"] == 9
    assert plugin.seen == [None, "kept"]


async def test_who_cannot_take_a_plugin_cache_gets_none() -> None:
    class Narrow(Keeping):
        def trigger(self, name: str, worker: Any = None, task_broker: Any = None) -> Any:  # type: ignore[override]  # narrower on purpose
            self.seen.append((worker, task_broker))
            return {"plugin_cache": 1}

    plugin, run = Narrow("p"), delivery()
    registry = registered(plugin)
    for _ in range(2):
        await fire(registry, "worker_lease_lost", worker="w", task_broker=run)
    assert plugin.seen == [("w", run), ("w", run)]
    assert not registry.policy.errors


def test_a_plugin_has_a_state_of_its_own_for_each_run() -> None:
    one, two, first, second = Plugin(), Plugin(), delivery(), delivery()
    one.state(first).began = 5
    assert one.state(first).began == 5
    assert not hasattr(one.state(second), "began")
    assert not hasattr(two.state(first), "began")
    assert len(vars(one)["_states"]) == 2
    del first, second
    gc.collect()
    assert vars(one)["_states"] == {}
