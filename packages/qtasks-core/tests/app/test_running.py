"""Tasks run: both colours of app, all kinds of function, on every embedded broker."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from qtasks.enums import TaskStatusEnum
from qtasks.exc import (
    Discard,
    Reject,
    ResultTooLargeError,
    RetryLater,
    Snooze,
    TaskArgumentsError,
    TaskCancelError,
    TaskCancelledError,
    TaskFailedError,
    UnknownTaskError,
    WaitTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Harness


def test_functions_and_coroutines_run(harness: Harness) -> None:
    @harness.app.task
    def plain(x: int, y: int = 2) -> tuple[int, str]:
        return x + y, threading.current_thread().name

    @harness.app.task(name="renamed")
    async def coroutine(x: int) -> tuple[int, str]:
        await asyncio.sleep(0)
        return x * 2, threading.current_thread().name

    @harness.app.task(pool="loop")
    def inline() -> str:
        return threading.current_thread().name

    main = threading.current_thread().name
    handles = [
        harness.do(plain.add_task(1)),
        harness.do(coroutine.add_task(x=4)),
        harness.do(inline.add_task()),
    ]
    assert [handle.status for handle in handles] == ["new"] * 3
    harness.work()
    results = [harness.do(handle.result(5)) for handle in handles]
    assert results[0][0] == 3
    assert results[0][1].startswith("qtasks-task")
    assert results[1:] == [(8, main), main]
    assert handles[1].task_name == "renamed"


def test_a_finished_task_tells_its_story(harness: Harness) -> None:
    @harness.app.task(priority=3)
    def double(x: int) -> int:
        return 2 * x

    handle = harness.do(double.add_task(21, headers={"trace": "t"}))
    before = datetime.now(UTC)
    harness.work()
    found = harness.do(harness.app.get(handle.uuid))
    assert found.status is TaskStatusEnum.SUCCESS
    assert found.finished
    assert (found.returning, found.args, found.kwargs) == (42, (21,), {})
    assert (found.priority, found.queue, found.headers) == (3, "default", {"trace": "t"})
    assert found.created_at <= found.started_at <= found.finished_at
    assert abs((found.created_at - before).total_seconds()) < 60
    assert (found.error, found.traceback, found.attempts, found.history) == (None, None, 0, [])
    assert repr(found) == f"<{type(found).__name__} double {found.id} success>"


def test_calling_a_task_runs_it_here(harness: Harness) -> None:
    @harness.app.task
    def add(x: int, y: int) -> int:
        """Adds."""
        return x + y

    assert add(1, 2) == 3
    assert (add.__name__, add.__doc__) == ("add", "Adds.")
    assert repr(add) == f"<{type(add).__name__} add(x: 'int', y: 'int') -> 'int'>"


def test_a_failure_is_stored_with_its_traceback(harness: Harness) -> None:
    @harness.app.task
    def fail() -> None:
        msg = "no luck"
        raise ValueError(msg)

    handle = harness.do(fail.add_task())
    harness.work()
    harness.do(handle.wait(5))
    assert (handle.status, handle.reason, handle.attempts) == ("error", "exhausted", 1)
    assert handle.error.type == "builtins.ValueError"
    assert "raise ValueError(msg)" in handle.traceback
    assert "_core" not in handle.traceback
    [entry] = handle.history
    assert (entry.outcome, entry.error_type, entry.delivery) == ("fail", "builtins.ValueError", 1)
    with pytest.raises(
        TaskFailedError, match=r"failed \(exhausted\): builtins.ValueError: no luck"
    ):
        harness.do(handle.result(5))


def test_a_failure_is_logged_and_cannot_forge_lines(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    @harness.app.task
    def fail() -> None:
        msg = "a\x1b[2Jb"
        raise ValueError(msg)

    handle = harness.do(fail.add_task())
    harness.work()
    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    line = record.getMessage()
    assert line.startswith(f"Task fail {handle.id} failed (exhausted)\nTraceback (most recent")
    assert line.endswith("ValueError: a\\x1b[2Jb")


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError()])
def test_what_would_end_a_program_ends_the_task_alone(
    harness: Harness, error: BaseException
) -> None:
    @harness.app.task
    async def leave() -> None:
        raise error

    @harness.app.task
    def stay() -> str:
        return "here"

    left, stayed = harness.do(leave.add_task()), harness.do(stay.add_task())
    harness.work()
    assert harness.do(left.wait(5)).status == "error"
    assert left.error.type.endswith(type(error).__name__)
    assert harness.do(stayed.result(5)) == "here"


def test_control_exceptions_work_without_a_plugin(harness: Harness) -> None:
    @harness.app.task
    def steer(how: str) -> None:
        raise {
            "reject": Reject("bad input"),
            "discard": Discard("too old"),
            "cancel": TaskCancelError("enough"),
        }[how]

    rejected, discarded, cancelled = (
        harness.do(steer.add_task(how)) for how in ("reject", "discard", "cancel")
    )
    harness.work()
    assert harness.do(rejected.wait(5)).status == "error"
    assert (rejected.reason, rejected.record.dead) == ("rejected", True)
    assert harness.do(discarded.wait(5)).status == "cancel"
    assert (discarded.reason, discarded.record.dead) == ("too old", False)
    with pytest.raises(TaskCancelledError, match="was cancelled: enough"):
        harness.do(cancelled.result(5))


ODD: dict[str, BaseException] = {
    "timedelta": RetryLater(timedelta(hours=1), "soon"),
    "text": RetryLater("1"),  # type: ignore[arg-type]  # the mistake under test
    "none": Snooze(None),  # type: ignore[arg-type]  # the mistake under test
    "nan": RetryLater(float("nan")),
    "infinite": Snooze(float("inf")),
    "huge": RetryLater(2**70, "x"),
    "negative": Snooze(-1),
    "surrogate": Discard("x\udcff"),
    "object": Discard(object()),  # type: ignore[arg-type]  # the mistake under test
    "cancel": TaskCancelError("\udcff"),
    "long": Discard("x" * 100_000),
    "reject": Reject(3),  # type: ignore[arg-type]  # the mistake under test
    "module": type("Odd", (Exception,), {"__module__": "x\udcff"})(),
}


def test_whatever_a_task_raises_the_worker_settles_it(harness: Harness) -> None:
    @harness.app.task
    def odd(how: str) -> None:
        raise ODD[how]

    handles = {how: harness.do(odd.add_task(how)) for how in ODD}
    harness.work()
    for handle in handles.values():
        harness.do(handle.refresh())
    ends = {how: handle.status.value for how, handle in handles.items()}
    assert ends == {
        "timedelta": "retry",
        "text": "error",
        "none": "error",
        "nan": "error",
        "infinite": "error",
        "huge": "retry",
        "negative": "error",
        "surrogate": "cancel",
        "object": "cancel",
        "cancel": "cancel",
        "long": "cancel",
        "reject": "error",
        "module": "error",
    }
    assert "a delay of nan is none: use seconds from 0 up" in handles["nan"].error.message
    assert handles["surrogate"].reason == "x\\udcff"
    assert len(handles["long"].reason) == 4096


def test_max_time_stops_coroutines_threads_and_spares_others(harness: Harness) -> None:
    release = threading.Event()

    @harness.app.task(max_time=0.05)
    async def coroutine() -> None:
        await asyncio.Event().wait()

    @harness.app.task(max_time=0.05)
    def thread() -> None:
        release.wait()

    @harness.app.task(max_time=30)
    def own() -> None:
        msg = "my own"
        raise TimeoutError(msg)

    handles = [harness.do(task.add_task()) for task in (coroutine, thread, own)]
    harness.work()
    release.set()
    for handle in handles:
        harness.do(handle.wait(5))
    assert [handle.error.type for handle in handles] == [
        "qtasks.exc.TaskTimeoutError",
        "qtasks.exc.TaskTimeoutError",
        "builtins.TimeoutError",
    ]
    assert "exceeded its max_time of 0.05 s" in handles[1].error.message


def test_priorities_and_order_within_one(make_harness: Callable[..., Harness]) -> None:
    harness = make_harness(max_tasks_process=1)
    order: list[int] = []

    @harness.app.task
    def note(number: int) -> None:
        order.append(number)

    for number, priority in [(1, 5), (2, 0), (3, -128), (4, 0), (5, 127)]:
        harness.do(note.add_task(number, priority=priority))
    harness.work()
    assert order == [3, 2, 4, 1, 5]


def test_queues_are_taken_from_as_asked(harness: Harness) -> None:
    @harness.app.task(queue="slow")
    def slow() -> str:
        return "slow"

    one, two = harness.do(slow.add_task()), harness.do(slow.add_task(queue="other"))
    harness.work()
    harness.work(queues=["slow"])
    assert harness.do(one.result(0)) == "slow"
    assert harness.do(two.refresh()).status == "new"
    harness.work(queues=["other", "slow"])
    assert harness.do(two.result(0)) == "slow"


def test_delays_hold_tasks_back(harness: Harness) -> None:
    @harness.app.task
    def now() -> None:
        """Does nothing."""

    later = [
        harness.do(now.add_task(delay=3600)),
        harness.do(now.options(delay=timedelta(hours=1)).add_task()),
        harness.do(now.add_task(eta=datetime.now(UTC) + timedelta(hours=1))),
        harness.do(now.add_task(eta=time.time() + 3600)),
    ]
    past = harness.do(now.add_task(eta=datetime(2020, 1, 1, tzinfo=UTC)))
    harness.work()
    assert harness.do(past.wait(5)).status == "success"
    assert [harness.do(handle.refresh()).status for handle in later] == ["new"] * 4
    [stats] = harness.do(harness.app.stats())
    assert (stats.ready, stats.delayed, stats.leased, stats.finished) == (0, 4, 0, 1)
    assert 3500 < stats.next_due_in <= 3600


def test_bulk_adds_all_or_none(harness: Harness) -> None:
    @harness.app.task
    def square(x: int) -> int:
        return x * x

    handles = harness.do(harness.app.add_tasks(square.build(x) for x in range(100)))
    harness.work()
    done = harness.collect(harness.app.as_completed(handles, timeout=5))
    assert sorted(handle.returning for handle in done) == [x * x for x in range(100)]
    with pytest.raises(TaskArgumentsError):
        square.build()
    assert harness.do(harness.app.add_tasks([])) == []


def test_options_and_own_parameters_do_not_mix(harness: Harness) -> None:
    @harness.app.task
    def call(number: str, timeout: int = 1, priority: int = 2) -> tuple[int, int]:
        return timeout, priority

    with pytest.raises(TaskArgumentsError, match=r"call\.options\(\.\.\.\)\.add_task\(priority="):
        harness.do(call.add_task("1", priority=5))
    handle = harness.do(call.options(priority=-7).add_task("1", timeout=50, priority=60))
    built = call.options(delay=0).options(priority=-8).build("1", timeout=3)
    [other] = harness.do(harness.app.add_tasks([built]))
    harness.work()
    assert (harness.do(handle.result(5)), handle.priority) == ((50, 60), -7)
    assert (harness.do(other.result(5)), other.priority) == ((3, 2), -8)
    with pytest.raises(
        TaskArgumentsError,
        match=r"unknown option 'prio', did you mean 'priority'.; options are delay",
    ):
        call.options(prio=1)


def test_the_same_task_id_is_added_once(harness: Harness) -> None:
    runs: list[int] = []

    @harness.app.task
    def count() -> None:
        runs.append(1)

    wanted = uuid4()
    first = harness.do(count.add_task(task_id=wanted))
    second = harness.do(count.add_task(task_id=str(wanted)))
    harness.work()
    harness.do(count.add_task(task_id=wanted))
    harness.work()
    assert first.uuid == second.uuid == wanted
    assert runs == [1]


def test_a_held_unique_key_gives_the_task_that_holds_it(harness: Harness) -> None:
    first = harness.do(harness.app.add_task("later", 1, delay=60, unique_key="k"))
    second = harness.do(harness.app.add_task("later", 2, delay=60, unique_key="k"))
    assert second.id == first.id
    assert second.args == (1,)
    assert harness.do(first.cancel()) == "cancelled"
    third = harness.do(harness.app.add_task("later", 3, unique_key="k"))
    assert third.id != first.id


def test_calls_by_name_need_no_code(harness: Harness) -> None:
    handle = harness.do(harness.app.add_task("defined_later", 2, y=3, priority=1))

    @harness.app.task
    def defined_later(x: int, y: int) -> int:
        return x * y

    harness.work()
    assert harness.do(handle.result(5)) == 6
    with pytest.raises(TaskArgumentsError, match=r"defined_later\(x"):
        harness.do(harness.app.add_task("defined_later"))
    by_object = harness.do(harness.app.add_task(defined_later, 1, y=1))
    assert by_object.task_name == "defined_later"


def test_waiting_times_out_with_the_handle(harness: Harness) -> None:
    handle = harness.do(harness.app.add_task("nobody"))
    with pytest.raises(WaitTimeoutError, match=r"was not over after 0.01 s; it goes on") as caught:
        harness.do(handle.wait(0.01))
    assert caught.value.task is handle
    with pytest.raises(WaitTimeoutError):
        harness.do(harness.app.add_task("nobody", timeout=0))
    with pytest.raises(TaskArgumentsError, match="timeout=-1"):
        harness.do(handle.wait(-1))
    assert harness.collect(harness.app.as_completed([handle], timeout=0.01)) == []


def test_a_task_without_a_stored_result_leaves_no_record(harness: Harness) -> None:
    @harness.app.task(store_result=False)
    def forget() -> object:
        return object()

    handle = harness.do(forget.add_task())
    harness.work()
    assert harness.do(harness.app.get(handle.id)) is None
    for call in (lambda: handle.wait(5), handle.refresh):
        with pytest.raises(UnknownTaskError, match="store_result=False"):
            harness.do(call())
    assert harness.collect(harness.app.as_completed([handle], timeout=5)) == []


def test_decode_gives_the_value_that_is_stored(harness: Harness) -> None:
    @harness.app.task(decode=str)
    def number() -> int:
        return 5

    async def shout(text: str) -> str:
        return text.upper()

    @harness.app.task(decode=shout)
    async def text() -> str:
        return "abc"

    handles = [harness.do(number.add_task()), harness.do(text.add_task())]
    harness.work()
    assert [harness.do(handle.result(5)) for handle in handles] == ["5", "ABC"]


def test_a_result_that_cannot_be_stored_is_an_error(make_harness: Callable[..., Harness]) -> None:
    harness = make_harness(max_payload=1000)

    @harness.app.task
    def strange() -> list[object]:
        return [1, object()]

    handle = harness.do(strange.add_task())
    harness.work()
    harness.do(handle.wait(5))
    assert "the result of strange:[1] cannot be encoded" in handle.error.message


def test_a_result_over_the_limit_is_not_kept_and_the_task_has_succeeded(
    make_harness: Callable[..., Harness], caplog: pytest.LogCaptureFixture
) -> None:
    """What it did is done; to run it again would do it twice and return as much."""
    harness = make_harness(max_payload=1000)
    runs: list[int] = []

    @harness.app.task
    def large() -> str:
        runs.append(1)
        return "x" * 2000

    handle = harness.do(large.add_task())
    harness.work()
    harness.do(handle.wait(5))

    said = (
        "large has succeeded, but its result is not kept: the result of large: takes 2,003 bytes,"
        " over the limit of 1,000"
    )
    assert (handle.status, handle.attempts, handle.history, runs) == ("success", 0, [], [1])
    assert f"{said}: pass a reference" in caplog.text
    for ask in (lambda: handle.returning, lambda: harness.do(handle.result(5))):
        with pytest.raises(ResultTooLargeError, match=said):
            ask()


def test_a_task_that_adds_too_much_fails_itself(make_harness: Callable[..., Harness]) -> None:
    harness = make_harness(max_payload=1000)

    @harness.app.task(echo=True)
    def hand_on(self: Any, _text: str = "") -> None:
        self.add_task("x" * 2000)

    handle = harness.do(hand_on.add_task())
    harness.work()
    harness.do(handle.wait(5))
    assert (handle.status, handle.error.type) == ("error", "qtasks.exc.PayloadTooLargeError")
    assert len(harness.do(harness.app.list_tasks())[0]) == 1


def test_cancel_a_waiting_task(harness: Harness) -> None:
    handle = harness.do(harness.app.add_task("later", delay=60))
    assert harness.do(handle.cancel("not needed")) == "cancelled"
    assert harness.do(handle.refresh()).status == "cancel"
    assert handle.reason == "not needed"
    assert harness.do(harness.app.cancel(handle.id)) == "finished"
    assert harness.do(harness.app.cancel(uuid4())) == "unknown"


def test_dead_letters_can_be_requeued_or_discarded(harness: Harness) -> None:
    broken = [True]

    @harness.app.task
    def repair() -> str:
        if broken[0]:
            msg = "broken"
            raise OSError(msg)
        return "works"

    one, two = harness.do(repair.add_task()), harness.do(repair.add_task())
    harness.work()
    dead, cursor = harness.do(harness.app.list_tasks(dead=True, error_type="OSError"))
    assert {handle.id for handle in dead} == {one.id, two.id}
    assert cursor is None
    broken[0] = False
    assert harness.do(harness.app.requeue([one.id])) == [one.id]
    assert harness.do(harness.app.requeue([one.id])) == []
    assert harness.do(harness.app.discard([two.id, one.id])) == [two.id]
    harness.work()
    assert harness.do(one.result(5)) == "works"
    assert [entry.outcome for entry in one.history] == ["fail", "success"]
    assert harness.do(harness.app.get(two.id)) is None


def test_lists_are_filtered_and_paged(harness: Harness) -> None:
    for number in range(5):
        harness.do(harness.app.add_task(f"t{number % 2}", number))
    page, cursor = harness.do(harness.app.list_tasks(limit=2))
    assert [handle.args for handle in page] == [(4,), (3,)]
    page, cursor = harness.do(harness.app.list_tasks(limit=10, cursor=cursor))
    assert [handle.args for handle in page] == [(2,), (1,), (0,)]
    assert cursor is None
    page, _ = harness.do(harness.app.list_tasks(task="t1", since=timedelta(minutes=5)))
    assert [handle.args for handle in page] == [(3,), (1,)]
    assert harness.do(harness.app.list_tasks(status="success")) == ([], None)
    with pytest.raises(TaskArgumentsError, match="status='done'; use one of new"):
        harness.do(harness.app.list_tasks(status="done"))
    with pytest.raises(TaskArgumentsError, match="limit=0"):
        harness.do(harness.app.list_tasks(limit=0))


def test_flush_removes_everything(harness: Harness) -> None:
    handle = harness.do(harness.app.add_task("x"))
    harness.do(harness.app.flush_all())
    assert harness.do(harness.app.get(handle.id)) is None


def test_ping_asks_for_workers_or_for_the_broker(harness: Harness) -> None:
    assert harness.do(harness.app.ping()) is False
    assert harness.do(harness.app.ping(server=False)) is True
    seen: list[Any] = []

    if harness.colour == "sync":

        @harness.app.task
        def look() -> None:
            seen.append((harness.app.ping(), harness.app.workers()))
    else:

        @harness.app.task
        async def look() -> None:
            seen.append((await harness.app.ping(), await harness.app.workers()))

    while not seen or not seen[-1][0]:  # the first report may come after the first task
        harness.do(look.add_task())
        harness.work()
    [(alive, [worker])] = seen[-1:]
    assert alive
    assert (worker.pid, worker.slots, worker.queues) == (os.getpid(), 100, ("default",))
    assert harness.do(harness.app.ping()) is False


def test_a_task_may_add_tasks(harness: Harness) -> None:
    if harness.colour == "sync":

        @harness.app.task
        def outer() -> str:
            handle = inner.add_task()
            return str(handle.id)
    else:

        @harness.app.task
        async def outer() -> str:
            handle = await inner.add_task()
            return str(handle.id)

    @harness.app.task
    def inner() -> int:
        return 1

    handle = harness.do(outer.add_task())
    harness.work()
    child = harness.do(harness.app.get(harness.do(handle.result(5))))
    assert child.returning == 1
    assert (child.record.parent_id, child.record.root_id) == (handle.id, handle.id)


@pytest.mark.parametrize("url", ["memory://"])
def test_a_burst_ends_as_soon_as_nothing_is_left(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told, and does not look now and then."""
    runs: list[int] = []
    monkeypatch.setattr("qtasks._worker.burst._LOOK", 3600.0)

    @harness.app.task
    def again() -> None:
        runs.append(1)
        if len(runs) < 4:
            raise RetryLater(0)

    harness.do(again.add_task())
    burst = threading.Thread(target=harness.work, daemon=True)
    burst.start()
    burst.join(60)
    assert not burst.is_alive()
    assert len(runs) == 4
