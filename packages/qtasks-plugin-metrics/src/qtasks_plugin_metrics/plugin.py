"""The plugin: listens to triggers, and has what it hears served."""

from __future__ import annotations

import logging
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
from prometheus_client import CollectorRegistry

from qtasks.exc import ConfigError
from qtasks.plugins import Plugin, hookimpl, on
from qtasks.schemas import CommandOption, Finding
from qtasks_plugin_metrics import options as declared_options
from qtasks_plugin_metrics import probing
from qtasks_plugin_metrics.advice import warn_of_mode, who_can_read
from qtasks_plugin_metrics.book import Book
from qtasks_plugin_metrics.children import Children, Reporter
from qtasks_plugin_metrics.convicted import count_convicted
from qtasks_plugin_metrics.crew import Crew
from qtasks_plugin_metrics.declarations import declared
from qtasks_plugin_metrics.multiproc import FileTally, make_registry
from qtasks_plugin_metrics.publishing import Publishing, Tally
from qtasks_plugin_metrics.pushing import push
from qtasks_plugin_metrics.serving import MetricsServer, ServingError
from qtasks_plugin_metrics.shared import SharedLedger
from qtasks_plugin_metrics.tracing import is_tracing, trace_id
from qtasks_plugin_metrics.writing import of_book, of_registry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Collection, Iterable, Sequence

    from qtasks.schemas import Delivery, Finished, Held, Message, TaskDefinition
    from qtasks_plugin_metrics.messages import Probe

__all__ = ["MetricsPlugin"]

log = logging.getLogger("qtasks_plugin_metrics")

#: The only trigger that is asked for with each task, and only if there are traces.
_OF_TRACES: Final = "task_executor_before_execute"


