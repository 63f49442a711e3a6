"""What the tests of the SQLite adapter share."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.adapters.sqlite import SqliteBroker
from qtasks.schemas import Claim, Message
from qtasks.testing.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from pathlib import Path


def finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Runs a coroutine of a blocking twin, which must not suspend."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    pytest.fail("the coroutine suspended")


class Program:
    """Another process that runs a script; it is told and it tells things line by line."""

    def __init__(self, script: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, line: str = "") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def rest(self) -> str:
        """Returns all that it still has to say."""
        assert self.process.stdout is not None
        return self.process.stdout.read()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> int:
        """Waits for the end and returns the exit code."""
        self.process.communicate()
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    return finish


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def broker(url: str, clock: FakeClock) -> AsyncIterator[SqliteBroker]:
    broker = SqliteBroker(url, clock=clock)
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture
def twin(url: str, clock: FakeClock) -> Iterator[SqliteBroker]:
    twin = SqliteBroker(url, clock=clock).client()
    finish(twin.start())
    yield twin
    finish(twin.stop())


@pytest.fixture
def message() -> Callable[..., Message]:
    numbers = itertools.count(1)

    def make(**changes: Any) -> Message:
        id_ = f"00000000-0000-4000-8000-{os.getpid() % 10000:04d}{next(numbers):08d}"
        fields = {"id": id_, "task": "t", "queue": "q", "payload": b"payload", **changes}
        return Message(**fields)

    return make


@pytest.fixture
def request_for() -> Callable[..., Claim]:
    def make(limit: int = 10, *queues: str, suspects: int = 1, lease: float = 100.0) -> Claim:
        return Claim(queues or ("q",), limit, lease, "w1", suspects)

    return make


@pytest.fixture
def program() -> Iterator[Callable[..., Program]]:
    started: list[Program] = []

    def start(script: str, *arguments: str) -> Program:
        started.append(Program(script, *arguments))
        return started[-1]

    yield start
    for one in started:
        one.close()
