"""What the tests of the engine and the apps share: one harness over both colours."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys
import textwrap
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

import pytest

import qtasks
import qtasks.asyncio
from qtasks._discovery import entries
from qtasks._discovery.entries import forget
from qtasks.app.twins import AwaitableTwin
from qtasks.configs import QueueConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


# Not for the whole session, which may go on with the tests of a plugin.
@pytest.fixture(scope="module", autouse=True)
def only_core() -> Iterator[None]:
    """Hides the plugins of this repository, so that core is tested without any of them."""
    look = entries._look
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entries, "_look", lambda: tuple(e for e in look() if not _is_ours(e)))
        forget()
        yield
    forget()


def _is_ours(entry: entries.Entry) -> bool:
    return entry.distribution.startswith("qtasks-")


class Harness:
    """Drives an app of either colour from plain tests.

    Attributes:
        app: the app.
        colour: ``sync`` or ``async``.
    """

    def __init__(self, colour: str, url: str, **config: Any) -> None:
        self.colour = colour
        kind: Any = qtasks.QueueTasks if colour == "sync" else qtasks.asyncio.QueueTasks
        broker_url, _, storage_url = url.partition(" ")
        self.app = kind(
            broker_url=broker_url, storage_url=storage_url or None, config=QueueConfig(**config)
        )
        self._runner = asyncio.Runner()

    def do(self, call: Any) -> Any:
        """Returns the value of a call, awaited if the app is asynchronous."""
        assert inspect.isawaitable(call) is (self.colour == "async")
        if not inspect.isawaitable(call):
            return call

        async def wait() -> Any:
            return await call

        return self._runner.run(wait())

    def collect(self, values: Any) -> list[Any]:
        """Returns all values of an iterator of either colour."""
        if self.colour == "sync":
            return list(values)

        async def gather() -> list[Any]:
            return [value async for value in values]

        return self._runner.run(gather())

    def work(self, **options: Any) -> None:
        """Runs a worker until nothing is ready any more."""
        self.app.run_forever(burst=True, **options)

    def close(self) -> None:
        """Closes the app's connections and the loop."""
        if isinstance(twin := self.app._twin, AwaitableTwin):  # used in loops that are over
            self._runner.run(twin.close())
        self.do(self.app.close())
        self._runner.close()


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> str:
    """The colour of the app."""
    value: str = request.param
    return value


@pytest.fixture(params=["memory", "sqlite", "redis", "split", "split-redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The broker of the app, and after a space the storage if it is another server."""
    valkey = request.getfixturevalue("valkey") if "redis" in request.param else ""
    urls = {
        "memory": "memory://",
        "sqlite": f"sqlite:///{tmp_path / 'q.db'}",
        "redis": valkey,
        "split": f"memory://{tmp_path}/broker memory://{tmp_path}/storage",
        "split-redis": f"memory://{tmp_path}/broker {valkey}",
    }
    return urls[request.param]


@pytest.fixture
def make_harness(colour: str, url: str) -> Iterator[Callable[..., Harness]]:
    """Makes harnesses with settings, and closes them."""
    made: list[Harness] = []

    def make(**config: Any) -> Harness:
        made.append(Harness(colour, url, **config))
        return made[-1]

    yield make
    for harness in made:
        harness.close()


@pytest.fixture
def harness(make_harness: Callable[..., Harness]) -> Harness:
    """A harness with default settings."""
    return make_harness()


@pytest.fixture
def no_other_brokers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes brokers that have packages of their own look as if these were not installed."""

    def of_core(*, group: str) -> list[EntryPoint]:
        found = entry_points(group=group)
        return [each for each in found if not (each.dist and "-broker-" in each.dist.name)]

    monkeypatch.setattr("qtasks.app.servers.entry_points", of_core)


class Site:
    """A directory on ``sys.path`` that looks as if packages had been installed into it.

    Attributes:
        path: the directory.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.path = path
        self._before = set(sys.modules)

    def add(
        self,
        name: str,
        code: str = "",
        *,
        entry: str = "Plugin",
        distribution: str = "",
        version: str = "1.0",
        requires: Iterable[str] = (),
        points: str | None = None,
        metadata: str = "",
    ) -> str:
        """Installs a plugin and returns the name of its module.

        Args:
            name: the name of its entry point.
            code: the text of its module.
            entry: what the entry point leads to in there; empty for the module itself.
            distribution: the package's name.
            version: its version.
            requires: what it requires.
            points: the whole text of its entry_points.txt, instead.
            metadata: further lines of its metadata.
        """
        distribution = distribution or f"acme-{name}"
        module = distribution.replace("-", "_")
        (self.path / f"{module}.py").write_text(textwrap.dedent(code), encoding="utf-8")
        info = self.path / f"{module}-{version}.dist-info"
        info.mkdir()
        needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
        text = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        (info / "METADATA").write_text(text + needs + metadata, encoding="utf-8")
        leads = f"{module}:{entry}" if entry else module
        points = f"[qtasks]\n{name} = {leads}\n" if points is None else points
        (info / "entry_points.txt").write_text(points, encoding="utf-8")
        importlib.invalidate_caches()
        forget()
        return module

    def close(self) -> None:
        """Forgets what was imported from it."""
        for name in set(sys.modules) - self._before:
            file = getattr(sys.modules[name], "__file__", None) or ""
            if file.startswith(str(self.path)):
                del sys.modules[name]
        forget()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A place into which plugins can be installed for one test."""
    made = Site(tmp_path / "site")
    monkeypatch.syspath_prepend(str(made.path))
    yield made
    made.close()
