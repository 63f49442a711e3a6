"""The plugin: listens to what happens to tasks, and has it told to Sentry."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, Unpack

from qtasks.plugins import hookimpl, on
from qtasks.schemas import Cancel, Fail, Release, Retry, Success
from qtasks_plugin_sentry import options
from qtasks_plugin_sentry.ignoring import KEYWORD, check_ignored
from qtasks_plugin_sentry.options import check_code
from qtasks_plugin_sentry.publishing import publishing
from qtasks_plugin_sentry.reporting import End, Reporting
from qtasks_plugin_sentry.runs import Run
from qtasks_plugin_sentry.sdk import active_client, may_send_data
from qtasks_plugin_sentry.watching import Watching

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from contextlib import AbstractContextManager

    from qtasks.schemas import Delivery, Finding, Outcome, Settlement, TaskDefinition
    from qtasks_plugin_sentry.options import OptionFields
    from qtasks_plugin_sentry.runs import Ending

__all__ = ["SentryPlugin"]

#: What is heard of a task while there is a client.
_ALL: Final = (
    "worker_execute_before",
    "worker_remove_finished_task",
    "worker_task_error_retry",
    "worker_outcome",
    "worker_lease_lost",
    "worker_dead_letter",
)


class SentryPlugin(Watching):
    """Shows Sentry what happens to tasks.

    It is used as soon as the package is installed, and does nothing while the application has no
    client. An instance that is added in code takes its place.

    Args:
        name: its name.
        options: what is sent, as environment and settings file give it.
        ignore: exception classes, or their names, that are not reported.
        before_report: takes each event of the plugin and its hint; returns the event to send, or
            None to send none.
        monitor: what monitors of schedules are told beside the schedule, such as
            ``{"checkin_margin": 5}``.
        init: what ``sentry_sdk.init`` is called with in each process that has no client; None
            leaves that to the application.
        **given: fields of :class:`Options`; given in code, they win over ``options``.

    Raises:
        TypeError: an option does not exist, or what is given is not allowed.
    """

    def __init__(
        self,
        name: str = "sentry",
        options: options.Options | None = None,
        *,
        ignore: Any = (),
        before_report: Callable[[Any, dict[str, Any]], Any] | None = None,
        monitor: Mapping[str, Any] | None = None,
        init: Mapping[str, Any] | None = None,
        **given: Unpack[OptionFields],
    ) -> None:
        check_code(options, before_report, monitor, init)
        super().__init__(
            name, _options(options, given), before=before_report, monitor=monitor or {}, init=init
        )
        self._reporting = Reporting(self._sender, check_ignored("ignore", ignore))

    @hookimpl
    def qtasks_task_options(self) -> Mapping[str, Callable[[Any], object]]:
        """Declares the keyword of tasks that is the plugin's."""
        return {KEYWORD: lambda given: check_ignored(KEYWORD, given)}

    @hookimpl
    def qtasks_health_checks(self, app: Any) -> list[Finding]:  # noqa: ARG002 - the hook has it
        """Says whether there is a client.

        Args:
            app: the app.
        """
        from qtasks.schemas import Finding

        if active_client() is None:
            return [Finding("ok", "client", "The app uses no Sentry client, so nothing is sent.")]
        return [Finding("ok", "client", f"Tasks are reported: {self._now.report}.")]

    def applies(self, task: TaskDefinition) -> Collection[str]:  # noqa: ARG002 - each is the same
        """Names the triggers of a task that are needed, which without a client are none.

        Args:
            task: the task.
        """
        if active_client() is not None:
            return _ALL
        self._idle = True
        return ()

    # Adding

    @on("qtasks_publish")
    def publish(self, broker: Any, messages: Any) -> AbstractContextManager[None] | None:
        """Puts a span around the publishing, and the trace into the messages.

        Args:
            broker: the broker.
            messages: what is published.
        """
        client = active_client()
        if client is None or not self._now.traces:
            return None
        return publishing(client, broker, messages)

    # Running

    @on("worker_execute_before", order="first")
    def begin(self, worker: Any, task_func: TaskDefinition, task_broker: Delivery) -> None:
        """Begins a run: its scopes, its span, its check-in.

        Args:
            worker: the worker.
            task_func: the task.
            task_broker: the delivery.
        """
        client = active_client()
        if client is None:
            return
        now, wanted = worker.app.clock.time(), self._now
        memory = self.state(task_broker)
        memory.started = now
        memory.run = Run(
            client,
            worker,
            task_func,
            task_broker,
            now,
            traces=wanted.traces,
            send_data=wanted.send_args and may_send_data(client),
        )
        if wanted.crons and task_broker.deliveries <= 1:
            self._check_ins.open(task_broker.id, task_broker.message.headers, task_func)

    @on("worker_task_error_retry", order="first")
    def remember(self, task_broker: Delivery, e: BaseException) -> None:
        """Remembers what a run raised until it is known what follows.

        Args:
            task_broker: the delivery.
            e: the exception.
        """
        if active_client() is not None:
            self.state(task_broker).error = e

    @on("worker_remove_finished_task", order="last")
    def end(self, task_broker: Delivery, model: Settlement) -> None:
        """Ends the span of a run, which is over but not yet settled.

        Args:
            task_broker: the delivery.
            model: what is about to be written.
        """
        run = self._run(task_broker)
        if run is not None:
            outcome = model.outcome
            run.end(_ending(outcome), type(outcome).__name__.lower())

    @on("worker_outcome", order="last")
    def settled(
        self,
        worker: Any,
        task_broker: Delivery,
        outcome: Outcome,
        final: bool,  # noqa: FBT001 - triggers pass it by name
        fenced: bool,  # noqa: FBT001 - likewise
    ) -> None:
        """Reports a failure and closes the check-in, once the broker has taken the outcome.

        Args:
            worker: the worker.
            task_broker: the delivery.
            outcome: what the end of the run meant.
            final: whether the task is over.
            fenced: whether the broker refused it.
        """
        memory, client = self._taken(task_broker), active_client()
        run: Run | None = getattr(memory, "run", None)
        heard = client is not None and not fenced
        try:
            if heard and isinstance(outcome, Fail | Retry):
                error = getattr(memory, "error", None)
                end = End(worker, task_broker, outcome, error, run)
                self._reporting.report(client, self._now, end)
        finally:  # before_report is the application's, and may fail
            if heard and final and self._now.crons:
                self._check_ins.close(
                    task_broker.id,
                    task_broker.message.headers,
                    None if run is None else run.task,
                    ok=not isinstance(outcome, Fail),  # what is dropped on purpose is no alarm
                    history=task_broker.history,
                    started=getattr(memory, "started", None),
                    now=worker.app.clock.time(),
                )
            if run is not None:
                run.forget()

    @on("worker_lease_lost", order="last")
    def lost(self, worker: Any, task_broker: Delivery) -> None:
        """Ends a run that belongs to somebody else by now, and reports it.

        Args:
            worker: the worker.
            task_broker: the delivery.
        """
        run = getattr(self._taken(task_broker), "run", None)
        if run is not None:
            run.end("aborted", "lost")
            run.forget()
        if active_client() is None:
            return
        self._survivors.lease_lost(task_broker, worker, worker.app.clock.time())

    # Inside

    def _run(self, delivery: Delivery) -> Run | None:
        return getattr(self.state(delivery), "run", None)

    def _taken(self, delivery: Delivery) -> SimpleNamespace:
        """Returns what is remembered of a run that is over, and forgets it.

        Scopes and tracebacks refer to the delivery, and what it is remembered by must not.
        """
        memory = vars(self.state(delivery))
        taken = SimpleNamespace(**memory)
        memory.clear()
        return taken


def _options(given: options.Options | None, fields: OptionFields) -> options.Options | None:
    if not fields:
        return given
    if given is None:
        return options.make_options(fields)
    return options.make_options({**_as_dict(given), **fields})


def _as_dict(given: options.Options) -> dict[str, Any]:
    return {name: getattr(given, name) for name in given.__struct_fields__}


def _ending(outcome: Outcome) -> Ending:
    if isinstance(outcome, Success):
        return "ok"
    if isinstance(outcome, Release | Cancel) or (
        isinstance(outcome, Retry) and not outcome.counted
    ):
        return "aborted"
    return "error"
