"""Settings that change: who is told, what stays as it was, and what a running worker does."""

from __future__ import annotations

import asyncio
import copy
import gc
import logging
import pickle
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import qtasks
from qtasks._config import SETTINGS
from qtasks._runtime.threads import ThreadPool
from qtasks.asyncio import QueueTasks
from qtasks.configs import QueueConfig, Source
from qtasks.exc import ConfigError, PayloadTooLargeError
from qtasks.schemas import Retention

if TYPE_CHECKING:
    from collections.abc import Callable


def test_subscribers_are_told_in_order() -> None:
    config = QueueConfig()
    told: list[Any] = []
    config.subscribe(lambda *change: told.append(("first", *change)))
    config.subscribe(lambda *change: told.append(("second", *change)))

    config.lease = 5

    assert told == [("first", config, "lease", 5.0), ("second", config, "lease", 5.0)]
    assert config.source("lease") == Source("code")


def test_what_is_refused_or_the_same_is_no_change() -> None:
    config = QueueConfig()
    told: list[Any] = []
    config.subscribe(lambda *change: told.append(change))

    with pytest.raises(ConfigError):
        config.lease = "x"  # type: ignore[assignment]  # the mistake under test
    with pytest.raises(ConfigError, match=r"unknown setting 'leese' .*Did you mean 'lease'"):
        config.leese = 3  # type: ignore[attr-defined]  # the mistake under test
    with pytest.raises(ConfigError, match="setting lease cannot be deleted"):
        del config.lease
    config.lease = 15

    assert (config.lease, told) == (15.0, [])


def test_one_that_raises_is_logged_and_the_others_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = QueueConfig()
    told: list[str] = []

    def fail(config: QueueConfig, key: str, value: Any) -> None:
        raise ZeroDivisionError

    config.subscribe(fail)
    config.subscribe(lambda _, key, __: told.append(key))

    config.prefetch = 3

    assert (config.prefetch, told) == (3, ["prefetch"])
    (record,) = caplog.records
    assert "A subscriber failed to take in prefetch" in record.getMessage()
    assert record.exc_info is not None


def test_a_subscription_ends_when_asked_and_others_stay() -> None:
    config = QueueConfig()
    told: list[str] = []

    def tell(config: QueueConfig, key: str, value: Any) -> None:
        told.append(key)
        end()  # also while subscribers are told

    end = config.subscribe(tell)
    config.subscribe(lambda _, key, __: told.append(key.upper()))

    config.lease = 1
    config.lease = 2
    end()

    assert told == ["lease", "LEASE", "LEASE"]


async def coroutine(config: QueueConfig, key: str, value: Any) -> None:
    """Is no plain function."""


