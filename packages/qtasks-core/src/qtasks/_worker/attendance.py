"""Runs that are attended: echo tasks look at themselves, generators give values meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from qtasks._worker.runs import Run
from qtasks._worker.values import Values

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qtasks._config import QueueConfig
    from qtasks._worker.bracket import Bracket
    from qtasks._worker.reports import Reports
    from qtasks._worker.runs import EchoMaker
    from qtasks._worker.streams import Streams
    from qtasks.contracts.executor import BaseTaskExecutor

__all__ = ["Attendance"]

#: Seconds that the end of an interrupted run waits for its last values to be written.
_LAST_WORD: Final = 2.0


class Attendance:
    """What attended runs of one worker need.

    Args:
        worker: the worker, as plugins see it.
        config: the settings.
        echo: makes the first argument of echo tasks.
        reports: takes what they say of their progress.
        streams: takes what generators yield.
    """

    def __init__(
        self,
        *,
        worker: Any,
        config: QueueConfig,
        echo: EchoMaker,
        reports: Reports,
        streams: Streams,
    ) -> None:
        self._worker = worker
        self._config = config
        self._echo = echo
        self._reports = reports
        self._streams = streams
        self._runs: dict[tuple[str, int], Run] = {}

    async def attend(
        self,
        executor: BaseTaskExecutor,
        run: Callable[[], Awaitable[Any]],
        bracket: Bracket | None = None,
    ) -> Any:
        """Runs a task with what it needs to look at itself and to give values.

        Args:
            executor: the executor of the run; gets ``echo`` and ``values``.
            run: takes the steps of the run.
            bracket: what stands around it, if anything does.
        """
        task, delivery = executor.task_func, executor.task_broker
        one = Run(task, delivery, self._worker, self._reports)
        if task.echo:
            executor.echo = self._echo.make(one)
        executor.contexts = partial(self._echo.context, one)
        values = None
        if task.generates:
            streams = self._streams if task.stream else None
            values = executor.values = Values(one, streams, self._config)
        self._runs[delivery.id, delivery.token] = one
        patience: float | None = None
        try:
            result = await run()
        except asyncio.CancelledError:
            patience = _LAST_WORD
            raise
        else:
            if values is not None:
                values.finish()
            return result
        finally:
            del self._runs[delivery.id, delivery.token]
            if bracket is None or not bracket.keeps(one):
                one.end()
            await self._reports.written(delivery.id)
            if values is not None:
                await self._last_values(values, patience)

    def end(self, task_id: str, token: int, reason: str) -> None:
        """Has the code of a run find out, as soon as it looks, that the run is over."""
        if run := self._runs.get((task_id, token)):
            run.end(reason)

    async def close(self) -> None:
        """Closes what runs have opened; only when none is left."""
        await self._reports.close()
        await self._streams.close()
        await self._echo.close()

    async def _last_values(self, values: Values, patience: float | None) -> None:
        """Waits for the last values, so that who reads them has them before the end."""
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._streams.written(values)
        finally:
            self._streams.drop(values)
