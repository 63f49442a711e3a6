"""The way from a process to the broker, on which calls are lost, doubled and late."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from qtasks.exc import ServerUnavailableError
from qtasks.testing.conformance.base import complete
from simulation.scenario import draw
from simulation.trace import Violation
from simulation.virtual import outside

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from simulation.scenario import Fault, Scenario
    from simulation.trace import Trace
    from simulation.virtual import Process, VirtualLoop

__all__ = ["Network"]

T = TypeVar("T")

#: The longest way in one direction, seconds, if nothing is wrong.
_LATENCY: Final = 0.02
#: What is wrong with a call that ends with an error.
_ERRORS: Final = ("drop_request", "drop_reply", "late")


class Network:
    """Carries calls.

    Args:
        loop: where it runs.
        scenario: says what goes wrong.
        trace: is told.
        failed: takes the first invariant that does not hold.

    Attributes:
        calm: whether nothing goes wrong any more.
        down_until: when the broker is reachable again, by the loop's time.
        happened: the faults that occurred, by call.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        scenario: Scenario,
        trace: Trace,
        failed: Callable[[Violation], None],
    ) -> None:
        self.calm = False
        self.down_until = 0.0
        self.happened: dict[str, Fault] = {}
        self._loop = loop
        self._scenario = scenario
        self._trace = trace
        self._failed = failed
        self._counts: Counter[str] = Counter()

    async def send(
        self,
        process: Process,
        name: str,
        carry_out: Callable[[], Coroutine[Any, Any, T]],
        note: Callable[[T], None],
    ) -> T:
        """Has the broker carry out a call, and returns its answer.

        Args:
            process: who asks.
            name: what it asks for.
            carry_out: does it, at once.
            note: tells the oracle of the answer, in the moment in which it was done.

        Raises:
            ServerUnavailableError: it was lost on its way.
        """
        if self._loop.burying:
            raise asyncio.CancelledError
        call, fault = self.fault(process, name)
        if self._loop.time() < self.down_until and not process.trusted:
            await self.refuse(process, f"{call} finds nobody")
        if fault is None:
            return await self._way(process, call, carry_out, note)
        process.troubles += 1
        try:
            return await self._faulty(process, call, fault, carry_out, note)
        finally:
            process.troubles -= 1
            process.disturb()

    def fault(self, process: Process, name: str) -> tuple[str, Fault | None]:
        """Returns the name of a call, and what is wrong with it."""
        kind = f"{process.name}/{name}"
        self._counts[kind] += 1
        call = f"{kind}/{self._counts[kind]}"
        if process.trusted or self.calm:
            return call, None
        fault = self._scenario.fault(call)
        if fault is not None and process.spared and fault.kind.startswith(("crash", "pause")):
            return call, None
        if fault is not None:
            self.happened[call] = fault
            self._trace.add(process.name, "%s: %s, %.3f s", call, fault.kind, fault.seconds)
        return call, fault

    async def refuse(self, process: Process, why: str) -> None:
        """Tells a process that the broker is away.

        Raises:
            ServerUnavailableError: always.
        """
        process.disturb()
        await asyncio.sleep(_LATENCY)
        process.disturb()
        raise ServerUnavailableError(why)

    async def _way(
        self,
        process: Process,
        call: str,
        carry_out: Callable[[], Coroutine[Any, Any, T]],
        note: Callable[[T], None],
        slow: float = 0.0,
    ) -> T:
        reply: asyncio.Future[T] = self._loop.create_future()
        there = draw(self._scenario.seed, call, "there") * _LATENCY + slow
        back = draw(self._scenario.seed, call, "back") * _LATENCY + slow

        def deliver() -> None:
            if slow:
                process.disturb()
            done, answer = self._do(process, call, carry_out, note)
            if done:
                self._later(back, lambda: arrive(answer))

        def arrive(answer: T) -> None:
            if not reply.done():  # who asked may have been cancelled
                reply.set_result(answer)

        self._later(there, deliver)
        return await reply

    async def _faulty(
        self,
        process: Process,
        call: str,
        fault: Fault,
        carry_out: Callable[[], Coroutine[Any, Any, T]],
        note: Callable[[T], None],
    ) -> T:
        def deliver() -> None:
            process.disturb()
            self._do(process, call, carry_out, note)

        kind, seconds = fault.kind, fault.seconds
        if kind in _ERRORS:
            await self._lose(call, fault, deliver)
        if kind.startswith("crash"):
            await self._die(process, kind, deliver)
        if kind == "clock":
            process.clock.error += seconds
        elif kind.startswith("pause"):
            process.freeze(seconds)
            if kind == "pause_before":
                await asyncio.sleep(0)  # it goes on from here when it is awake again
        elif kind == "duplicate":
            self._later(_LATENCY * 2 + seconds, deliver)
        slow = seconds / 2 if kind == "slow" else 0.0
        return await self._way(process, call, carry_out, note, slow)

    async def _lose(self, call: str, fault: Fault, deliver: Callable[[], None]) -> NoReturn:
        """Gives a call no answer, but an error."""
        if fault.kind == "drop_reply":
            self._later(_LATENCY, deliver)
        await asyncio.sleep(_LATENCY * 2 + fault.seconds * 0.3)
        if fault.kind == "late":
            self._later(fault.seconds, deliver)
        msg = f"{call}: {fault.kind}"
        raise ServerUnavailableError(msg)

    async def _die(self, process: Process, kind: str, deliver: Callable[[], None]) -> None:
        """Kills a process, before its call has left it or after."""
        if kind != "crash_before":
            self._later(_LATENCY, deliver)
        if kind == "crash_after":
            await asyncio.sleep(_LATENCY * 2)
        process.kill()
        self._trace.add(process.name, "is killed")
        await self._loop.create_future()

    def _do(
        self,
        process: Process,
        call: str,
        carry_out: Callable[[], Coroutine[Any, Any, T]],
        note: Callable[[T], None],
    ) -> tuple[bool, Any]:
        """Carries out a call and has the answer checked."""
        if self._loop.burying:
            return False, None
        self._trace.steps += 1
        try:
            answer = complete(carry_out())
            self._trace.add(process.name, "%s -> %s", call, Brief(answer))
            note(answer)
        except Violation as error:
            self._failed(error)
            return False, None
        return True, answer

    def _later(self, seconds: float, action: Callable[[], object]) -> None:
        self._loop.call_later(seconds, action, context=outside())


class Brief:
    """An answer as the trace shows it; made text only when somebody reads it."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def __str__(self) -> str:
        found = getattr(self._answer, "deliveries", None)
        if found is None:
            return str(self._answer)
        given = ", ".join(f"{d.id}#{d.token}" + "?" * d.lost for d in found) or "nothing"
        refused = getattr(self._answer, "refused", ())
        return f"{given}; refused {', '.join(refused)}" if refused else given