@pytest.mark.parametrize("callback", [coroutine, "name", None])
def test_what_cannot_be_told_is_refused(callback: Any) -> None:
    with pytest.raises(ConfigError, match=r"give a plain function of config, key and value"):
        QueueConfig().subscribe(callback)


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda config: pickle.loads(pickle.dumps(config))]
)
def test_copies_keep_values_and_sources_and_are_on_their_own(
    duplicate: Callable[[QueueConfig], QueueConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QTASKS_RESULT_TTL", "5")
    config = QueueConfig(queues=("a", "b"))
    told: list[Any] = []
    config.subscribe(lambda *change: told.append(change))
    monkeypatch.delenv("QTASKS_RESULT_TTL")

    copied = duplicate(config)
    copied.lease = 3

    assert (copied.queues, copied.result_ttl) == (("a", "b"), 5.0)
    assert copied.source("result_ttl").where == "QTASKS_RESULT_TTL"
    assert repr(copied) == repr(config).replace("lease=15.0", "lease=3.0")
    assert (config.lease, told) == (15.0, [])


def test_the_url_of_an_app_cannot_change_any_more() -> None:
    app = QueueTasks(broker_url="memory://me:hunter2@here")

    message = "the app was made with 'memory://me:[*]{3}@here' and keeps it; give broker_url= to"
    with pytest.raises(ConfigError, match=message):
        app.config.broker_url = "memory://there"
    app.config.broker_url = "memory://me:hunter2@here"


def test_apps_with_different_urls_do_not_share_their_settings() -> None:
    config = QueueConfig()

    first = QueueTasks(broker_url="memory://one", config=config)
    second = QueueTasks(broker_url="memory://two", config=config)
    third = QueueTasks(broker_url="memory://one", config=config)

    assert first.config is third.config is config
    assert (config.broker_url, second.config.broker_url) == ("memory://one", "memory://two")


@pytest.mark.parametrize("kind", [qtasks.QueueTasks, QueueTasks])
def test_new_times_to_live_reach_the_servers(kind: Any) -> None:
    app = kind(broker_url="memory://", storage_url="memory://other")

    app.config.result_ttl, app.config.dead_ttl = 5, 6

    servers = [server for c in app._connections for server in (c.broker, c.storage)]
    assert [server.retention for server in servers] == [Retention(5.0, 6.0)] * len(servers)


def test_settings_do_not_keep_an_app() -> None:
    config = QueueConfig()
    app = weakref.ref(QueueTasks(broker_url="memory://", config=config))
    gc.collect()

    config.result_ttl = 5

    assert app() is None
    assert not config._subscribers


async def test_the_client_takes_up_changes() -> None:
    app = QueueTasks(broker_url="memory://")

    app.config.task_default_priority = 7
    assert (await app.add_task("x", "y" * 100)).priority == 7

    app.config.max_payload = 50
    with pytest.raises(PayloadTooLargeError):
        await app.add_task("x", "y" * 100)


async def test_a_running_worker_runs_more_tasks_and_threads_when_allowed() -> None:
    app = QueueTasks(broker_url="memory://", config=QueueConfig(max_tasks_process=1, prefetch=0))
    together = threading.Barrier(3)

    @app.task
    def meet() -> None:
        together.wait()

    handles = await app.add_tasks(meet.build() for _ in range(3))
    async with app.worker():
        while together.n_waiting < 1:
            await asyncio.sleep(0)
        app.config.max_tasks_process = 3

        assert len([handle async for handle in app.as_completed(handles, 60)]) == 3


async def test_a_running_worker_runs_fewer_tasks_when_told() -> None:
    app = QueueTasks(broker_url="memory://", config=QueueConfig(max_tasks_process=3))
    running, most = 0, 0
    gate = asyncio.Event()

    @app.task
    async def count() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate.wait()
        await asyncio.sleep(0)
        running -= 1

    handles = await app.add_tasks(count.build() for _ in range(9))
    async with app.worker():
        while running < 3:
            await asyncio.sleep(0)
        app.config.max_tasks_process = 1
        while running > 0:
            gate.set()
            await asyncio.sleep(0)
            most = 0 if running == 0 else most
        assert len([handle async for handle in app.as_completed(handles, 60)]) == 9

    assert most <= 1


async def test_a_running_worker_prefetches_more_when_allowed() -> None:
    app = QueueTasks(broker_url="memory://", config=QueueConfig(max_tasks_process=1, prefetch=0))
    gate = asyncio.Event()

    @app.task
    async def wait() -> None:
        await gate.wait()

    await app.add_tasks(wait.build() for _ in range(5))
    async with app.worker():
        while (await app.stats())[0].leased < 1:
            await asyncio.sleep(0)
        threading.Thread(target=setattr, args=(app.config, "prefetch", 3)).start()
        while (await app.stats())[0].leased < 4:
            await asyncio.sleep(0)
        gate.set()


async def test_a_running_worker_says_what_it_cannot_take_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = QueueTasks(broker_url="memory://")
    async with app.worker():
        app.config.lease = 5

    app.config.lease = 6

    messages = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert messages == ["lease is 5.0 now, which a running worker takes up when restarted"]


async def test_the_keeper_of_a_running_worker_knows_new_times_to_live() -> None:
    app = QueueTasks(broker_url="memory://", storage_url="memory://other")
    worker = app.worker()
    async with worker:
        app.config.dead_ttl = 7

        keeper = worker._keeper._broker
        assert keeper.storage is not None
        assert keeper.retention == keeper.storage.retention == Retention(86400.0, 7.0)


async def test_a_pool_of_threads_grows_and_shrinks() -> None:
    pool = ThreadPool(1, "resized")
    loop = asyncio.get_running_loop()

    def alive() -> int:
        return sum(thread.name.startswith("resized") for thread in threading.enumerate())

    async def meet(number: int) -> None:
        together = threading.Barrier(number)
        await asyncio.gather(*(pool.run(together.wait) for _ in range(number)))

    together = threading.Barrier(3)
    waiting = [loop.create_task(pool.run(together.wait)) for _ in range(3)]
    while together.n_waiting < 1:
        await asyncio.sleep(0)
    pool.resize(3)
    await asyncio.gather(*waiting)
    assert alive() == 3

    pool.resize(1)
    while alive() > 1:
        await asyncio.sleep(0)
    assert await pool.run(lambda: 5) == 5

    pool.resize(2)
    await meet(2)
    pool.close()
    while alive():
        await asyncio.sleep(0)


def test_every_setting_takes_its_own_default() -> None:
    config = QueueConfig()

    for name, setting in SETTINGS.items():
        setattr(config, name, setting.default)

    assert repr(config) == repr(QueueConfig())
