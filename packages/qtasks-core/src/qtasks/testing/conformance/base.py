"""What every suite stands on: the clock, the patience, the gates."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import pytest
import pytest_asyncio

from qtasks.contracts.storage import BaseStorage
from qtasks.schemas import Message
from qtasks.testing.clock import FakeClock

if TYPE_CHECKING:
    from qtasks.contracts.broker import BaseBroker
    from qtasks.typing import Clock

__all__ = ["CONTRACT", "FOREVER", "LEASE", "Conformance", "complete", "in_thread", "needs", "since"]

#: The version of the contract that these suites check.
CONTRACT = "1.0"

#: Length of a lease or delay that is meant to run out in a test; in the suite's seconds.
LEASE = 100.0

#: Longer than any test takes.
FOREVER = 1_000_000.0

T = TypeVar("T")
Test = TypeVar("Test", bound=Callable[..., Any])


def needs(*capabilities: str) -> Callable[[Test], Test]:
    """Runs a test only against servers that claim these capabilities.

    Args:
        *capabilities: names of fields of ``Capabilities``, or ``records`` for a broker that has a
            storage of its own.
    """

    def mark(test: Test) -> Test:
        test.needs = capabilities  # type: ignore[attr-defined]  # read by the suite's fixture
        return test

    return mark


def since(version: str) -> Callable[[Test], Test]:
    """Marks a test of a rule that came later than version 1.0 of the contract."""

    def mark(test: Test) -> Test:
        test.since = version  # type: ignore[attr-defined]  # read by the suite's fixture
        return test

    return mark


def complete(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a blocking twin's coroutine, which may never suspend, and returns its result."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    pytest.fail("the twin suspended: its coroutines must block the thread and complete at once")


def in_thread(call: Callable[[], T]) -> asyncio.Future[T]:
    """Runs a call in a thread of its own; awaiting the answer leaves the loop free."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def deliver(setter: Callable[[Any], None], value: object) -> None:
        if not answer.done():
            setter(value)

    def run() -> None:
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is awaited
            deliver_later(answer.set_exception, error)
        else:
            deliver_later(answer.set_result, result)

    def deliver_later(setter: Callable[[Any], None], value: object) -> None:
        # A test that failed has closed its loop, and nobody waits for the answer any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(deliver, setter, value)

    threading.Thread(target=run, daemon=True, name="conformance").start()
    return answer


