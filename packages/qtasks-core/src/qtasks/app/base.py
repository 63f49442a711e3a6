"""The half of an app that does no I/O: the same for both façades."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypedDict, Unpack

from qtasks._config import SETTINGS, QueueConfig
from qtasks._core.client import Client
from qtasks._core.connection import Connection
from qtasks._discovery.discovery import Discovery
from qtasks._runtime.loops import run_on_loop
from qtasks._triggers.policy import Policy
from qtasks._triggers.registry import TriggerRegistry
from qtasks._worker.plan import Plans
from qtasks._worker.worker import Worker
from qtasks.app.events import Events
from qtasks.app.groups import SHARED, Adoption
from qtasks.app.middleware_checks import check_middleware
from qtasks.app.plugins import named_plugins, prepare, required_plugins
from qtasks.app.priorities import check_priorities
from qtasks.app.tasks import TaskHolder
from qtasks.app.wiring import check_place, wire
from qtasks.contracts.clock import SystemClock
from qtasks.contracts.names import check_queues
from qtasks.exc import ConfigError, RegistrationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import ModuleType

    from qtasks._supervisor.supervisor import Supervisor
    from qtasks._triggers.registry import AddOptions
    from qtasks.app.inline import InlineBase
    from qtasks.app.telling import EventPlugin
    from qtasks.contracts.broker import BaseBroker
    from qtasks.contracts.keys import Keys
    from qtasks.contracts.middleware import TaskMiddleware
    from qtasks.contracts.plugin import BasePlugin
    from qtasks.contracts.storage import BaseStorage
    from qtasks.contracts.triggers import TriggerName
    from qtasks.schemas import PluginReport
    from qtasks.typing import Clock

__all__ = ["BaseQueueTasks"]


class AppOptions(TypedDict, total=False):
    """The keyword arguments of an app; see :class:`BaseQueueTasks`."""

    broker_url: str | None
    storage_url: str | None
    broker: BaseBroker | None
    storage: BaseStorage | None
    config: QueueConfig | None
    plugins: Sequence[str | BasePlugin] | None
    required_plugins: Sequence[str]
    strict_plugins: bool
    signing: Keys | None
    clock: Clock | None


class BaseQueueTasks(TaskHolder):
    """Registration, configuration and wiring; the façades add what talks to a server.

    Args:
        name: the app's name, for logs.
        broker_url: where messages go, for example ``sqlite:///qtasks.db``, ``memory://``;
            default: the setting, which is ``sqlite:///qtasks.db`` if nothing else is said.
        storage_url: where records go, if not to the broker's server.
        broker: a broker object instead of a URL.
        storage: a storage object instead of a URL.
        config: settings; default: from the environment and ``[tool.qtasks]``.
        plugins: names of installed plugins, and instances; no others are used. None for all that
            are installed.
        required_plugins: plugins without which the app must not run, as ``sentry>=1.0``.
        strict_plugins: raise whatever a plugin does wrong, also if no setting says so; for tests.
        signing: the keys that sign messages and results; default: the setting ``signing_keys``,
            and if that gives none, nothing is signed.
        clock: the source of time; for tests.

    Raises:
        ConfigError: a setting or URL cannot be used.

    Attributes:
        name: likewise.
        method: the colour of its calls, ``sync`` or ``async``.
        config: the settings.
        clock: the source of time.
        broker: the broker.
        events: functions that are called at moments in the life of workers and tasks.
    """

    method: ClassVar[Literal["sync", "async"]]

    def __init__(self, name: str = "QueueTasks", **options: Unpack[AppOptions]) -> None:
        for option in options.keys() - AppOptions.__annotations__.keys():
            known = ", ".join(AppOptions.__annotations__)
            msg = f"unknown option {option!r}; known are {known}"
            if option in SETTINGS:
                msg = f"{option!r} is a setting: write config=QueueConfig({option}=...)"
            raise ConfigError(msg)
        check_place("name", name if "://" in name else None)
        check_place("broker", options.get("broker"))
        check_place("storage", options.get("storage"))
        super().__init__()
        self.name = name
        self.config = _settings(options.get("config"))
        self.clock: Clock = options.get("clock") or SystemClock()
        strict = bool(options.get("strict_plugins"))
        self._registry = TriggerRegistry(Policy(self.config, strict=strict))
        names, instances = named_plugins(options.get("plugins"))
        required = required_plugins(options.get("required_plugins", ()))
        self._discovery = Discovery(self._registry, names, required)
        self._discovery.builtin = self._builtin
        for instance in instances:
            self.add_plugin(instance)
        self._plans = Plans()
        self._workers: weakref.WeakSet[Worker | Supervisor] = weakref.WeakSet()
        self._event_plugin: EventPlugin | None = None
        self._inline: InlineBase | None = None
        self.events = Events(self._listen)
        self._origin = self
        self._twin: BaseQueueTasks | None = None
        self._signing = options.get("signing") or self.config.signing_keys
        self._wire(options)
        SHARED.join(self, Adoption())

    @property
    def plugins(self) -> Mapping[str, BasePlugin]:
        """The plugins by name, in order; the installed ones are looked for."""
        self._discovery.register()
        return self._registry.plugins

    @property
    def plugin_errors(self) -> Mapping[tuple[str, str], int]:
        """How often each plugin failed in this process, by its name and the trigger."""
        return self._registry.policy.errors

    def plugin_reports(self) -> list[PluginReport]:
        """Tells what became of every plugin: those in use in their order, then the others.

        Raises:
            ConfigError: what a setting says about plugins cannot be used.
        """
        return self._discovery.reports()

    @property
    def signing(self) -> Keys | None:
        """The keys that sign its messages and results; None if nothing is signed."""
        return self._signing

    @property
    def storage(self) -> BaseStorage:
        """The storage that keeps this app's records."""
        storage = self.broker.storage
        assert storage is not None  # noqa: S101 - checked when the app was wired
        return storage

    def add_plugin(
        self,
        plugin: BasePlugin,
        trigger_names: Iterable[TriggerName | str] | None = None,
        component: str | None = None,
        **how: Unpack[AddOptions],
    ) -> None:
        """Adds a plugin; it takes the place of an installed one of its name or class.

        One that is switched off from outside, as by ``QTASKS_DISABLE_PLUGINS``, is left out.

        Args:
            plugin: an instance.
            trigger_names: the triggers it gets; None for all of the component.
            component: ``worker``, ``broker``, ``storage``, ...; None for all.
            **how: ``order="first"`` or ``"last"``; ``before`` and ``after``, names of plugins
                that are asked later and earlier; ``on_error="raise"``, to raise its failures
                where they happen instead of logging them.

        Raises:
            RegistrationError: it does not fit, or its name is taken.
        """
        if prepare(plugin, self._discovery):
            self._registry.add(plugin, trigger_names, component, **how)

    def add_triggers(self, module: ModuleType) -> None:
        """Adds triggers of your own, which :meth:`emit` fires and any plugin may listen to.

        Args:
            module: declares them: functions marked with
                :func:`~qtasks.plugins.trigger_spec`, whose names begin with the name of your
                package.

        Raises:
            RegistrationError: one of them cannot be added, or a plugin has marked a method for
                it that does not fit.
        """
        self._registry.add_triggers(module)

    def add_middleware(
        self,
        middleware: Callable[[Any], TaskMiddleware],
        position: Literal["before", "after"] = "before",
    ) -> None:
        """Adds a middleware to every task of the app, also to those declared before.

        Those of the app stand around those of the task: before the function they are called
        first, and after it last.

        Args:
            middleware: a class that derives from :class:`~qtasks.middlewares.TaskMiddleware`, or
                ``functools.partial`` of one with its options.
            position: whether it is called before the function or after it.

        Raises:
            RegistrationError: it does not fit.
        """
        if position not in ("before", "after"):
            msg = f"add_middleware(position={position!r}): use 'before' or 'after'"
            raise RegistrationError(msg)
        check_middleware("add_middleware", middleware)
        self._plans.add(middleware, position)

    def worker(self, *, queues: str | Iterable[str] | None = None, burst: bool = False) -> Worker:
        """Makes a worker; ``async with app.worker():`` runs it inside a running loop.

        Args:
            queues: the queues to take from; None for those of the settings.
            burst: whether :meth:`~qtasks._worker.worker.Worker.run` ends when nothing is
                ready any more.
        """
        names = None if queues is None else check_queues(queues)
        worker = self._make_worker(self._connection, self.clock, queues=names, burst=burst)
        self._workers.add(worker)
        return worker

    def _make_worker(
        self,
        connection: Connection,
        clock: Clock,
        *,
        queues: tuple[str, ...] | None = None,
        burst: bool = False,
    ) -> Worker:
        from qtasks.app.echo import Echo

        self._discovery.register()
        if not connection.broker.capabilities.priority:
            check_priorities(connection.broker, self._definitions)
        return Worker(
            connection,
            self._definitions,
            self._registry,
            self.config,
            clock,
            echo=Echo(self),
            owner=self._origin,
            queues=queues,
            burst=burst,
            plans=self._plans,
        )

    def run_forever(
        self,
        *,
        queues: str | Iterable[str] | None = None,
        burst: bool = False,
        processes: int | None = None,
    ) -> None:
        """Runs workers until they are stopped; one of them in this thread.

        SIGTERM or Ctrl-C lets running tasks finish for ``shutdown_timeout`` seconds; a second
        one gives them back at once. A broker that is away is waited for.

        Args:
            queues: the queues to take from; None for those of the settings.
            burst: end when nothing is ready any more.
            processes: with more than one, or with a limit such as ``max_tasks_per_child``, the
                workers are child processes, which load the app anew by its module and name;
                None for ``worker_processes`` of the settings.

        Raises:
            RuntimeError: called inside a running event loop.
            ConfigError: the children cannot load the app, or cannot share its queue.
            ServerError: the broker cannot be used.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            msg = "run_forever() starts a loop of its own: inside one use  async with app.worker():"
            raise RuntimeError(msg)
        from qtasks.app.running import make_supervisor, needs_supervisor

        count = needs_supervisor(self, processes)
        if count:
            names = None if queues is None else check_queues(queues)
            asyncio.run(make_supervisor(self, count, queues=names, burst=burst).run())
        else:
            worker = self.worker(queues=queues, burst=burst)
            run_on_loop(worker.run(retry=True), uvloop=self.config.uvloop)

    def stop(self) -> None:
        """Stops the workers of this app that run in this process; callable from any thread."""
        for worker in list(self._workers):
            worker.stop_for(self._origin)

    def _listen(self, event: str) -> None:
        """Listens to what an event comes from, as soon as somebody wants it."""
        if self._event_plugin is None:
            from qtasks.app.telling import EventPlugin

            self._event_plugin = EventPlugin(self, self.events)
        if triggers := self._event_plugin.wanted(event):
            self._registry.add(self._event_plugin, triggers)

    @property
    def _inline_mode(self) -> InlineBase | None:
        return self._origin._inline  # noqa: SLF001 - of a twin it is the app that goes inline

    def _wire(self, options: AppOptions) -> None:
        self.broker: BaseBroker
        self.broker, self.config = wire(options, self.config, self._discovery, self.clock)
        self._connection = Connection(self.broker)
        self._connections = [self._connection]  # a façade may have one more
        self._follow_settings()

    def _follow_settings(self) -> None:
        """Has the servers keep to the settings, also when these change."""
        self._retain()
        app = weakref.ref(self)

        def changed(config: QueueConfig, name: str, value: Any) -> None:  # noqa: ARG001 - subscribers get them
            followed = app()
            if followed is not None and name in {"result_ttl", "dead_ttl", "dead_limit"}:
                followed._retain()  # noqa: SLF001 - it is this class

        weakref.finalize(self, self.config.subscribe(changed)).atexit = False

    def _retain(self) -> None:
        retention = self.config.retention
        for connection in self._connections:
            connection.broker.retention = connection.storage.retention = retention

    def _client(self, connection: Connection) -> Client:
        return Client(
            owner=self._origin,
            connection=connection,
            tasks=self._definitions,
            registry=self._registry,
            config=self.config,
            clock=self.clock,
        )


def _settings(given: Any) -> QueueConfig:
    if given is None:
        return QueueConfig()
    if not isinstance(given, QueueConfig):
        msg = f"config= takes a QueueConfig, not {type(given).__name__}: write QueueConfig(...)"
        raise ConfigError(msg)
    return given
