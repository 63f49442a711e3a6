"""The cold half of the plugin: processes that begin and end, and what they leave behind."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

import sentry_sdk

from qtasks.plugins import Plugin, on
from qtasks_plugin_sentry import options
from qtasks_plugin_sentry.checkins import CheckIns
from qtasks_plugin_sentry.events import Sender
from qtasks_plugin_sentry.flushing import ask_to_flush, flush, listen
from qtasks_plugin_sentry.quieting import hide_arguments
from qtasks_plugin_sentry.sdk import active_client
from qtasks_plugin_sentry.survivors import Survivors, find_records

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from qtasks.schemas import Delivery, Record

__all__ = ["Watching"]

#: Seconds that the report of a dead process waits for what the broker says of its tasks.
_PATIENCE: Final = 5.0


class Watching(Plugin):
    """Looks after processes, and reports what those cannot report that are gone.

    Args:
        name: the name of the plugin.
        given: its options; None to have them read.
        before: the application's ``before_report``, or None.
        monitor: what monitors are told beside the schedule.
        init: what ``sentry_sdk.init`` is called with, or None.
    """

    plugin_api = "1.0"
    Options = options.Options

    def __init__(
        self,
        name: str,
        given: options.Options | None,
        *,
        before: Callable[[Any, dict[str, Any]], Any] | None,
        monitor: Mapping[str, Any],
        init: Mapping[str, Any] | None,
    ) -> None:
        super().__init__(name, given)
        self._init = init
        self._sender = Sender(before)
        self._survivors = Survivors(self._sender)
        self._check_ins = CheckIns(monitor)
        #: Whether tasks were told of while there was no client, so that they are to be asked anew.
        self._idle = False
        self._hanging: set[int] = set()

    @property
    def _now(self) -> options.Options:
        """The options as they are."""
        return self.options or self.Options()

    def start(self, *_: Any, **__: Any) -> None:
        """Makes a client if that was asked for."""
        if self._init is not None and active_client() is None:
            sentry_sdk.init(**self._init)
        if active_client() is not None:
            hide_arguments()

    # What others left behind

    @on("worker_dead_letter")
    def convicted(
        self, worker: Any, uuid: str, task_broker: Delivery | None
    ) -> Awaitable[None] | None:
        """Reports a task that took its workers down, which none of them could.

        Args:
            worker: the worker that found it.
            uuid: the task's id.
            task_broker: its last delivery; None if it was convicted without a run.
        """
        if task_broker is not None or active_client() is None:
            return None
        return self._convicted(worker, uuid)

    @on("broker_running_older_tasks")
    def taken_back(self, worker: Any, uuids: Collection[str]) -> Awaitable[None] | None:
        """Reports tasks whose leases ran out.

        Args:
            worker: the worker that found them.
            uuids: their ids.
        """
        if active_client() is None:
            return None
        return self._taken_back(worker, list(uuids))

    @on("worker_child_exit")
    def child_ended(
        self,
        child: Any,
        worker_id: str | None,
        pid: int,
        code: int | None,
        reason: str,
    ) -> Awaitable[None] | None:
        """Reports a worker process that died.

        Args:
            child: the process.
            worker_id: the id of its worker.
            pid: its process id.
            code: its exit code.
            reason: why it ended, in one word.
        """
        hung = pid in self._hanging
        self._hanging.discard(pid)
        if active_client() is None or not (hung or reason in ("signal", "exit")):
            return None
        return self._child_ended(child, worker_id, pid, code, hung=hung)

    @on("worker_before_kill")
    def before_kill(self, child: Any, pid: int) -> Awaitable[None] | None:
        """Has a worker process that hangs send what it has, before it is killed.

        Args:
            child: the process.
            pid: its process id.
        """
        if active_client() is None:
            return None
        self._hanging.add(pid)  # it is reported when it is gone, and known what it held
        return ask_to_flush(child.channel)

    # The life of a process

    @on("worker_start", order="last")
    def started(self, worker: Any) -> None:
        """Gets ready to be asked by the supervisor, and looks whether there is a client by now.

        Args:
            worker: the worker.
        """
        if worker.channel is not None:
            listen(worker.channel)
        self._look(worker.app)

    @on("broker_listen_start", order="last")
    def listening(self, worker: Any) -> None:
        """Looks once more: handlers of events may have made a client.

        Args:
            worker: the worker.
        """
        self._look(worker.app)

    @on("worker_stop", order="last")
    def stopped(self, worker: Any) -> Awaitable[None] | None:
        """Sends what is still to be sent, when everything is settled.

        Args:
            worker: the worker.
        """
        if active_client() is None:
            return None
        return flush(self._now.flush_timeout, worker.time_left)

    @on("starter_stop", order="last")
    def supervisor_stopped(self, starter: Any) -> Awaitable[None] | None:
        """Sends what a supervisor has to send; a worker has done so before.

        Args:
            starter: what has stopped.
        """
        if active_client() is None or hasattr(starter, "broker"):
            return None
        return flush(self._now.flush_timeout)

    def _look(self, app: Any) -> None:
        """Has tasks asked anew what the plugin wants, if there is a client since they were."""
        if self._idle and active_client() is not None:
            self._idle = False
            app.add_plugin(self, trigger_names=["worker_start"])

    async def _child_ended(
        self, child: Any, worker_id: str | None, pid: int, code: int | None, *, hung: bool
    ) -> None:
        held: list[Record] = []
        with contextlib.suppress(TimeoutError):  # the broker is away; its tasks have time
            async with asyncio.timeout(_PATIENCE):
                held = await child.held()
        self._survivors.process_ended(child, worker_id, pid, code, held, hung=hung)

    async def _convicted(self, worker: Any, task_id: str) -> None:
        for record in await find_records(worker, [task_id]):
            try:
                self._survivors.convicted(record)
            finally:  # before_report is the application's, and may fail
                if self._now.crons:
                    now = worker.app.clock.time()
                    self._check_ins.close(
                        record.id,
                        record.headers,
                        None,
                        ok=False,
                        history=record.history,
                        started=record.started_at,
                        now=now,
                    )

    async def _taken_back(self, worker: Any, ids: list[str]) -> None:
        self._survivors.taken_back(await find_records(worker, ids))