@pytest.mark.asyncio
class Conformance:
    """The frame of the suites.

    A server that can take a clock gets the suite's ``clock``. For one that keeps its own time
    (Redis), override the fixture ``clock`` to return ``SystemClock()`` and set
    :attr:`TIME_SCALE` to something like 0.005: then the same tests wait in earnest, but briefly.

    Attributes:
        CONTRACT: the version of the contract that the server under test was written for; tests
            of later rules are skipped.
        TIME_SCALE: real seconds for each second that the tests speak of.
        PATIENCE: real seconds after which a wait that should have ended is called a hang.
        QUEUE: the name of the queue that most tests use.
    """

    CONTRACT: ClassVar[str] = CONTRACT
    TIME_SCALE: ClassVar[float] = 1.0
    PATIENCE: ClassVar[float] = 30.0
    QUEUE: ClassVar[str] = "conformance"

    _clock: Clock
    _ids: int = 0

    @pytest.fixture
    def clock(self) -> Clock:
        """The clock to give to the server under test."""
        return FakeClock()

    @pytest.fixture
    def server(self) -> BaseBroker | BaseStorage:
        """The broker or storage under test, as its author's fixture returned it."""
        msg = "inherit from BrokerConformance or StorageConformance"
        raise NotImplementedError(msg)

    @pytest.fixture
    def unstarted(self, server: BaseBroker | BaseStorage) -> BaseBroker | BaseStorage:
        """The server before ``start``, for the tests of its life."""
        return server

    @pytest_asyncio.fixture(autouse=True)
    async def _gate(self, request: pytest.FixtureRequest, clock: Clock) -> None:
        self._clock = clock
        test = request.function
        if version(getattr(test, "since", CONTRACT)) > version(self.CONTRACT):
            pytest.skip(f"newer than version {self.CONTRACT} of the contract")

    @pytest_asyncio.fixture(autouse=True)
    async def _life(
        self, request: pytest.FixtureRequest, server: BaseBroker | BaseStorage, _gate: None
    ) -> AsyncIterator[None]:
        for capability in getattr(request.function, "needs", ()):
            if not has(server, capability):
                pytest.skip(f"{type(server).__name__} does not claim {capability!r}")
        if "unstarted" not in request.fixturenames:
            await server.start()
        yield
        await server.stop()

    # Time

    def seconds(self, seconds: float) -> float:
        """Translates the suite's seconds to those of the server."""
        return seconds * self.TIME_SCALE

    def now(self) -> float:
        """Returns the server's time, seconds since the epoch."""
        return self._clock.time()

    async def advance(self, seconds: float) -> None:
        """Lets time pass on the server; override it if neither clock fits.

        Args:
            seconds: how much, in the server's seconds.
        """
        if isinstance(self._clock, FakeClock):
            self._clock.advance(seconds)
            await asyncio.sleep(0)
        else:
            await self._clock.sleep(seconds)

    async def later(self, seconds: float) -> None:
        """Lets time pass, in the suite's seconds."""
        await self.advance(self.seconds(seconds))

    async def soon(self, awaitable: Awaitable[T]) -> T:
        """Awaits what should come at once; a hang becomes a failure."""
        return await asyncio.wait_for(asyncio.ensure_future(awaitable), self.PATIENCE)

    async def eventually(self, awaitable: Awaitable[T], step: float = 10.0) -> T:
        """Awaits what should come as time passes, and lets it pass.

        Args:
            awaitable: what to wait for.
            step: how many of the suite's seconds pass at a time.
        """
        task = asyncio.ensure_future(awaitable)
        async with asyncio.timeout(self.PATIENCE):
            while not task.done():
                await self.later(step)
                await asyncio.wait({task}, timeout=0.001)
        return await task

    async def begun(self, awaitable: Awaitable[T]) -> asyncio.Future[T]:
        """Starts to await something and gives it a moment to settle down to waiting."""
        task = asyncio.ensure_future(awaitable)
        for _ in range(10):
            await asyncio.sleep(0)
        await asyncio.wait({task}, timeout=0.01)
        return task

    # Messages

    def message(self, **changes: Any) -> Message:
        """Returns a message with an id of its own."""
        self._ids += 1
        fields = {
            "id": f"00000000-0000-4000-8000-{self._ids:012d}",
            "task": "conformance.task",
            "queue": self.QUEUE,
            "payload": b"payload",
        }
        return Message(**{**fields, **changes})

    def messages(self, number: int, **changes: Any) -> list[Message]:
        """Returns that many messages."""
        return [self.message(**changes) for _ in range(number)]

    # The rule of the suites

    async def test_no_test_is_overridden(self) -> None:
        """A suite is passed as it stands.

        If this fails: a test of the suite is overridden or deleted in the subclass. Mark the
        override with ``pytest.mark.xfail(reason=...)`` to own up to a gap, or claim fewer
        capabilities.
        """
        replaced = [name for name in suite_tests(type(self)) if not untouched(type(self), name)]
        assert replaced == []


def version(text: str) -> tuple[int, ...]:
    """Returns a version as numbers."""
    return tuple(int(part) for part in text.split("."))


def has(server: BaseBroker | BaseStorage, capability: str) -> bool:
    """Tells whether a server claims a capability."""
    if capability == "records":
        return isinstance(server, BaseStorage) or server.storage is not None
    return bool(getattr(server.capabilities, capability))


def ours(cls: type) -> bool:
    """Tells whether a class belongs to the suites."""
    return cls.__module__.startswith("qtasks.testing.conformance")


def suite_tests(cls: type) -> list[str]:
    """Lists the names of the tests that a class has from the suites."""
    names = {name for base in cls.__mro__ if ours(base) for name in vars(base)}
    return sorted(name for name in names if name.startswith("test_"))


def untouched(cls: type, name: str) -> bool:
    """Tells whether a test is the suite's own, or an override that admits to a gap."""
    owner = next(base for base in cls.__mro__ if name in vars(base))
    if ours(owner):
        return True
    marks = getattr(vars(owner)[name], "pytestmark", ())
    return any(mark.name == "xfail" and mark.kwargs.get("reason") for mark in marks)
