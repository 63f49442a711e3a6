"""Triggers of a supervisor: of its own life, and of the worker processes it looks after."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from qtasks._triggers import emit
from qtasks._worker.firing.beside import Beside
from qtasks._worker.firing.working import tell_stop_asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks._triggers.registry import TriggerRegistry

__all__ = ["Gone", "Supervising"]

#: Seconds that a kill waits for plugins.
_BEFORE_KILL: Final = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Gone:
    """What is left of a worker whose process is dead; plugins may keep it as they keep workers.

    Attributes:
        id: the id of the worker.
        app: the app.
        broker: the broker.
    """

    id: str
    app: object
    broker: object


class Supervising:
    """Tells plugins what a supervisor does, on the loop it runs on.

    Args:
        supervisor: the supervisor.
        registry: the plugins; None if nobody is to be told.
        owner: the app, as plugins see it.
        broker: its broker.
    """

    def __init__(
        self, supervisor: object, registry: TriggerRegistry | None, owner: object, broker: object
    ) -> None:
        self._supervisor = supervisor
        self._owner = owner
        self._broker = broker
        self._registry = registry if registry is not None and registry.plugins else None
        self._beside: Beside | None = None

    async def start(self) -> None:
        """Starts the plugins that listen to what happens in a supervisor."""
        if self._registry is None:
            return
        self._beside = Beside()
        await self._registry.start(self, "supervisor")
        if subscribers := self._registry.table.starter_start:
            await emit.notify("starter_start", subscribers, {"starter": self._supervisor})

    async def stop(self) -> None:
        """Stops them, when all is told."""
        if self._registry is None or self._beside is None:
            return
        await self._beside.told()
        if subscribers := self._registry.table.starter_stop:
            await emit.notify("starter_stop", subscribers, {"starter": self._supervisor})
        await self._registry.stop(self, "supervisor")

    def stop_asked(self, owner: object) -> None:
        """Tells that the app was asked to stop; may be called from any thread."""
        if self._registry is not None and self._beside is not None:
            table = self._registry.table
            self._beside.tell(partial(tell_stop_asked, table, owner, self._supervisor))

    def child_ended(self, child: Any, reason: str) -> None:
        """Tells that a worker process has ended.

        Args:
            child: the process.
            reason: why, in one word.
        """
        if self._registry is None or self._beside is None:
            return
        if subscribers := self._registry.table.worker_child_exit:
            about = {**self._about(child), "code": child.code, "reason": reason}
            self._beside.tell(lambda: emit.notify("worker_child_exit", subscribers, about))

    @property
    def hears_ends(self) -> bool:
        """Whether somebody wants to know of worker processes that have ended."""
        return self._registry is not None and bool(self._registry.table.worker_child_exit)

    @property
    def hears_dead_letters(self) -> bool:
        """Whether somebody wants to know of tasks that took down a worker once too often."""
        return self._registry is not None and bool(self._registry.table.worker_dead_letter)

    def convicted(self, worker: str, ids: list[str]) -> None:
        """Tells that tasks are dead letters because they took their workers down.

        Args:
            worker: the id of the last one, which is dead.
            ids: the ids of the tasks.
        """
        if self._registry is None or self._beside is None:
            return
        subscribers = self._registry.table.worker_dead_letter
        gone = Gone(worker, self._owner, self._broker)
        about = {"worker": gone, "reason": "worker_lost", "task_func": None, "task_broker": None}
        for task_id in ids:
            each = {**about, "uuid": task_id}
            tell = partial(emit.notify, "worker_dead_letter", subscribers, each)
            self._beside.tell(tell)

    def kill(self, child: Any, kill: Callable[[], object]) -> None:
        """Kills a worker process, once plugins have had a look at it.

        Args:
            child: the process.
            kill: does it.
        """
        subscribers = () if self._registry is None else self._registry.table.worker_before_kill
        if not subscribers or self._beside is None:
            kill()
            return

        async def look_and_kill() -> None:
            try:
                async with asyncio.timeout(_BEFORE_KILL):
                    await emit.notify("worker_before_kill", subscribers, self._about(child))
            finally:
                kill()

        self._beside.at_once(look_and_kill())

    def _about(self, child: Any) -> dict[str, Any]:
        return {
            "supervisor": self._supervisor,
            "child": child,
            "worker_id": child.worker,
            "pid": child.pid,
        }
