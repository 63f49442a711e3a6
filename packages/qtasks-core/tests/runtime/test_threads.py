"""The thread pool."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import TYPE_CHECKING

import pytest

from qtasks._runtime.threads import ThreadPool
from qtasks.exc import Snooze

if TYPE_CHECKING:
    from collections.abc import Callable


async def until(condition: threading.Event) -> None:
    """Waits for a thread without blocking the loop."""
    await asyncio.get_running_loop().run_in_executor(None, condition.wait)


async def test_results_and_exceptions_come_back() -> None:
    pool = ThreadPool(2, "t")

    def fail() -> None:
        raise KeyError

    assert await pool.run(lambda: 5) == 5
    with pytest.raises(KeyError):
        await pool.run(fail)
    pool.close()


@pytest.mark.parametrize("error", [StopIteration(3), SystemExit(2), KeyboardInterrupt()])
async def test_special_exceptions_reach_the_caller(error: BaseException) -> None:
    pool = ThreadPool(1, "t")

    def fail() -> None:
        raise error

    expected = RuntimeError if isinstance(error, StopIteration) else type(error)
    caught: BaseException | None = None
    try:
        await pool.run(fail)
    except BaseException as raised:  # noqa: BLE001 - it is what is looked at
        caught = raised
    assert type(caught) is expected
    pool.close()


async def test_context_variables_travel_one_way() -> None:
    variable = contextvars.ContextVar("variable", default=0)
    variable.set(1)
    pool = ThreadPool(1, "t")

    def read_and_set() -> int:
        before = variable.get()
        variable.set(2)
        return before

    assert await pool.run(read_and_set) == 1
    assert variable.get() == 1
    pool.close()


async def test_at_most_size_threads_run_at_once() -> None:
    pool = ThreadPool(3, "t")
    running, most, lock = 0, 0, threading.Lock()
    barrier = threading.Barrier(3)

    def work() -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        barrier.wait()
        with lock:
            running -= 1
        return threading.current_thread().name

    names = await asyncio.gather(*(pool.run(work) for _ in range(9)))
    assert most == 3
    assert {name.rsplit("-", 1)[0] for name in names} == {"t"}
    assert len(set(names)) == 3
    pool.close()


async def test_an_abandoned_thread_is_replaced_and_its_answer_dropped() -> None:
    pool = ThreadPool(1, "t")
    started, release, ended = threading.Event(), threading.Event(), threading.Event()

    def stuck() -> str:
        started.set()
        release.wait()
        return "late"

    run = asyncio.ensure_future(pool.run(stuck))
    await until(started)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert pool.abandoned == 1
    assert await pool.run(lambda: "next") == "next"
    release.set()
    await pool.run(ended.set)
    while pool.abandoned:
        await asyncio.sleep(0)
    pool.close()


async def test_a_job_cancelled_before_it_started_never_runs() -> None:
    pool = ThreadPool(1, "t")
    started, release = threading.Event(), threading.Event()
    ran: list[int] = []
    first = asyncio.ensure_future(pool.run(lambda: (started.set(), release.wait())))
    await until(started)
    second = asyncio.ensure_future(pool.run(lambda: ran.append(2)))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    release.set()
    await first
    await pool.run(lambda: ran.append(3))
    assert ran == [3]
    pool.close()


@pytest.mark.parametrize("kind", [asyncio.CancelledError, GeneratorExit])
async def test_what_ends_coroutines_is_a_failure_like_others(kind: type[BaseException]) -> None:
    pool = ThreadPool(2, "cancelling")

    def fail() -> None:
        raise kind

    for _ in range(20):
        with pytest.raises(RuntimeError, match=f"the task raised {kind.__name__}"):
            await pool.run(fail)
    assert pool.abandoned == 0
    threads = [t for t in threading.enumerate() if t.name.startswith("cancelling")]
    assert len(threads) <= 2
    pool.close()


async def test_close_ends_idle_threads() -> None:
    pool = ThreadPool(4, "closing")
    await asyncio.gather(*(pool.run(lambda: None) for _ in range(8)))
    threads = [t for t in threading.enumerate() if t.name.startswith("closing")]
    assert threads
    pool.close()
    for thread in threads:
        await asyncio.to_thread(thread.join)


def test_a_thread_that_ends_after_its_loop_is_quiet() -> None:
    started, release = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    async def main() -> None:
        pool = ThreadPool(1, "t")

        def stuck() -> None:
            threads.append(threading.current_thread())
            started.set()
            release.wait()

        run = asyncio.ensure_future(pool.run(stuck))
        await until(started)
        run.cancel()

    asyncio.run(main())
    release.set()
    threads[0].join()


class TestThreadsThatCannotBeStarted:
    """A container has limits; a task that meets one has done nothing wrong."""

    @pytest.fixture
    def refuse(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
        """Lets the system refuse threads, or start them again."""
        start, refused = threading.Thread.start, [False]

        def starting(thread: threading.Thread) -> None:
            if refused[0]:
                msg = "can't start new thread"
                raise RuntimeError(msg)
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", starting)
        return lambda refuse: refused.__setitem__(0, refuse)

    async def test_those_that_there_are_do_it_all(
        self, refuse: Callable[[bool], None], caplog: pytest.LogCaptureFixture
    ) -> None:
        pool = ThreadPool(8, "test")
        await pool.run(threading.get_ident)
        refuse(True)

        idents = await asyncio.gather(*(pool.run(threading.get_ident) for _ in range(8)))

        assert len(set(idents)) == 1
        assert "No more than 1 threads can be started: can't start new thread" in caplog.text
        pool.close()

    async def test_without_any_the_task_waits_and_has_not_failed(
        self, refuse: Callable[[bool], None]
    ) -> None:
        pool = ThreadPool(8, "test")
        refuse(True)

        with pytest.raises(Snooze, match="no thread can be started"):
            await pool.run(threading.get_ident)

        refuse(False)
        assert await pool.run(threading.get_ident)
        pool.close()

    async def test_an_abandoned_one_is_replaced_as_soon_as_it_can(
        self, refuse: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("qtasks._runtime.threads._LATER", 0.001)
        pool, hold, began = ThreadPool(1, "test"), threading.Event(), asyncio.Event()
        stuck = asyncio.ensure_future(pool.run(hold.wait, began.set))
        await began.wait()
        waiting = asyncio.ensure_future(pool.run(threading.get_ident))
        await asyncio.sleep(0)
        refuse(True)
        stuck.cancel()
        await asyncio.wait([stuck])
        refuse(False)

        assert await waiting
        hold.set()
        pool.close()
