"""Runs single tests of the suites against servers that are broken on purpose."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.adapters.memory import MemoryBroker, MemoryStorage
from qtasks.testing import FakeClock
from qtasks.testing.conformance import BrokerConformance, StorageConformance
from qtasks.testing.conformance.lines import JoinedLine, SplitLine

if TYPE_CHECKING:
    from collections.abc import Callable

#: Real seconds until a test that hangs counts as failed.
PATIENCE = 0.05


def fixtures(server: MemoryBroker | MemoryStorage, queue: str) -> dict[str, Any]:
    """Returns what the suites' fixtures would."""
    if isinstance(server, MemoryBroker):
        line: Any = JoinedLine(server, server.storage, queue)
        return {"server": server, "unstarted": server, "broker": server, "line": line}
    return {
        "server": server,
        "unstarted": server,
        "storage": server,
        "line": SplitLine(server),
    }


async def run(suite: Any, test: Callable[..., Any], server: MemoryBroker | MemoryStorage) -> None:
    """Runs one test as pytest would."""
    wanted = inspect.signature(test).parameters
    if "unstarted" not in wanted:
        await server.start()
    offered = fixtures(server, suite.QUEUE)
    async with asyncio.timeout(10 * PATIENCE):
        await test(**{name: offered[name] for name in wanted})


def failure(make: Callable[..., MemoryBroker | MemoryStorage], name: str) -> BaseException | None:
    """Returns the assertion or the time limit by which a test fails on a server, or None."""
    clock = FakeClock()
    server = make(clock=clock)
    kind = BrokerConformance if isinstance(server, MemoryBroker) else StorageConformance
    suite: Any = kind()
    suite.PATIENCE = PATIENCE
    suite._clock = clock
    try:
        asyncio.run(run(suite, getattr(suite, name), server))
    except (AssertionError, TimeoutError, pytest.fail.Exception) as error:
        return error
    return None


@pytest.fixture
def fails() -> Callable[..., BaseException | None]:
    """Returns how a test of the suite fails on a server made by a class, or None."""
    return failure
