"""The engine of the worker: batches, leases, outages, shutdown."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from qtasks._worker.keeper import Keeper
from qtasks.asyncio import QueueTasks
from qtasks.brokers import MemoryBroker
from qtasks.configs import QueueConfig
from qtasks.exc import ServerError, ServerUnavailableError
from qtasks.plugins import BasePlugin
from qtasks.schemas import Claim, Message, TaskStatusEnum
from qtasks.testing.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qtasks.asyncio import AsyncTask
    from qtasks.schemas import Exchange, Extension, Held, Settlement


class Faulty(MemoryBroker):
    """Counts calls, and fails when it is told to; the twin shares the counts."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.shared: dict[str, Any] = {"exchanges": 0, "settled": [], "claims": []}
        self.failing: Callable[[], Exception | None] = lambda: None

    def client(self) -> Any:
        twin = super().client()
        twin.shared = self.shared
        return twin

    async def exchange(self, settlements: Sequence[Settlement], request: Claim) -> Exchange:
        if error := self.failing():
            raise error
        self.shared["exchanges"] += 1
        self.shared["settled"].append([s.id for s in settlements])
        self.shared["claims"].append(request)
        return await super().exchange(settlements, request)

    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        answer = await super().extend(held, lease)
        self.shared.setdefault("extended", threading.Semaphore(0)).release()
        return answer


