"""The inside of a worker process: does what it is ordered, and ends with its supervisor.

It speaks over its standard input and output, so what tasks print goes to standard error, which
the supervisor reads too. Nothing that draws on a terminal is imported here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from qtasks._discovery.switches import switched
from qtasks._runtime.channel import Channel, write_all
from qtasks._runtime.loops import freeze_objects, run_on_loop
from qtasks._runtime.signals import take_interrupts
from qtasks._supervisor.limits import Limits, memory_in_use
from qtasks._supervisor.loading import AppLoadError, load_app
from qtasks._supervisor.logs import set_up_child_logging
from qtasks._supervisor.messages import (
    Failed,
    Goodbye,
    Hello,
    Order,
    Ping,
    Retiring,
    State,
    Stop,
)
from qtasks._supervisor.prints import collect_prints, flush_prints
from qtasks.exc import QTasksError, ServerError, ServerUnavailableError

if TYPE_CHECKING:
    from qtasks._worker.worker import Worker

__all__ = ["main"]

#: Seconds that tasks get to be given back when the supervisor is gone.
_GRACE: Final = 0.5
#: Seconds between two looks at this process.
_INTERVAL: Final = 1.0
#: The exit code of a child that cannot work; also that of the command line.
_CANNOT: Final = 2


def main() -> None:
    """Serves one supervisor until it is told to stop."""
    # Not SIG_IGN, which would be inherited by what tasks start.
    signal.signal(signal.SIGINT, lambda *_: None)
    take_interrupts()
    requests, answers = _take_pipes()
    child = Child(answers)
    threading.Thread(target=child.listen, args=(requests,), daemon=True).start()
    code = child.serve()
    flush_prints()
    sys.exit(code)


def _take_pipes() -> tuple[int, int]:
    """Takes the pipes of standard input and output for the channel.

    Returns:
        File descriptors to read orders from, and to write answers to.
    """
    requests, answers = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    collect_prints()
    return requests, answers


class Child:
    """One worker, and the channel to its supervisor.

    Args:
        answers: the file descriptor that the supervisor reads.
    """

    def __init__(self, answers: int) -> None:
        self.channel = Channel(partial(write_all, answers))
        self.channel.on(Order, self._ordered)
        self.channel.on(Stop, self._stop)
        self.channel.on(Ping, self.channel.send)
        self._order: Order | None = None
        self._told = threading.Event()
        self._worker: Worker | None = None
        self._begins = threading.Lock()  # the worker does not, while this process ends
        self._retired = False
        self._asked = False

    def listen(self, requests: int) -> None:
        """Takes what the supervisor says; ends this process soon after the supervisor has.

        Args:
            requests: the file descriptor that the supervisor writes to.
        """
        while data := os.read(requests, 65536):
            self.channel.feed(data)
        self._stop(Stop(hurry=True))
        time.sleep(_GRACE)
        os._exit(1)

    def serve(self) -> int:
        """Loads the app and runs its worker; returns the exit code."""
        self._told.wait()
        order = self._order
        assert order is not None  # noqa: S101 - it is what was told
        try:
            with switched(order.plugins):
                self._work(order)
        except AppLoadError as error:
            failed = Failed("config", str(error), error.details)
        except ServerUnavailableError as error:
            failed = Failed("unavailable", str(error))
        except ServerError as error:
            failed = Failed("server", str(error))
        except QTasksError as error:
            failed = Failed("config", str(error))
        else:
            return 0
        if self._asked:  # it ends anyway, and may have failed because of that
            return 0
        self.channel.send(failed)
        return _CANNOT

    def _work(self, order: Order) -> None:
        app = load_app(order)
        set_up_child_logging(self.channel, order)
        if order.concurrency is not None:
            app.config.max_tasks_process = order.concurrency
        worker: Worker = app.worker(queues=order.queues, burst=order.burst)
        worker.channel = self.channel
        limits = Limits.of(app.config)
        if limits.tasks is not None:
            worker.on_settled = lambda: self._keep_within(limits, worker, None, 0)
        self.channel.send(Hello(worker.id, os.getpid()))
        with self._begins:
            self._worker = worker
        freeze_objects()
        run_on_loop(self._run(worker, limits, order), uvloop=app.config.uvloop)

    async def _run(self, worker: Worker, limits: Limits, order: Order) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError):  # on Windows it ends the process
            loop.add_signal_handler(signal.SIGTERM, self._stop, Stop())
        looking = loop.create_task(self._look_after(worker, limits))
        try:
            await worker.run(retry=order.retry, signals=False)
        finally:
            looking.cancel()
        self.channel.send(_state_of(worker, memory_in_use()))
        ended: Literal["stopped", "burst"] = "stopped"
        if order.burst and not self._asked:
            ended = "burst"
        held = len(worker.held()) if worker.started else 0
        self.channel.send(Goodbye("retired" if self._retired else ended, held))

    async def _look_after(self, worker: Worker, limits: Limits) -> None:
        """Says every second how this process is, and has it replaced in time."""
        while True:
            memory = memory_in_use()
            self.channel.send(_state_of(worker, memory))
            if worker.started:
                self._keep_within(limits, worker, memory, worker.abandoned)
            await asyncio.sleep(_INTERVAL)

    def _keep_within(
        self, limits: Limits, worker: Worker, memory: int | None, abandoned: int
    ) -> None:
        why = limits.reached(worker.settled, memory, abandoned)
        if why is not None and not self._retired:
            self._retired = True
            worker.retire()
            self.channel.send(Retiring(why))

    # What the supervisor says, in the thread that listens

    def _ordered(self, order: Order) -> None:
        self._order = order
        self._told.set()

    def _stop(self, stop: Stop) -> None:
        self._asked = True
        with self._begins:
            if self._worker is None:  # it is still loading the app, and holds nothing
                self.channel.send(Goodbye("stopped"))
                os._exit(0)
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            self._worker.stop(hurry=stop.hurry)


def _state_of(worker: Worker, memory: int | None) -> State:
    return State(worker.settled, worker.running if worker.started else 0, memory)
