"""From triggers to events: an ordinary plugin, which listens to what its handlers need."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from qtasks._runtime.current import current_delivery
from qtasks._runtime.threads import ThreadPool
from qtasks.contracts.plugin import BasePlugin
from qtasks.schemas import Cancel, Fail, Success

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qtasks.app.base import BaseQueueTasks
    from qtasks.app.events import EventHandler, Events
    from qtasks.schemas import Delivery, TaskDefinition

__all__ = ["EVENT_TIME", "EventPlugin"]

log = logging.getLogger("qtasks.events")

#: Seconds that one handler may take.
EVENT_TIME: Final = 30.0
#: How many ends of tasks may wait for their handlers before the worker waits for them.
_MOST: Final = 1000
#: How many plain handlers run at once.
_THREADS: Final = 16

_START, _STOP = ("worker_start",), ("worker_stop",)
_ENDED: Final = ("worker_outcome", "worker_stop")
#: What has to be listened to for each event.
_TRIGGERS: Final[dict[str, tuple[str, ...]]] = {
    "starting": _START,
    "worker_running": _START,
    "task_running": ("worker_execute_before",),
    "task_success": _ENDED,
    "task_error": _ENDED,
    "task_cancel": _ENDED,
    "task_stopping": (*_ENDED, "worker_execute_before", "worker_lease_lost"),
    "worker_stopping": _STOP,
    "stopping": _STOP,
}
_ENDS: Final = ((Success, "task_success"), (Fail, "task_error"), (Cancel, "task_cancel"))


class EventPlugin(BasePlugin):
    """Calls the handlers of an app's events.

    Plain handlers run in threads, so they may block. Those of a task's end run beside the
    worker, which goes on; when it stops, it waits for them.

    Args:
        app: the app.
        events: its handlers.
    """

    def __init__(self, app: BaseQueueTasks, events: Events) -> None:
        super().__init__("qtasks.events")
        self._app = app
        self._events = events
        self._answers: dict[str, Callable[..., Any]] = {
            "worker_start": self._started,
            "worker_stop": self._stopped,
            "worker_execute_before": self._running,
            "worker_outcome": self._ended,
            "worker_lease_lost": self._lost,
        }
        self._heard: set[str] = set()
        self._numbers: dict[object, int] = {}
        self._runs: set[tuple[str, int]] = set()
        self._telling: set[asyncio.Task[None]] = set()
        self._pools: dict[asyncio.AbstractEventLoop, ThreadPool] = {}

    def wanted(self, event: str) -> set[str]:
        """Returns what has to be listened to for an event, and is not yet."""
        more = set(_TRIGGERS[event]) - self._heard
        self._heard |= more
        return more

    def start(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing: threads are started as they are needed."""

    def stop(self, *_: Any, **__: Any) -> None:
        """Lets the threads end."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    async def trigger(self, name: str, *_: Any, **kwargs: Any) -> None:
        """Tells the handlers."""
        await self._answers[name](**kwargs)

    async def drain(self) -> None:
        """Waits for the handlers that run beside the worker of this loop."""
        loop = asyncio.get_running_loop()
        while mine := [task for task in self._telling if task.get_loop() is loop]:
            await asyncio.wait(mine)

    # One method for each trigger

    async def _started(self, worker: Any) -> None:
        taken = set(self._numbers.values())
        number = next(n for n in range(len(taken) + 1) if n not in taken)
        self._numbers[worker] = number
        about = {"app": self._app, "worker": worker}
        await self._tell("starting", {**about, "starter": worker, "broker": self._app.broker})
        await self._tell("worker_running", {**about, "number": number})

    async def _stopped(self, worker: Any) -> None:
        await self.drain()
        number = self._numbers.pop(worker, 0)
        about = {"app": self._app, "worker": worker}
        await self._tell("worker_stopping", {**about, "number": number})
        await self._tell("stopping", {**about, "starter": worker, "broker": self._app.broker})

    async def _running(
        self, worker: Any, task_broker: Delivery, task_func: TaskDefinition, **_: Any
    ) -> None:
        if self._events.handlers("task_stopping"):
            self._runs.add((task_broker.id, task_broker.token))
        await self._tell("task_running", self._about(worker, task_broker, task_func))

    async def _ended(
        self,
        worker: Any,
        task_broker: Delivery,
        outcome: Any,
        fenced: bool,  # noqa: FBT001 - all arguments come by keyword
        **_: Any,
    ) -> None:
        if fenced:
            return  # not this run's end is the task's; that its lease was lost is told as well
        events = [event for kind, event in _ENDS if isinstance(outcome, kind)]
        await self._tell_beside(events, worker, task_broker, outcome)

    async def _lost(self, worker: Any, task_broker: Delivery) -> None:
        await self._tell_beside([], worker, task_broker, None)

    # Calling handlers

    def _about(self, worker: Any, delivery: Delivery, task: Any) -> dict[str, Any]:
        return {"app": self._app, "worker": worker, "task_func": task, "task_broker": delivery}

    async def _tell_beside(
        self, events: list[str], worker: Any, delivery: Delivery, outcome: Any
    ) -> None:
        """Tells of the end of a run, without keeping the worker from the next one."""
        key = (delivery.id, delivery.token)
        if key in self._runs:
            self._runs.discard(key)
            events = [*events, "task_stopping"]
        if not any(map(self._events.handlers, events)):
            return
        task = self._app.tasks.get(delivery.message.task)
        arguments = {**self._about(worker, delivery, task), "model": outcome}
        telling = asyncio.create_task(self._tell_all(events, arguments))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)
        if len(self._telling) > _MOST:
            await self.drain()

    async def _tell_all(self, events: list[str], arguments: Mapping[str, Any]) -> None:
        current_delivery.set(arguments["task_broker"])  # for logs, and for tasks that are added
        for event in events:
            await self._tell(event, arguments)

    async def _tell(self, event: str, arguments: Mapping[str, Any]) -> None:
        for handler in self._events.handlers(event):
            await self._call(handler, handler.choose(arguments))

    async def _call(self, handler: EventHandler, arguments: dict[str, Any]) -> None:
        name = getattr(handler.function, "__qualname__", repr(handler.function))
        try:
            async with asyncio.timeout(EVENT_TIME) as limit:
                if handler.is_async:
                    await handler.function(**arguments)
                else:
                    await self._threads().run(partial(handler.function, **arguments))
        except (Exception, SystemExit) as error:
            if isinstance(error, TimeoutError) and limit.expired():
                log.error("%s of the event %s took over %g s", name, handler.event, EVENT_TIME)  # noqa: TRY400 - where it was stopped says nothing
            else:
                log.exception("%s of the event %s failed; the task goes on", name, handler.event)

    def _threads(self) -> ThreadPool:
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            pool = self._pools[loop] = ThreadPool(_THREADS, "qtasks-event")
        return pool
