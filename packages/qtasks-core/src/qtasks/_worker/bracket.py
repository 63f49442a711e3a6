"""What plugins open before the function of a run, and close when its result is fixed."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from qtasks._triggers import emit
from qtasks._triggers.answers import read
from qtasks.exc import PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks._triggers.subscription import Subscription
    from qtasks._triggers.table import TriggerTable
    from qtasks._worker.places import Place
    from qtasks._worker.plan import Plan
    from qtasks._worker.runs import Run
    from qtasks.contracts.executor import BaseTaskExecutor

__all__ = ["Bracket"]

_FILL: Final = "task_executor_fill"

log = logging.getLogger("qtasks.worker")


class Bracket:
    """Stands around one run, if somebody fills in parameters or listens to its end.

    Args:
        worker: the worker, as plugins see it.
        plan: how the run goes.
        executor: its executor.
        table: who listens.

    Attributes:
        executor: the executor, also if a middleware has put another one in its place.
        place: where the run happens, as soon as it has begun.
        error: what it raised.
    """

    def __init__(
        self, worker: Any, plan: Plan, executor: BaseTaskExecutor, table: TriggerTable
    ) -> None:
        self._worker = worker
        self._layout = plan.layout
        self._table = table
        self.executor = executor
        self.place: Place | None = None
        self.error: BaseException | None = None
        self._run: Run | None = None

    async def fill(self, executor: BaseTaskExecutor, place: Place) -> None:
        """Has plugins fill in parameters."""
        self.executor, self.place = executor, place
        values: Mapping[str, Any] = {}
        if subscribers := self._table.task_executor_fill:
            about: dict[str, Any] = {
                "worker": self._worker,
                "task_executor": executor,
                "task_broker": executor.task_broker,
                "values": values,
            }
            if self._layout is not None:
                await place.take()  # what is opened shall not wait for a thread
            for subscription in subscribers:
                if subscription.plugin in executor.task_func.filled.values():
                    about = await _fill(subscription, about)
                else:
                    about = await emit.replace(_FILL, (subscription,), about)
            values = about["values"]
        if self._layout is not None:
            executor.args, executor.kwargs = self._layout.arrange(
                executor.args, executor.kwargs, values
            )

    def leave(self, executor: BaseTaskExecutor, place: Place) -> None:
        """Keeps what is needed to close; a thread that does not come back is replaced at once."""
        self.executor, self.place = executor, place
        if place.stuck:
            place.close()

    def keeps(self, run: Run) -> bool:
        """Takes over to say when a run is over, since what is closed may look at it.

        Returns:
            False if it is over at once, because its function still runs somewhere.
        """
        if self.place is None or self.place.stuck:
            return False
        self._run = run
        return True

    async def close(self) -> None:
        """Lets plugins close what they have opened, in the place of the run.

        A run that is interrupted meanwhile has ended all the same.
        """
        try:
            if subscribers := self._table.task_executor_task_close:
                about = {
                    "task_executor": self.executor,
                    "task_func": self.executor.task_func,
                    "task_broker": self.executor.task_broker,
                    "e": self.error,
                }
                await emit.notify("task_executor_task_close", subscribers, about)
        except asyncio.CancelledError:
            log.debug("%s ended while plugins closed", self.executor.task_broker.id)
        finally:
            if self._run is not None:
                self._run.end()
            if self.place is not None:
                self.place.close()


async def _fill(subscription: Subscription, about: dict[str, Any]) -> dict[str, Any]:
    """Asks a plugin for what it promised: its failure is that of the run, and so is its time."""
    answer = subscription.call(about)
    while hasattr(type(answer), "__await__"):
        answer = await answer
    if answer is None:
        return about
    try:
        return {**about, **read(subscription, answer, about)}
    except PluginError as error:
        await subscription.policy.tell(subscription.plugin, subscription.owner, _FILL, error, about)
        return about
