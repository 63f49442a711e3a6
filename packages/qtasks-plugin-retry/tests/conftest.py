"""Apps of both colours on every kind of server."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import pytest

import qtasks
import qtasks.asyncio
from qtasks.storages import MemoryStorage, RedisStorage, SqliteStorage
from qtasks_plugin_retry import RetryPlugin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path


class Harness:
    """Drives an app of either colour from plain tests.

    Attributes:
        app: the app, whose only plugin is the one under test.
    """

    def __init__(self, colour: str, url: str, plugin: RetryPlugin) -> None:
        kind: Any = qtasks.QueueTasks if colour == "sync" else qtasks.asyncio.QueueTasks
        self.app = kind(broker_url=url, plugins=[plugin], strict_plugins=True)
        self._runner = asyncio.Runner()

    def do(self, call: Any) -> Any:
        """Returns the value of a call, awaited if the app is asynchronous."""
        if not inspect.isawaitable(call):
            return call

        async def wait() -> Any:
            return await call

        return self._runner.run(wait())

    def run(self, task: Any, *args: Any, **options: Any) -> Any:
        """Adds a call, works until nothing is left, and returns its handle."""
        bound = task.options(**options) if options else task
        handle = self.do(bound.add_task(*args))
        self.app.run_forever(burst=True)
        return self.do(handle.refresh())

    def close(self) -> None:
        """Closes the app's connections and the loop."""
        self.do(self.app.close())
        self._runner.close()


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> str:
    """The colour of the app."""
    value: str = request.param
    return value


@pytest.fixture(params=["memory", "sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The broker of the app."""
    if request.param == "redis":
        server: str = request.getfixturevalue("valkey")
        return server
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'q.db'}"


@pytest.fixture
def make_harness(colour: str, url: str) -> Iterator[Callable[..., Harness]]:
    """Makes harnesses, with a plugin, and closes them."""
    made: list[Harness] = []

    def make(plugin: RetryPlugin | None = None) -> Harness:
        made.append(Harness(colour, url, plugin or RetryPlugin()))
        return made[-1]

    yield make
    for harness in made:
        harness.close()


@pytest.fixture
def harness(make_harness: Callable[..., Harness]) -> Harness:
    """A harness with the plugin as it is installed."""
    return make_harness()


@pytest.fixture
async def open_storage(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Callable[[str], Any]]:
    """Opens a storage of a kind, and closes it."""
    opened: list[Any] = []

    async def make(kind: str) -> Any:
        storage: Any
        if kind == "redis":
            storage = RedisStorage(request.getfixturevalue("valkey"))
        elif kind == "sqlite":
            storage = SqliteStorage(f"sqlite:///{tmp_path / 'guards.db'}")
        else:
            storage = MemoryStorage("memory://")
        await storage.start()
        opened.append(storage)
        return storage

    yield make
    for storage in opened:
        await storage.stop()
