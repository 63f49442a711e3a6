"""A loop whose time jumps to the next timer, and processes that can be paused and killed on it.

A process is no more than a context: whatever is scheduled from inside it belongs to it. While it
is frozen its callbacks pile up, and once it is dead for good, in the middle of whatever it was
doing and without a last word, as SIGSTOP and SIGKILL would have it.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Ts = TypeVarTuple("Ts")

__all__ = ["PROCESS", "Process", "VirtualClock", "VirtualLoop", "outside"]

#: What the broker's clock shows when a simulation begins. So small, that sums stay exact enough.
_EPOCH: Final = 1000.0

PROCESS: Final[contextvars.ContextVar[Process | None]] = contextvars.ContextVar(
    "PROCESS", default=None
)


def outside() -> contextvars.Context:
    """Returns a context that belongs to no process: the network's and the server's."""
    return contextvars.Context()


class VirtualClock:
    """The time of a virtual loop, perhaps wrong.

    Args:
        loop: whose time it is.

    Attributes:
        error: seconds by which it is fast.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.error = 0.0

    def time(self) -> float:
        """Returns seconds since the epoch of the simulation."""
        return _EPOCH + self._loop.time() + self.error

    def monotonic(self) -> float:
        """Returns seconds that never go backwards."""
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Suspends the calling coroutine."""
        await asyncio.sleep(seconds)


class Process:
    """What lives and dies together.

    Args:
        name: what the trace calls it.
        loop: where it runs.

    Attributes:
        alive: whether it was not killed.
        clock: its own clock.
        dead: set when it was killed.
        disturbed_at: when a fault last stood between it and the broker, by the loop's time.
        troubles: how many calls of it are in the hands of a fault.
        trusted: whether nothing goes wrong with its calls.
        spared: whether something may, but it is neither killed nor frozen.
    """

    def __init__(
        self,
        name: str,
        loop: VirtualLoop,
        *,
        trusted: bool = False,
        spared: bool = False,
    ) -> None:
        self.name = name
        self.alive = True
        self.dead = asyncio.Event()
        self.troubles = 0
        self.trusted = trusted
        self.spared = spared
        self.clock = VirtualClock(loop)
        self.disturbed_at = float("-inf")
        self._loop = loop
        self._frozen_until = 0.0
        self._pile: deque[_Call] = deque()

    @property
    def frozen(self) -> bool:
        """Whether nothing of it runs at the moment."""
        return self._frozen_until > 0.0

    def disturb(self) -> None:
        """Notes that what it does or suffers now is not its own fault."""
        self.disturbed_at = self._loop.time()

    def kill(self) -> None:
        """Ends it; not even ``finally`` runs."""
        self.alive = False
        self.dead.set()

    def freeze(self, seconds: float) -> None:
        """Stops it for a while, as a machine does whose memory is swapped out."""
        until = self._loop.time() + seconds
        if until > self._frozen_until:
            self._frozen_until = until
            self._loop.call_at(until, self._thaw, until, context=outside())

    def run(self, call: _Call) -> None:
        """Runs a callback of this process, later or never if need be."""
        if (self.frozen or not self.alive) and not self._loop.burying:
            self._pile.append(call)
        elif not call.cancelled:
            call.callback(*call.args)

    def _thaw(self, until: float) -> None:
        if self.alive and until == self._frozen_until:
            self._frozen_until = 0.0  # a timer may be early by the last digit of a sum
            self.disturb()
            self.flush()

    def flush(self) -> None:
        """Schedules what has piled up."""
        pile, self._pile = self._pile, deque()
        for call in pile:
            self._loop.call_again(self, call)


class _Call:
    """A callback on its way, which can be cancelled also while it waits in a frozen process."""

    __slots__ = ("args", "callback", "context", "handle")

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: contextvars.Context
    ) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.handle: asyncio.Handle | None = None

    @property
    def cancelled(self) -> bool:
        return self.handle is not None and self.handle.cancelled()


class _Jump:
    """Stands where a loop has its selector: instead of waiting, time moves."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            msg = "nothing is left that could ever happen: somebody waits in vain"
            raise RuntimeError(msg)
        if timeout > 0:
            self._loop.now += timeout
        return []

    def close(self) -> None:
        pass


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop without input, output and threads.

    Attributes:
        now: its time, seconds.
        burying: whether what is dead or frozen runs all the same, to be cancelled.
    """

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Jump(self)
        self.now = 0.0
        self.burying = False

    def time(self) -> float:
        """Returns virtual seconds."""
        return self.now

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Schedules a callback for the process in whose context it runs."""
        if context is None:
            context = contextvars.copy_context()
        owner = context.get(PROCESS)
        if owner is None:
            return super().call_soon(callback, *args, context=context)
        call = _Call(callback, args, context)
        call.handle = super().call_soon(owner.run, call, context=context)
        return call.handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Schedules a timer for the process in whose context it runs."""
        if context is None:
            context = contextvars.copy_context()
        owner = context.get(PROCESS)
        if owner is None:
            return super().call_at(when, callback, *args, context=context)
        call = _Call(callback, args, context)
        handle = super().call_at(when, owner.run, call, context=context)
        call.handle = handle
        return handle

    def call_again(self, owner: Process, call: _Call) -> None:
        """Schedules a callback that was held up."""
        super().call_soon(owner.run, call, context=call.context)

    def call_soon_threadsafe(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Does the same: there is one thread."""
        return self.call_soon(callback, *args, context=context)

    def bury(self, processes: Iterable[Process], times: int = 20) -> None:
        """Cancels whatever is left, so that no task is destroyed while it is pending.

        Args:
            processes: all there were; what piled up in them is needed for that.
            times: how often it is tried.
        """
        self.burying = True
        for process in processes:
            process.flush()
        for _ in range(times):
            left = asyncio.all_tasks(self)
            if not left:
                return
            for task in left:
                task.cancel()
            self.run_until_complete(asyncio.wait(left, timeout=1.0))
        msg = f"these do not end when they are cancelled: {asyncio.all_tasks(self)}"
        raise RuntimeError(msg)

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """There is nobody to be woken from outside."""