class MetricsPlugin(Plugin):
    """Measures tasks and workers, and serves the figures to Prometheus.

    Installing it and giving it a port is all. Without a port, and unless one of the arguments
    below says what the figures are for, it listens to nothing and costs nothing.

    Args:
        name: its name.
        options: all that can be set; None to have it read from environment and settings file.
        port: where ``/metrics`` is served; wins over ``options``.
        registry: where the metrics are registered, to be served by your own code; None for a
            registry of its own.

    Raises:
        ConfigError: the registry has metrics of these names already, or is none, as options may be.
        ValueError: the port is none.

    Attributes:
        registry: where the metrics are.
    """

    plugin_api = "1.0"
    Options = declared_options.Options
    _options: declared_options.Options | None = None

    def __init__(
        self,
        name: str = "metrics",
        options: declared_options.Options | None = None,
        *,
        port: int | None = None,
        registry: CollectorRegistry | None = None,
    ) -> None:
        declared_options.check_given(options, registry)
        self._port = None if port is None else declared_options.Options(port=port).port
        super().__init__(name, options)
        self._given = registry
        self._ready = False
        self._server: MetricsServer | None = None
        self._reporter: Reporter | None = None
        self._starters: set[Any] = set()
        self._traced: bool | None = None

    @property
    def TRIGGERS(self) -> Collection[str] | None:  # type: ignore[override]  # noqa: N802 - decided by the options
        """What it listens to as an installed plugin: nothing, if nobody wants to know."""
        return None if self.is_used else ()

    @property
    def is_used(self) -> bool:
        """Whether somebody wants the figures."""
        set_up = self.settings
        serves = set_up.port is not None or set_up.mode == "multiproc" or set_up.push_gateway
        return self._given is not None or bool(serves)

    @property
    def registry(self) -> CollectorRegistry:
        """Where the metrics are; in mode ``multiproc`` that shows the sum over all processes."""
        self._get_ready()
        return self._registry

    @property
    def url(self) -> str | None:
        """Where this process serves its metrics; None if it does not."""
        return None if self._server is None else self._server.url

    @property
    def options(self) -> declared_options.Options | None:
        """What is set; the port of the code wins over what is read, and what is typed over both."""
        return self._options

    @options.setter
    def options(self, found: declared_options.Options) -> None:
        self._options, self._port = self._with_port(found), None

    @property
    def settings(self) -> declared_options.Options:
        """What is set, by whoever set it."""
        return self._with_port(self._options or declared_options.Options())

    def _with_port(self, found: declared_options.Options) -> declared_options.Options:
        return found if self._port is None else msgspec.structs.replace(found, port=self._port)

    def _get_ready(self) -> None:
        """Makes what is needed; not in ``__init__``, because the options come later."""
        if self._ready:
            return
        set_up = self.settings
        metrics = declared(set_up.run_buckets)
        self._book = Book(set_up.max_series, metrics)
        self._shared = SharedLedger()
        self._tally: Tally = self._shared
        self._crew = Crew(self._book, metrics, metadata.version("qtasks-core"), self._beat)
        self._children = Children(self._book)
        if set_up.mode == "multiproc":
            self._tally = FileTally()
            self._registry = make_registry()
        else:
            self._registry = CollectorRegistry() if self._given is None else self._given
            self._register()
        self._book.open(self._shared.ledger)
        self._ready = True

    def _register(self) -> None:
        try:
            self._registry.register(self._book)
        except ValueError as error:
            msg = (
                f"registry={self._registry!r} has metrics of these names already ({error}): give"
                " each MetricsPlugin a registry of its own, or use one plugin for both apps"
            )
            raise ConfigError(msg) from None

    # What it brings to the command line

    @hookimpl
    def qtasks_command_options(self) -> Iterable[CommandOption]:
        """Adds ``--metrics-port`` to ``qtasks run``."""
        text = "Serve Prometheus metrics on this port; 0 takes a free one."
        return [CommandOption("--metrics-port", "port", text, "PORT")]

    @hookimpl
    def qtasks_commands(self, group: Any) -> None:
        """Adds ``qtasks metrics-exporter``.

        Args:
            group: the commands.
        """
        # Here, because it needs typer, which workers do without.
        from qtasks_plugin_metrics.commands import add_commands

        add_commands(group, self)

    @hookimpl
    def qtasks_health_checks(self, app: Any) -> Iterable[Finding]:  # noqa: ARG002 - the hook has it
        """Says where the metrics are, and whether strangers can read them.

        Args:
            app: the app.
        """
        return who_can_read(self.settings)

    # What it listens to

    def applies(self, task: TaskDefinition) -> bool | Collection[str]:  # noqa: ARG002 - all are alike
        """Names the triggers that are asked for with each task: none, unless something traces.

        What runs is told of together, with each call to the broker.

        Args:
            task: the task.
        """
        if not self.is_used or self.settings.mode == "multiproc":
            return False
        if self._traced is None:
            wanted = self.settings.exemplars
            self._traced = is_tracing() if wanted is None else wanted
        return (_OF_TRACES,) if self._traced else False

    @on("qtasks_publish")
    def publishing(self, qtasks: Any, messages: Sequence[Message]) -> Publishing | None:
        """Measures a call that adds tasks.

        Args:
            qtasks: the app.
            messages: what is published.
        """
        if not self._ready:
            if not self.is_used:
                return None
            self._get_ready()
        return Publishing(self._tally, qtasks, messages)

    @on("task_executor_before_execute")
    def trace(self, task_executor: Any) -> None:
        """Notes which trace a run belongs to.

        Args:
            task_executor: the executor of the run.
        """
        self.state(task_executor.task_broker).trace_id = trace_id()

    @on("worker_dead_letter")
    def convicted(
        self, worker: Any, uuid: str, reason: str, task_broker: Delivery | None
    ) -> Awaitable[None] | None:
        """Counts a dead letter of which nobody here has seen a run.

        Args:
            worker: the worker that found it, or what a supervisor has left of one.
            uuid: the task's id.
            reason: why it is dead.
            task_broker: the delivery, if there was a run; that is counted with its outcome.
        """
        if task_broker is not None or not self._ready:
            return None
        return count_convicted(self._shared, worker, uuid, reason)

    @on("worker_exchanged")
    def exchanged(
        self,
        *,
        worker: Any,
        deliveries: Sequence[Delivery],
        runs: Sequence[Finished],
        refused: Sequence[str],
        seconds: float,
        e: BaseException | None,
    ) -> None:
        """Counts what a call to the broker has settled and claimed.

        Args:
            worker: the worker.
            deliveries: what was claimed.
            runs: what was settled.
            refused: the ids whose outcomes were refused.
            seconds: how long it took.
            e: why there is no answer, or None.
        """
        if not self._ready or (meter := self._crew.meters.get(worker)) is None:
            return
        meter.called(seconds, e)
        if e is None:
            traces = self._traces_of(runs) if self._traced else {}
            meter.ended(runs, refused, traces)
            meter.claimed(deliveries)

    def _traces_of(self, runs: Sequence[Finished]) -> dict[str, str]:
        deliveries = [run.delivery for run in runs]
        traces = {one.id: getattr(self.state(one), "trace_id", None) for one in deliveries}
        return {name: trace for name, trace in traces.items() if trace is not None}

    @on("worker_leases_kept")
    def kept(self, worker: Any, held: Sequence[Held], lost: Sequence[str]) -> None:
        """Counts renewed leases.

        Args:
            worker: the worker.
            held: what they are of.
            lost: ids of those that are somebody else's.
        """
        if self._ready and (meter := self._crew.meters.get(worker)):
            meter.kept(held, lost)

    @on("plugin_error")
    def plugin_failed(self, plugin: str, trigger: str) -> None:
        """Counts a failure of a plugin.

        Args:
            plugin: its name.
            trigger: where it failed.
        """
        if self._ready:
            self._shared.plugin_failed(plugin, trigger)

    # The life of workers and supervisors

    @on("starter_start", order="first")
    def begin(self, starter: Any) -> None:
        """Begins to measure, and to serve: a worker of a supervisor reports to that instead.

        Args:
            starter: the worker, or the supervisor.
        """
        if not self.is_used:
            return
        if self.settings.mode == "multiproc":
            warn_of_mode(self.settings, starter)
            return
        self._get_ready()
        self._starters.add(starter)
        if hasattr(starter, "on_start"):
            self._shared.expect_children()
            starter.on_start(self._children.listen)
            self._end_reading = self._book.read(self._children.readings)
        else:
            if starter.channel is not None:
                self._reporter = Reporter(starter.channel, self._book, self._crew)
            self._crew.join(starter)
        if self._reporter is None and self.settings.port is not None and self._server is None:
            self._serve()

    @on("starter_stop", order="last")
    def end(self, starter: Any) -> None:
        """Ends that; a last report is sent, or a last push.

        Args:
            starter: the worker, or the supervisor.
        """
        if starter not in self._starters:
            return
        self._starters.discard(starter)
        if hasattr(starter, "on_start"):
            self._end_reading()
        else:
            self._crew.leave(starter)
            if self._reporter is not None:
                self._reporter.tell()
                self._reporter = None
                return
        if self._starters:
            return
        if self.settings.push_gateway:
            push(self.settings, self._registry)
        if self._server is not None:
            self._server.stop()
            self._server = None

    @on("worker_child_exit")
    def child_exited(self, child: Any, reason: str) -> None:
        """Counts a worker process that ended.

        Args:
            child: the process.
            reason: why.
        """
        if self._ready:
            self._shared.child_exited(reason)
            self._children.forget(child)

    def stop(self, role: Literal["client", "worker", "supervisor"] = "client") -> None:
        """Puts away what a worker has left that could not start.

        Args:
            role: who uses it no more.
        """
        del role
        for starter in list(self._starters):
            self.end(starter)

    def _beat(self) -> None:
        if self._reporter is not None:
            self._reporter.beat()

    def _serve(self) -> None:
        set_up = self.settings
        stale = set_up.stale_after
        try:
            self._server = MetricsServer(
                set_up,
                of_book(self._book) if self._given is None else of_registry(self._given),
                lambda: probing.alive(self._probes(), stale),
                lambda: probing.ready(self._probes(), stale),
            )
        except ServingError as error:
            log.error("The workers go on without metrics: %s", error)  # noqa: TRY400 - the trace says nothing more
            return
        self._server.start()
        log.info("Metrics are at %s", self._server.url)
        if set_up.port == 0:
            print(f"metrics are at {self._server.url}", file=sys.stderr, flush=True)  # noqa: T201 - nobody knows the port

    def _probes(self) -> list[Probe]:
        return [*self._crew.probes(), *self._children.probes()]
