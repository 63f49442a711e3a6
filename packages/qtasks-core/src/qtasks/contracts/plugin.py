"""The plugin: subscribes to triggers."""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from qtasks.contracts.on import choose, find_marks
from qtasks.contracts.runs import first_of
from qtasks.exc import RegistrationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import msgspec

    from qtasks.schemas import Delivery, TaskDefinition

__all__ = ["PLUGIN_API_VERSION", "BasePlugin", "Plugin"]

#: Version of the contract between core and plugins. A minor step adds, a major step breaks.
PLUGIN_API_VERSION = "1.0"


class BasePlugin(ABC):
    """The base of a plugin that answers triggers by name.

    The three methods may be ``def`` or ``async def`` in either kind of app::

        class Audit(BasePlugin):
            def start(self, *args, **kwargs): ...
            def stop(self, *args, **kwargs): ...
            def trigger(self, name, **kwargs):
                print(name, sorted(kwargs))

    :class:`Plugin` is more convenient to derive from.

    Args:
        name: its name, unique within an app; by default the class's name.

    Attributes:
        name: likewise.
        on_error: what follows when it fails: ``"log"`` it and go on, or ``"raise"`` it where the
            trigger fires.
        plugin_api: the version of :data:`PLUGIN_API_VERSION` that it was written for; None counts
            as 1.0.
        TRIGGERS: the only triggers it gets when it is found as an installed plugin; None for all
            that it can answer.
        Options: the struct that declares its options, or None. The struct itself is called
            otherwise, or type checkers take the attribute for the type.
        options: its options; read from environment and settings file where the code gives none.
    """

    on_error: ClassVar[Literal["log", "raise"]] = "log"
    plugin_api: ClassVar[str | None] = None
    TRIGGERS: ClassVar[Collection[str] | None] = None
    Options: ClassVar[type[msgspec.Struct] | None] = None
    options: Any = None
    name: str | None = None  # also of a class that does not call __init__

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def applies(self, task: TaskDefinition) -> bool | Collection[str]:  # noqa: ARG002 - for subclasses
        """Tells whether the plugin wants the triggers of a task; asked once for each task.

        Args:
            task: the registered task.

        Returns:
            True for all of its triggers, False for none, or the names of those that it wants:
            a trigger that is left out costs the task nothing.
        """
        return True

    def fills(self, task: TaskDefinition) -> Iterable[str]:  # noqa: ARG002 - for subclasses
        """Names the parameters of a task that the plugin fills in; asked when it is registered.

        Calls leave them out, and may not pass them. The values are given in
        ``task_executor_fill``. What is raised here refuses the task.

        Args:
            task: the task; nothing is filled in its ``signature`` yet, and
                :func:`~qtasks.plugins.parameters_of` reads the annotations of its ``func``.
        """
        return ()

    @abstractmethod
    def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Answers a trigger; None means "no answer".

        Args:
            name: the trigger's name.
            *args: not used; accepted so that signatures stay compatible.
            **kwargs: the trigger's arguments, as its page in the reference lists them.
        """

    @abstractmethod
    def start(self, *args: Any, **kwargs: Any) -> Any:
        """Gets ready; called once before the first trigger."""

    @abstractmethod
    def stop(self, *args: Any, **kwargs: Any) -> Any:
        """Puts everything away; called once after the last trigger."""


class Plugin(BasePlugin):
    """The base of a plugin whose methods are marked with :func:`~qtasks.plugins.on`.

    ``start`` and ``stop`` are optional, and take the keyword ``role`` or nothing::

        class Audit(Plugin):
            @on("worker_start")
            def greet(self, worker):
                print(worker.id, "begins")

            @on("worker_task_error_retry", order="last")
            async def judge(self, e, attempt):
                if isinstance(e, OSError) and attempt < 3:
                    return Verdict("retry", delay=10)

    Args:
        name: its name; by default that of the entry point it was found by, or of the class.
        options: its options; None to have them read from environment and settings file.
    """

    def __init__(self, name: str | None = None, options: Any = None) -> None:
        super().__init__(name)
        if options is not None:
            self.options = options

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - the signature is fixed
        """Hands a trigger to the method that is marked for it; None if there is none.

        Args:
            name: the trigger's name.
            *args: not used.
            **kwargs: the trigger's arguments.
        """
        for attribute, marks in find_marks(type(self)).items():
            if any(mark.trigger == name for mark in marks):
                method = getattr(self, attribute)
                return method(**choose(method, kwargs))
        return None

    def start(self, *args: Any, **kwargs: Any) -> Any:
        """Gets ready; called once before the first trigger."""

    def stop(self, *args: Any, **kwargs: Any) -> Any:
        """Puts everything away; called once after the last trigger."""

    async def emit(self, name: str, **arguments: Any) -> Any:
        """Fires a trigger of the plugin's own in the app that it was added to.

        Args:
            name: the trigger, which ``app.add_triggers`` or the hook ``qtasks_add_triggers`` has
                declared.
            **arguments: exactly those that it declares.

        Returns:
            What ``emit`` of the app returns.

        Raises:
            RegistrationError: there is no such trigger, or it is not clear in which app.
            TypeError: these are not its arguments.
        """
        apps = vars(self).get("_apps", ())
        if len(apps) != 1:
            where = "no app" if not apps else f"{len(apps)} apps: give each an instance of its own"
            msg = f"{type(self).__name__} fires {name!r}, but was added to {where}"
            raise RegistrationError(msg)
        return await apps[0](name, arguments)

    def state(self, task_broker: Delivery) -> SimpleNamespace:
        """Returns the plugin's own memory of one run; it is gone when the run is.

        What leads back to the delivery, as the traceback of an exception does, keeps it in memory:
        take that out again in ``worker_outcome``.

        Args:
            task_broker: the delivery that is run: the argument of that name, or
                ``task_executor.task_broker``.
        """
        states: dict[int, tuple[object, SimpleNamespace]] = vars(self).setdefault("_states", {})
        task_broker = first_of(task_broker)
        key = id(task_broker)
        found = states.get(key)
        if found is None:
            forget = weakref.ref(task_broker, lambda _: states.pop(key, None))
            found = states.setdefault(key, (forget, SimpleNamespace()))
        return found[1]