class Recorder(BasePlugin):
    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[str, dict[str, Any]]] = []

    def start(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""

    def stop(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> None:
        self.events.append((name, kwargs))

    def of(self, name: str) -> list[dict[str, Any]]:
        return [kwargs for found, kwargs in self.events if found == name]


def make_app(
    broker: MemoryBroker | None = None, clock: FakeClock | None = None, **config: Any
) -> QueueTasks:
    return QueueTasks(
        broker=broker or MemoryBroker(clock=clock), config=QueueConfig(**config), clock=clock
    )


async def test_a_busy_worker_settles_and_claims_in_batches() -> None:
    broker = Faulty()
    app = make_app(broker)

    @app.task
    async def nothing() -> None:
        """Does nothing."""

    await app.add_tasks(nothing.build() for _ in range(2000))
    await app.worker(burst=True).run()
    assert sum(map(len, broker.shared["settled"])) == 2000
    assert broker.shared["exchanges"] <= 2000 * 0.1


async def test_a_burst_ends_when_all_is_done_not_before() -> None:
    app = make_app(max_tasks_process=2, prefetch=1)
    ran: list[int] = []

    @app.task
    async def chain(left: int) -> None:
        ran.append(left)
        if left:
            await chain.add_task(left - 1)

    await app.add_tasks(chain.build(3) for _ in range(100))
    await app.worker(burst=True).run()
    assert len(ran) == 400


async def test_a_paused_queue_does_not_hold_a_burst() -> None:
    app = make_app()
    await app.add_task("x")
    await app.broker.pause("default")
    await app.worker(burst=True).run()


async def test_slots_and_prefetch_are_never_exceeded() -> None:
    broker = Faulty()
    app = make_app(broker, max_tasks_process=3, prefetch=2)
    running, most = 0, 0
    gate = asyncio.Event()

    @app.task
    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1

    handles = await app.add_tasks(work.build() for _ in range(20))
    async with app.worker():
        while running < 3 or (await app.stats())[0].leased < 5:
            await asyncio.sleep(0)
        assert (await app.stats())[0].leased == 5
        gate.set()
        assert len([handle async for handle in app.as_completed(handles, 10)]) == 20
    assert most == 3
    assert max(request.limit for request in broker.shared["claims"]) == 5


async def test_an_idle_worker_makes_no_calls_until_it_is_woken() -> None:
    broker = Faulty()
    app = make_app(broker)

    @app.task
    async def answer() -> int:
        return 42

    async with app.worker():
        assert (await answer.add_task(timeout=5)).returning == 42
        before = broker.shared["exchanges"]
        assert (await answer.add_task(timeout=5)).returning == 42
        assert broker.shared["exchanges"] - before <= 3


async def test_a_task_nobody_knows_waits_its_grace_and_becomes_a_dead_letter() -> None:
    clock = FakeClock()
    app = make_app(clock=clock, unknown_task_grace=12)
    handle = await app.add_task("mystery", 1)
    for _ in range(2):
        await app.worker(burst=True).run()
        assert (await handle.refresh()).status == "new"
        clock.advance(6)
    await app.worker(burst=True).run()
    await handle.refresh()
    assert (handle.status, handle.reason, handle.attempts) == ("error", "unknown_task", 0)
    assert handle.args == (1,)
    assert "no worker has known the task 'mystery'" in handle.error.message  # type: ignore[union-attr]  # it is an error


async def test_a_corrupted_message_is_a_dead_letter_and_the_worker_goes_on() -> None:
    app = make_app()
    app.task(name="fine")(lambda: 5)
    ids = [f"00000000-0000-0000-0000-00000000000{n}" for n in range(4)]
    payloads = [b"", b"\xc1", b"\x93\x01\x02\x03", b"\x92\x90\x80"]
    await app.broker.publish(
        [Message(i, "fine", "default", p) for i, p in zip(ids, payloads, strict=True)]
    )
    await app.worker(burst=True).run()
    ends = [await app.get(task_id) for task_id in ids]
    assert [handle.reason for handle in ends if handle] == ["malformed"] * 3 + [""]
    assert all(handle.record.dead for handle in ends[:3] if handle)
    assert ends[3]
    assert ends[3].returning == 5


async def test_an_outage_delays_outcomes_and_loses_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    broker = Faulty()
    app = make_app(broker)
    started, away = asyncio.Event(), [False]
    failures: list[int] = []

    def failing() -> Exception | None:
        if not away[0]:
            return None
        failures.append(1)
        away[0] = len(failures) < 3
        return ServerUnavailableError("gone")

    broker.failing = failing

    @app.task
    async def work() -> int:
        started.set()
        away[0] = True
        return 7

    handle = await work.add_task()
    async with app.worker():
        await started.wait()
        await handle.wait(10)
    assert handle.returning == 7
    assert len(failures) == 3
    lines = [r.message for r in caplog.records if "broker" in r.message]
    assert lines == [
        "The broker is away, its work waits: gone",
        "The broker is back after 3 attempts",
    ]


async def test_a_broken_broker_ends_the_worker_with_its_error() -> None:
    broker = Faulty()
    broker.failing = lambda: ServerError("broken for good")
    with pytest.raises(ServerError, match="broken for good"):
        await make_app(broker).worker().run()


async def test_a_stale_outcome_is_refused_and_reported() -> None:
    broker = Faulty()
    app = make_app(broker)
    recorder = Recorder()
    app.add_plugin(recorder)
    runs: list[int] = []
    release = asyncio.Event()

    @app.task
    async def work() -> str:
        runs.append(len(runs))
        if len(runs) == 1:
            await release.wait()
            return "stale"
        return "fresh"

    handle = await work.add_task()
    async with app.worker() as worker:
        while not runs:
            await asyncio.sleep(0)
        assert await broker.expire(worker.id) == 1
        async with app.worker():
            await handle.wait(10)
        release.set()
        while not recorder.of("worker_lease_lost"):
            await asyncio.sleep(0)
    assert (await handle.refresh()).returning == "fresh"
    assert sorted(event["fenced"] for event in recorder.of("worker_outcome")) == [False, True]


async def test_the_keeper_tells_a_run_that_its_lease_was_lost() -> None:
    app = make_app()
    cancelled = asyncio.Event()

    @app.task
    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    await work.add_task()
    async with app.worker() as worker:
        while not (await app.stats())[0].leased:
            await asyncio.sleep(0)
        await app.broker.pause("default")
        await app.broker.expire(worker.id)
        await worker._keeper.round()
        await cancelled.wait()
        [stats] = await app.stats()
        assert (stats.ready, stats.leased) == (1, 0)


async def test_a_task_that_comes_back_while_it_runs_runs_on_under_the_new_token() -> None:
    app = make_app()
    recorder = Recorder()
    app.add_plugin(recorder)
    runs: list[asyncio.Event] = []
    ends: list[int] = []

    @app.task
    async def work() -> str:
        number = len(runs)
        runs.append(asyncio.Event())
        try:
            await runs[number].wait()
        finally:
            ends.append(number)
        return f"run {number}"

    handle = await work.add_task()
    async with app.worker() as worker:
        while not runs:
            await asyncio.sleep(0)
        await app.broker.expire(worker.id)
        while len(runs) < 2 or not ends:
            await asyncio.sleep(0)
        assert ends == [0]
        assert [held.id for held in worker.held()] == [handle.id]
        await worker._keeper.round()
        runs[1].set()
        await handle.wait(10)
    assert handle.returning == "run 1"
    assert len(recorder.of("worker_lease_lost")) == 1


async def test_a_task_that_waits_in_the_worker_can_be_cancelled() -> None:
    app = make_app(max_tasks_process=1)
    started, release = asyncio.Event(), asyncio.Event()
    ran: list[int] = []

    @app.task
    async def work(number: int) -> None:
        ran.append(number)
        started.set()
        await release.wait()

    first, second = await work.add_task(1), await work.add_task(2)
    async with app.worker() as worker:
        await started.wait()
        while (await app.stats())[0].leased < 2:
            await asyncio.sleep(0)
        assert await second.cancel("not needed") == "requested"
        await worker._keeper.round()
        await second.wait(10)
        release.set()
        await first.wait(10)
    assert (second.status, second.reason, ran) == ("cancel", "not needed", [1])


async def test_a_worker_that_stops_while_the_broker_is_away_gives_up_in_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("qtasks._worker.stopping._LAST_COMMIT", 0.3)
    broker = Faulty()
    app = make_app(broker, shutdown_timeout=0)
    started = asyncio.Event()
    calls: list[int] = []

    def failing() -> Exception | None:
        if not started.is_set():
            return None
        calls.append(1)
        return ServerUnavailableError("gone")

    broker.failing = failing

    @app.task
    async def work() -> None:
        started.set()

    await work.add_task()
    async with app.worker():
        await started.wait()
    assert "their leases will run out" in caplog.text
    assert len(calls) < 20


async def test_a_running_task_can_be_cancelled_from_outside() -> None:
    app = make_app()
    started = asyncio.Event()

    @app.task
    async def work() -> None:
        started.set()
        await asyncio.Event().wait()

    handle = await work.add_task()
    async with app.worker() as worker:
        await started.wait()
        assert await handle.cancel("enough") == "requested"
        await worker._keeper.round()
        await handle.wait(10)
    assert (handle.status, handle.reason) == (TaskStatusEnum.CANCEL, "enough")


async def test_a_running_task_hears_of_its_end_long_before_its_lease_is_renewed() -> None:
    app = make_app(lease=3600)

    @app.task(echo=True)
    async def work(self: AsyncTask) -> None:
        await self.app.cancel(self.ctx.task_uuid, "enough")
        await asyncio.Event().wait()

    async with app.worker():
        handle = await work.add_task(timeout=60)
    assert (handle.status, handle.reason) == (TaskStatusEnum.CANCEL, "enough")


async def test_the_keeper_looks_after_those_alone_that_run_for_longer() -> None:
    broker = Faulty()
    app = make_app(broker)
    gate = asyncio.Event()

    @app.task
    async def wait() -> None:
        await gate.wait()

    first = await wait.add_task()
    async with app.worker() as worker:
        keeper = Keeper(broker, worker, lease=3600)
        asked: list[list[str]] = []
        keeper._broker = broker

        async def extend(held: Sequence[Held], lease: float) -> Extension:
            asked.append([one.id for one in held])
            return await Faulty.extend(broker, held, lease)

        broker.extend = extend  # type: ignore[method-assign]  # counts what is asked
        while not worker.held():
            await asyncio.sleep(0)
        await keeper.look()
        assert asked == []
        second = await wait.add_task()
        while len(worker.held()) < 2:
            await asyncio.sleep(0)
        await keeper.look()
        assert asked == [[first.id]]
        await keeper.look()
        assert asked == [[first.id], [first.id, second.id]]
        gate.set()
    await keeper.look()
    assert len(asked) == 2


async def test_leases_are_renewed_while_the_loop_is_blocked() -> None:
    broker = Faulty()
    app = make_app(broker, lease=0.03)

    @app.task(pool="loop")
    def block() -> str:
        extended = broker.shared.setdefault("extended", threading.Semaphore(0))
        for _ in range(5):
            extended.acquire()
        return "still mine"

    async with app.worker():
        handle = await block.add_task(timeout=30)
    assert handle.returning == "still mine"
    assert handle.record.deliveries == 1


async def test_stopping_lets_short_tasks_end_and_gives_back_the_rest() -> None:
    app = make_app(max_tasks_process=2, prefetch=5, shutdown_timeout=0.2)
    started = asyncio.Event()
    short_may_end = asyncio.Event()

    @app.task
    async def short() -> str:
        await short_may_end.wait()
        return "done"

    @app.task
    async def long() -> None:
        started.set()
        await asyncio.Event().wait()

    first, second = await short.add_task(), await long.add_task()
    waiting = await app.add_tasks(short.build() for _ in range(3))
    worker = app.worker()
    run = asyncio.ensure_future(worker.run())
    await started.wait()
    worker.stop()
    while not worker._pump._draining:
        await asyncio.sleep(0)
    short_may_end.set()
    await run
    assert (await first.refresh()).returning == "done"
    for handle in [second, *waiting]:
        await handle.refresh()
        assert (handle.status, handle.attempts, handle.record.lost) == ("new", 0, 0)
    [stats] = await app.stats()
    assert (stats.ready, stats.leased) == (4, 0)


async def test_a_second_stop_gives_back_at_once() -> None:
    app = make_app(shutdown_timeout=3600)
    started = asyncio.Event()

    @app.task
    async def long() -> None:
        started.set()
        await asyncio.Event().wait()

    handle = await long.add_task()
    worker = app.worker()
    run = asyncio.ensure_future(worker.run())
    await started.wait()
    app.stop()
    app.stop()
    await run
    assert (await handle.refresh()).status == "new"


async def test_runs_that_were_given_back_are_not_counted_as_finished(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = make_app(shutdown_timeout=0)
    started = asyncio.Event()

    @app.task
    async def short() -> None: ...

    @app.task
    async def long() -> None:
        started.set()
        await asyncio.Event().wait()

    await long.add_task()
    done = await short.add_task()
    with caplog.at_level(logging.INFO, "qtasks.worker"):
        async with app.worker() as worker:
            await started.wait()
            await done.wait(30)
            while not worker.settled:
                await asyncio.sleep(0)
    assert (worker.settled, worker.given_back) == (1, 1)
    assert f"Worker {worker.id} has stopped: 1 runs finished, 1 given back" in caplog.messages


async def test_what_was_given_back_runs_first_next_time() -> None:
    app = make_app(max_tasks_process=1, prefetch=0, shutdown_timeout=0)
    order: list[int] = []
    started = asyncio.Event()
    block = [True]

    @app.task
    async def work(number: int) -> None:
        order.append(number)
        started.set()
        if block[0]:
            await asyncio.Event().wait()

    await app.add_tasks(work.build(number) for number in range(3))
    async with app.worker():
        await started.wait()
    block[0] = False
    await app.worker(burst=True).run()
    assert order == [0, 0, 1, 2]


async def test_a_cancelled_run_stops_cleanly() -> None:
    app = make_app(shutdown_timeout=0)
    started = asyncio.Event()

    @app.task
    async def long() -> None:
        started.set()
        await asyncio.Event().wait()

    handle = await long.add_task()
    run = asyncio.ensure_future(app.worker().run())
    await started.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert (await handle.refresh()).status == "new"


async def test_a_worker_can_be_started_again() -> None:
    app = make_app()
    app.task(name="fine")(lambda: 5)
    worker = app.worker()
    for _ in range(2):
        async with worker:
            assert (await app.add_task("fine", timeout=10)).returning == 5
            worker.stop()
    worker.stop()
    await worker.run()
    assert await app.workers() == []


async def test_suspects_run_one_after_another_without_a_pause() -> None:
    app = make_app()

    @app.task
    async def work() -> None:
        """Does nothing."""

    handles = await app.add_tasks(work.build() for _ in range(50))
    await app.broker.claim(Claim(("default",), 40, 60.0, "dead"))
    await app.broker.expire("dead")
    async with app.worker():
        assert len([handle async for handle in app.as_completed(handles, 10)]) == 50
    assert sum(handle.record.deliveries for handle in handles) == 90


async def test_outcomes_may_wait_for_company_but_not_the_urgent() -> None:
    app = make_app(commit_interval=3600)

    @app.task(ack="immediate")
    async def urgent() -> int:
        return 1

    async with app.worker():
        assert (await urgent.add_task(timeout=10)).returning == 1

        @app.task
        async def patient() -> int:
            return 2

        one = await patient.add_task()
        while (await app.stats())[0].leased == 0:
            await asyncio.sleep(0)
        two = await urgent.add_task(timeout=10)
        assert two.returning == 1
        assert (await one.wait(10)).returning == 2


async def test_an_unexpected_error_while_waiting_does_not_deafen_the_worker() -> None:
    class Deaf(MemoryBroker):
        waits = 0

        async def ready(self, queues: Sequence[str], timeout: float) -> bool:
            self.waits += 1
            if self.waits == 1:
                msg = "no descriptors left"
                raise OSError(msg)
            return await super().ready(queues, timeout)

    broker = Deaf()
    app = make_app(broker)
    app.task(name="fine")(lambda: 5)
    async with app.worker():
        while not broker.waits:
            await asyncio.sleep(0)
        assert (await app.add_task("fine", timeout=10)).returning == 5


async def test_a_burst_that_is_stopped_waits_for_no_counts() -> None:
    class Slow(MemoryBroker):
        async def stats(self, queue: str) -> Any:
            asked.set()
            await asyncio.Event().wait()
            return await super().stats(queue)

    asked = asyncio.Event()
    worker = make_app(Slow()).worker(burst=True)
    running = asyncio.create_task(worker.run(signals=False))
    await asked.wait()
    worker.stop()
    await running


async def test_a_burst_survives_an_outage_of_the_counts() -> None:
    class Uncounted(MemoryBroker):
        failures = 2

        async def stats(self, queue: str) -> Any:
            if self.failures:
                self.failures -= 1
                msg = "gone"
                raise ServerUnavailableError(msg)
            return await super().stats(queue)

    broker = Uncounted()
    await make_app(broker).worker(burst=True).run()
    assert broker.failures == 0


async def test_the_worker_stops_when_leases_can_never_be_renewed_again() -> None:
    class Doomed(MemoryBroker):
        async def sweep(self, limit: int = 100) -> Any:
            msg = "the file is gone"
            raise ServerError(msg)

    with pytest.raises(ServerError, match="the file is gone"):
        await make_app(Doomed()).worker().run()


async def test_a_stop_that_is_cancelled_leaves_nothing_running() -> None:
    app = make_app(shutdown_timeout=3600)
    started = asyncio.Event()

    @app.task
    async def stubborn() -> None:
        started.set()
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if cancelled:
                    raise
                cancelled.append(1)

    cancelled: list[int] = []
    await stubborn.add_task()
    worker = app.worker()
    run = asyncio.ensure_future(worker.run())
    await started.wait()
    run.cancel()
    while not worker._pump._draining:
        await asyncio.sleep(0)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert worker._main is not None
    assert worker._main.done()


def test_a_worker_can_be_started_again_in_another_loop() -> None:
    app = make_app()
    app.task(name="fine")(lambda: 5)
    worker = app.worker(burst=True)
    for _ in range(2):
        handle = asyncio.run(app.add_task("fine"))
        asyncio.run(worker.run())
        assert asyncio.run(handle.refresh()).returning == 5


async def test_a_start_that_fails_leaves_nothing_open() -> None:
    class Broken(MemoryBroker):
        started = 0

        async def start(self) -> None:
            self.started += 1

        async def stop(self) -> None:
            self.started -= 1

    broker = Broken()
    app = make_app(broker)

    async def fail() -> None:
        msg = "storage away"
        raise ServerUnavailableError(msg)

    broker.storage.start = fail  # type: ignore[method-assign]  # the fault under test
    worker = app.worker()
    with pytest.raises(ServerUnavailableError, match="storage away"):
        await worker.run()
    assert broker.started == 0
    app.stop()


async def test_no_threads_or_tasks_are_left_behind() -> None:
    before = {thread.name for thread in threading.enumerate()}
    app = make_app()
    app.task(name="plain")(lambda: 1)
    async with app.worker():
        await (await app.add_task("plain")).wait(10)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    for thread in threading.enumerate():
        if thread.name not in before and thread.name.startswith("qtasks"):
            await asyncio.to_thread(thread.join)
