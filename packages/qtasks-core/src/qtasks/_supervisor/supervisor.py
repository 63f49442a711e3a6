"""The supervisor: keeps so many children at work, and ends them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from typing import TYPE_CHECKING, Final

import msgspec

from qtasks._runtime.backoff import Backoff
from qtasks._runtime.current import refuse_while_main_loads
from qtasks._runtime.signals import handle_signals
from qtasks._supervisor.expiry import Expiry
from qtasks._supervisor.process import ChildProcess
from qtasks._supervisor.silence import Silence
from qtasks._supervisor.supervising import Supervising
from qtasks._worker.stopping import MARGIN
from qtasks.exc import ConfigError, QTasksError, ServerError, ServerUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from qtasks._core.connection import Connection
    from qtasks._supervisor.messages import Failed, Order
    from qtasks._triggers.registry import TriggerRegistry

__all__ = ["Summary", "Supervisor"]

log = logging.getLogger("qtasks.supervisor")

#: Seconds of the first pause before a child that did not live long is replaced, and the longest.
_PAUSES: Final = (0.2, 30.0)
#: Seconds after which a child has lived long: its end is no sign that the next one fails too.
_LONG_LIFE: Final = 10.0
#: The signal that hurries; the ones after it kill.
_HURRY: Final = 2
#: Children in one place, of which all but the last finish what they had begun.
_CROWD: Final = 2
_ERRORS: Final[dict[str, type[QTasksError]]] = {
    "config": ConfigError,
    "server": ServerError,
    "unavailable": ServerUnavailableError,
}


class Summary(msgspec.Struct, frozen=True):
    """What the children of a supervisor did.

    Attributes:
        started: how many children were started.
        settled: runs they settled, without those that they gave back; those of the last second
            of a killed child are missing.
    """

    started: int
    settled: int


class Supervisor:
    """Starts children, replaces those that die or have served long enough, and stops them.

    Args:
        connection: the broker, to take back what dead children held.
        order: what every child is to do.
        processes: how many children there are.
        shutdown_timeout: seconds their running tasks get when they are stopped.
        lease: seconds of a lease; who says nothing for longer is killed.
        changes: yields the name of a file when the app's code has changed; None if nobody looks.
        registry: the app's plugins; None if nobody is to be told.
        owner: the app, as plugins see it.
    """

    def __init__(
        self,
        connection: Connection,
        order: Order,
        *,
        processes: int,
        shutdown_timeout: float,
        lease: float,
        changes: AsyncIterator[str] | None = None,
        registry: TriggerRegistry | None = None,
        owner: object = None,
    ) -> None:
        refuse_while_main_loads()
        self._order = order
        self._processes = processes
        self._shutdown_timeout = shutdown_timeout
        self._changes = changes
        self._firing = firing = Supervising(self, registry, owner, connection.broker)
        self._expiry = Expiry(connection, firing.convicted if firing.hears_dead_letters else None)
        self._silence = Silence(lease, lambda: self.children, self._give_up)
        self._children: dict[ChildProcess, asyncio.Task[None]] = {}
        self._started = self._settled = 0
        self._listeners: list[Callable[[ChildProcess], object]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._shown: asyncio.Event | None = None
        self._asked = 0
        self._failure: Failed | None = None

    @property
    def children(self) -> list[ChildProcess]:
        """The children that live, in the order they were started."""
        return list(self._children)

    def on_start(self, listener: Callable[[ChildProcess], object]) -> None:
        """Has a function called for each child that is started, before it says anything.

        This is the place to listen to messages of its channel.

        Args:
            listener: takes the child.
        """
        self._listeners.append(listener)

    async def run(self) -> Summary:
        """Keeps the children at work until :meth:`stop`, a signal, or the end of a burst.

        The first signal stops them gently, the second gives running tasks back at once, the
        third kills.

        Raises:
            ConfigError: the children cannot load the app, or a setting is wrong.
            ServerError: the broker cannot be used.
        """
        self._loop = asyncio.get_running_loop()
        await self._firing.start()
        watching = self._loop.create_task(self._restart_on_changes())
        listening = self._loop.create_task(self._silence.watch())
        numbers = range(1, self._processes + 1)
        places = [self._loop.create_task(self._occupy(number)) for number in numbers]
        restore = handle_signals(self._asked_to_stop)
        try:
            await asyncio.gather(*places)
            while self._children:  # those that were replaced, and are at their last tasks
                await asyncio.wait(self._children.values())
        finally:
            restore()
            for task in (watching, listening, *places):
                task.cancel()
            for child in self.children:
                child.kill()
            if self._children:
                await asyncio.wait(self._children.values())
            await self._expiry.close()
            await self._firing.stop()
            self._loop, self._asked = None, 0
        if self._failure is not None:
            raise _ERRORS[self._failure.kind](self._failure.message)
        return Summary(self._started, self._settled)

    def stop(self) -> None:
        """Asks all children to stop; may be called from any thread, and again to hurry."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._asked_to_stop)
        else:
            self._asked += 1

    def stop_for(self, owner: object) -> None:
        """Asks all children to stop, as :meth:`stop` does, because the app was asked to.

        Args:
            owner: the app, as plugins see it.
        """
        self._firing.stop_asked(owner)
        self.stop()

    def _asked_to_stop(self) -> None:
        self._asked += 1
        self._wake.set()
        if self._failure is None:
            log.info(*self._what_happens())
        for child in self.children:
            if self._asked > _HURRY:
                self._firing.kill(child, child.kill)
            else:
                child.stop(hurry=self._asked == _HURRY)
        if self._loop is not None:
            patience = self._shutdown_timeout if self._asked == 1 else 0.0
            self._loop.call_later(patience + MARGIN, self._kill_all)

    def _what_happens(self) -> tuple[str | int | float, ...]:
        count = len(self._children)
        workers = f"{count} worker{'' if count == 1 else 's'}"
        if self._asked < _HURRY:
            text = "Stopping %s, up to %g s; stop again to give their tasks back at once"
            return text, workers, self._shutdown_timeout
        if self._asked == _HURRY:
            return "Giving back the tasks of %s; stop again to kill them", workers
        return "Killing %s", workers

    def _give_up(self, child: ChildProcess) -> None:
        self._firing.kill(child, child.kill)

    def _kill_all(self) -> None:
        for child in self.children:
            log.error("[%d] Process %d does not stop and is killed", child.number, child.pid)
            self._firing.kill(child, child.kill)

    # One place, and the children that occupy it one after another

    async def _occupy(self, number: int) -> None:
        backoff = Backoff(*_PAUSES)
        while not self._asked:
            wake = self._wake
            try:
                child = self._start(number)
            except OSError as error:
                log.error("[%d] No process can be started: %s", number, error)  # noqa: TRY400 - the trace says nothing more
                await self._sleep(backoff.pause())
                continue
            await child.leaving.wait()
            if child.retiring is not None:
                await self._room(number)
            elif child.failed is not None:
                await self._after_failure(child.failed, wake)
            elif child.goodbye is not None and child.goodbye.why == "burst":
                return
            elif child.lived < _LONG_LIFE:
                await self._sleep(backoff.pause())
            else:
                backoff.reset()

    def _start(self, number: int) -> ChildProcess:
        child = ChildProcess(number, self._order)
        self._started += 1
        for listener in self._listeners:
            listener(child)
        self._children[child] = asyncio.ensure_future(self._attend(child))
        return child

    async def _attend(self, child: ChildProcess) -> None:
        try:
            await child.attend()
        finally:
            del self._children[child]
            self._settled += child.state.settled
        if child.goodbye is None and child.failed is None:
            self._report(child)
        self._firing.child_ended(child, child.reason)
        if child.worker is None or child.clean:
            child.told_of([])
        else:
            show = child.told_of if self._firing.hears_ends else None
            self._expiry.expire(child.worker, child.number, show)

    def _report(self, child: ChildProcess) -> None:
        memory = child.state.memory
        log.error(
            "[%d] Process %d %s after %.1f s, %d settled tasks%s",
            child.number,
            child.pid,
            child.fate,
            child.lived,
            child.state.settled,
            "" if memory is None else f" and {memory / 1024 / 1024:.0f} MiB of memory",
        )

    async def _room(self, number: int) -> None:
        """Waits while two children of a place are still at their last tasks."""
        while True:
            living = [done for child, done in self._children.items() if child.number == number]
            if len(living) < _CROWD:
                return
            await asyncio.wait(living, return_when=asyncio.FIRST_COMPLETED)

    async def _after_failure(self, failed: Failed, wake: asyncio.Event) -> None:
        """Ends everything, or waits until the code has changed."""
        waits = self._changes is not None and failed.kind == "config"
        if self._shown is not wake and not (self._asked and waits):
            self._shown = wake
            if failed.details:
                sys.stderr.write(f"{failed.details}\n")
            if waits:
                log.error("%s; waiting for a change", failed.message)
        if waits:
            await wake.wait()
        elif self._failure is None:
            self._failure = failed
            if not self._asked:
                self._asked_to_stop()

    async def _sleep(self, seconds: float) -> None:
        """Waits, but not when everything stops or the code has changed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _restart_on_changes(self) -> None:
        if self._changes is None:
            return
        async for name in self._changes:
            log.info("%s has changed; the workers start anew", name)
            for child in self.children:
                child.retiring = "its code has changed"
                child.stop()
                child.leaving.set()
            wake, self._wake = self._wake, asyncio.Event()
            if self._asked:
                self._wake.set()
            wake.set()
