"""The tasks of an app: its own, and those that were declared without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from msgspec import structs

from qtasks._builtin import builtin_plugins
from qtasks._version import __version__
from qtasks.app.declare import declare
from qtasks.app.filling import fills_of
from qtasks.app.groups import Adoption, Declaration, two_named_alike
from qtasks.app.plugins import find_converter, max_attempts, task_options
from qtasks.app.routing import group_of
from qtasks.exc import DuplicateTaskError, RegistrationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from qtasks._config import QueueConfig
    from qtasks._discovery.discovery import Discovery
    from qtasks._triggers.registry import TriggerRegistry
    from qtasks.app.base import BaseQueueTasks
    from qtasks.app.routing import BaseRouter
    from qtasks.schemas import TaskDefinition

__all__ = ["TaskHolder"]


class TaskHolder:
    """The half of an app that knows its tasks."""

    config: QueueConfig
    _discovery: Discovery
    _registry: TriggerRegistry

    def __init__(self) -> None:
        self._definitions: dict[str, TaskDefinition] = {}
        self._builtin = builtin_plugins()

    @property
    def tasks(self) -> Mapping[str, TaskDefinition]:
        """The registered tasks by name."""
        return self._definitions

    def _declare(
        self, function: Any, name: str | None, options: Mapping[str, Any]
    ) -> TaskDefinition:
        options = {"queue": self.config.queues[0], **options}
        task = self._declared(function, name, options)
        self._check_free(task, {})
        self._use_fillers([task])
        self._definitions[task.name] = task
        return task

    def _declared(
        self, function: Any, name: str | None, options: Mapping[str, Any]
    ) -> TaskDefinition:
        """Makes a definition, and asks the plugins of the app what they have to say."""
        find, fills = self._value_converter, self._fills
        obtain = self._discovery.obtain
        task = declare(
            function, name, options, self._task_options, find=find, fills=fills, obtain=obtain
        )
        if not task.extra:  # plugins say how many attempts a task with their options has
            return task
        return structs.replace(task, max_attempts=max_attempts(self._discovery, task))

    def include_router(
        self,
        router: BaseRouter,
        *,
        prefix: str = "",
        queue: str | None = None,
        tags: Iterable[str] = (),
    ) -> None:
        """Takes the tasks of a router, also those that are added to it later.

        Args:
            router: the router.
            prefix: stands before the names of its tasks.
            queue: the queue of those that name none; None for that of the app.
            tags: are added to theirs.

        Raises:
            RegistrationError: it is no router, or one of its tasks does not fit; the app has none
                of them then.
            DuplicateTaskError: the name of one is taken.
        """
        group_of(router, "include_router").join(self._whole, Adoption(prefix, queue, tags))

    def _adopt(self, taken: Sequence[tuple[Declaration, Adoption]]) -> Callable[[], None]:
        """Checks tasks that were declared without an app; what it returns registers them all."""
        tasks: dict[str, TaskDefinition] = {}
        for declaration, adoption in taken:
            known = declaration.definition
            options = {"queue": self.config.queues[0], **adoption.options(declaration.options)}
            name = f"{adoption.prefix}{known.name}"
            task = self._declared(known.func, name, options)
            self._check_free(task, tasks)
            tasks[name] = task

        def take() -> None:
            self._use_fillers(tasks.values())
            for (declaration, _), name in zip(taken, tasks, strict=True):
                declaration.settle_in(self._whole, name)
            self._definitions.update(tasks)

        return take

    def _check_free(self, task: TaskDefinition, others: Mapping[str, TaskDefinition]) -> None:
        existing = self._definitions.get(task.name) or others.get(task.name)
        if existing is not None:
            raise DuplicateTaskError(two_named_alike(existing, task))

    def _fills(self, task: TaskDefinition) -> dict[str, str]:
        return fills_of(task, {**self._builtin, **self._registry.plugins})

    def _use_fillers(self, tasks: Iterable[TaskDefinition]) -> None:
        """Adds the built-in plugins that tasks need; an app without such tasks has none."""
        for task in tasks:
            for parameter, name in task.filled.items():
                plugin = self._builtin.get(name)
                if plugin is None or name in self._registry.plugins:
                    continue
                if not self._discovery.wants(plugin, name):
                    msg = (
                        f"task {task.name!r}: {parameter!r} is filled in by the plugin {name!r},"
                        " which is switched off; qtasks plugins list says where"
                    )
                    raise RegistrationError(msg)
                self._registry.add(plugin, origin=f"qtasks-core {__version__}, built in")

    @property
    def _whole(self) -> BaseQueueTasks:
        return cast("BaseQueueTasks", self)  # there is no half of it alone

    def _task_options(self) -> dict[str, Callable[[Any], object]]:
        """Asks the plugins which keywords of ``@app.task`` are theirs."""
        return task_options(self._discovery)

    def _value_converter(self, annotation: Any) -> Callable[[Any], Any] | None:
        """Asks the plugins what makes values of an annotation."""
        return find_converter(self._discovery, annotation)
