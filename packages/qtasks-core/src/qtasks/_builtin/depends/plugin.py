"""The plugin that fills in dependencies."""

from __future__ import annotations

import weakref
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from qtasks._builtin.depends.dependency import Dependency, ScopeEnum
from qtasks._builtin.depends.graph import CONFIG, Graph, Node, find_dependencies
from qtasks._builtin.depends.lifetimes import Lifetimes
from qtasks._builtin.depends.opened import Opened
from qtasks.contracts.on import on
from qtasks.contracts.plugin import Plugin
from qtasks.exc import RegistrationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from qtasks.contracts.executor import BaseTaskExecutor
    from qtasks.schemas import Delivery, TaskDefinition

__all__ = ["DependsPlugin", "overrides"]

_OF_RUN = frozenset({ScopeEnum.TASK})


class DependsPlugin(Plugin):
    """Makes the values of ``Depends`` before the function runs, and puts them away afterwards."""

    def __init__(self, name: str = "depends") -> None:
        super().__init__(name)
        self._lifetimes = Lifetimes()
        self._overrides: Mapping[Any, Any] = MappingProxyType({})
        self._nodes: weakref.WeakKeyDictionary[Callable[..., Any], dict[str, Node]] = (
            weakref.WeakKeyDictionary()
        )

    def applies(self, task: TaskDefinition) -> bool:
        """Tells whether a task has dependencies.

        Args:
            task: the task.
        """
        return self.name in task.filled.values()

    def fills(self, task: TaskDefinition) -> Iterable[str]:
        """Names the parameters that are dependencies.

        Args:
            task: the task.

        Raises:
            RegistrationError: one of them cannot be made.
        """
        return tuple(self._make_nodes(task))

    def start(self, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002 - the signature is fixed
        """Gets ready for values that live longer than a run."""
        self._lifetimes.begin()

    async def stop(self, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002 - as above
        """Closes what is still open."""
        await self._lifetimes.close()

    @on("worker_stop")
    async def leave(self, worker: Any) -> None:
        """Closes what lived as long as a worker."""
        await self._lifetimes.leave(worker)

    @on("task_executor_fill")
    async def fill(
        self, worker: Any, task_executor: BaseTaskExecutor, task_broker: Delivery
    ) -> dict[str, Any]:
        """Makes the values of a run."""
        task = task_executor.task_func
        nodes = self._nodes.get(task.func)
        if nodes is None:
            nodes = self._nodes[task.func] = self._make_nodes(task)

        def special(name: str, is_async: bool) -> Any:  # noqa: FBT001 - the shape of a callback
            return worker.config if name == CONFIG else task_executor.context(is_async=is_async)

        async def elsewhere(node: Node) -> Any:
            return await self._lifetimes.get(worker, node)

        opened = self.state(task_broker).opened = Opened(
            call_plain=task_executor.call_plain,
            special=special,
            elsewhere=elsewhere,
            scopes=_OF_RUN,
            whose=f"{task.name} {task_broker.id}",
        )
        return {name: await opened.get(node) for name, node in nodes.items()}

    @on("task_executor_task_close")
    async def close(self, task_broker: Delivery, e: BaseException | None) -> None:
        """Closes what was opened for a run."""
        opened = getattr(self.state(task_broker), "opened", None)
        if opened is not None:
            await opened.close(e)

    def _make_nodes(self, task: TaskDefinition) -> dict[str, Node]:
        graph = Graph(f"task {task.name!r}", self._overrides)
        found = find_dependencies(task)
        return {name: graph.node(name, dependency) for name, dependency in found.items()}

    def override(self, others: Mapping[Any, Any]) -> None:
        """Puts other functions in the place of some; see :func:`overrides`.

        Args:
            others: all that are to be replaced from now on.
        """
        self._overrides = MappingProxyType(dict(others))
        self._nodes.clear()

    @property
    def overridden(self) -> Mapping[Any, Any]:
        """What is replaced now, and by what."""
        return self._overrides


@contextmanager
def overrides(app: Any, others: Mapping[Callable[..., Any], Any]) -> Iterator[None]:
    """Puts other functions in the place of dependencies, while its block runs; for tests.

    ::

        with overrides(app, {get_db: lambda: FakeDB()}):
            ...

    It holds for the runs of this process that begin meanwhile. Blocks may be nested.

    Args:
        app: the app.
        others: what takes the place of each function: another callable, which keeps the scope,
            or ``Depends(...)`` with one of its own.

    Raises:
        RegistrationError: a replacement is no callable, or does not fit a task; or what it is to
            replace is no function.
    """
    for plugin in app.plugins.values():
        if isinstance(plugin, DependsPlugin):
            break
    else:
        msg = "overrides(app, ...): no task of the app has dependencies"
        raise RegistrationError(msg)
    for function, other in others.items():
        if isinstance(function, Dependency) or not callable(function):
            msg = f"overrides(app, {{{function!r}: ...}}): give the function that Depends names"
            raise RegistrationError(msg)
        if not isinstance(other, Dependency):
            Dependency(other)  # raises if it can be none
    before = plugin.overridden
    plugin.override({**before, **others})
    try:
        for task in app.tasks.values():
            if plugin.applies(task):
                plugin.fills(task)
        yield
    finally:
        plugin.override(before)
