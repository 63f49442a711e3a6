"""One app uses everything that is installed, and its tasks end as they do without it."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import pytest

import qtasks
import qtasks.asyncio
from compat.packages import expected_packages
from compat.probes import load_probe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from compat.probes import Probe


class Shop:
    """An app of either colour with tasks of its own.

    Args:
        colour: ``sync`` or ``async``.
        url: its broker.
        **settings: further arguments of the app.

    Attributes:
        app: the app.
        returns: what each task returns, by its name.
    """

    def __init__(self, colour: str, url: str, **settings: Any) -> None:
        kind: Any = qtasks.QueueTasks if colour == "sync" else qtasks.asyncio.QueueTasks
        self.app = kind(broker_url=url, strict_plugins=True, **settings)
        self._runner = asyncio.Runner()
        self.app.task(name="plain")(lambda: {"a": (1, b"2")})
        self.app.task(name="coroutine")(coroutine)
        self.app.task(name="values")(values)
        self.app.task(name="fail")(fail)
        self.returns: dict[str, object] = {
            "plain": {"a": (1, b"2")},
            "coroutine": "done",
            "values": [0, 1, 2],
            "fail": None,
        }

    def do(self, call: Any) -> Any:
        """Returns the value of a call, awaited if the app is asynchronous."""
        if not inspect.isawaitable(call):
            return call

        async def wait() -> Any:
            return await call

        return self._runner.run(wait())

    def run(self) -> dict[str, Any]:
        """Adds every task, works until nothing is left, and returns the records by their ids."""
        handles = [self.do(self.app.add_task(name)) for name in self.returns]
        self.app.run_forever(burst=True)
        ended = [self.do(handle.refresh()) for handle in handles]
        assert {end.record.task: end.returning for end in ended} == self.returns
        return {end.id: end.record for end in ended}

    def close(self) -> None:
        """Closes the app's connections and the loop."""
        self.do(self.app.close())
        self._runner.close()


async def coroutine() -> str:
    await asyncio.sleep(0)
    return "done"


def values() -> Any:
    yield from range(3)


def fail() -> None:
    raise LookupError


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


@pytest.fixture(params=["memory", "sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "redis":
        server: str = request.getfixturevalue("valkey")
        return server
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'q.db'}"


@pytest.fixture
def make_shop(colour: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes an app, in an environment that the probes of the packages have set."""
    probes = [load_probe(package.import_name, tmp_path) for package in expected_packages()]
    for probe in probes:
        for name, value in probe.environment().items():
            monkeypatch.setenv(name, value)
    made: list[Shop] = []

    def make(**settings: Any) -> tuple[Shop, list[Probe]]:
        made.append(Shop(colour, url, **settings))
        return made[-1], probes

    yield make
    for shop in made:
        shop.close()


def test_everything_works_together(make_shop: Callable[..., tuple[Shop, list[Probe]]]) -> None:
    shop, probes = make_shop()
    for probe in probes:
        shop.returns |= probe.declare(shop.app)

    records = shop.run()

    for probe in probes:
        probe.check(shop.app, records)


def test_what_is_switched_off_leaves_nothing(
    make_shop: Callable[..., tuple[Shop, list[Probe]]], tmp_path: Path
) -> None:
    shop, _ = make_shop(plugins=[])
    before = {path.name for path in tmp_path.iterdir()}

    records = shop.run()

    statuses = sorted(record.status for record in records.values())
    assert statuses == ["error", "success", "success", "success"]
    left = {path.name for path in tmp_path.iterdir()} - before
    assert [name for name in left if not name.startswith("q.db")] == []
