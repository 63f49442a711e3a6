"""The passage of a task of each kind through an app, and what a plugin did meanwhile."""

from __future__ import annotations

import asyncio
import inspect
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from qtasks.contracts.on import choose
from qtasks.exc import (
    Discard,
    RetryLater,
    TaskCancelError,
    TaskControl,
    TaskPluginTriggerError,
)
from qtasks.plugins import BasePlugin
from qtasks.testing.app import make_app
from qtasks.testing.running import run_queue
from qtasks.testing.sandbox import plugin_sandbox
from qtasks.testing.troublemakers import ON_PURPOSE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable, Iterator

    from qtasks.schemas import TaskDefinition

__all__ = ["Asked", "Passage", "Watched", "listening", "pass_through"]


class Asked(NamedTuple):
    """What a plugin was asked, and what it did.

    Attributes:
        trigger: the trigger, ``start`` or ``stop``.
        answer: what it answered.
        error: what it raised, or None.
    """

    trigger: str
    answer: Any = None
    error: BaseException | None = None


class Watched(BasePlugin):
    """Stands in for a plugin, passes everything on, and writes it down.

    Args:
        plugin: the plugin.
        **more: arguments that every trigger gets beside its own.

    Attributes:
        asked: what the plugin was asked, in order.
    """

    plugin_api = "1.0"

    def __init__(self, plugin: BasePlugin, **more: Any) -> None:
        self.plugin = plugin
        self.more = more
        self.asked: list[Asked] = []

    @property
    def name(self) -> str:  # type: ignore[override]  # it is the plugin's
        """The name by which the app knows the plugin."""
        return self.plugin.name or type(self.plugin).__name__

    @property
    def errors(self) -> list[Asked]:
        """What it raised, apart from what steers a task on purpose."""
        return [one for one in self.asked if one.error and not isinstance(one.error, TaskControl)]

    def applies(self, task: TaskDefinition) -> bool | Collection[str]:
        """Passes the question on."""
        return self.plugin.applies(task)

    async def start(self, *args: Any, **kwargs: Any) -> Any:
        """Passes the call on."""
        more = choose(self.plugin.start, kwargs)
        return await self._pass_on("start", self.plugin.start, *args, **more)

    async def stop(self, *args: Any, **kwargs: Any) -> Any:
        """Passes the call on."""
        more = choose(self.plugin.stop, kwargs)
        return await self._pass_on("stop", self.plugin.stop, *args, **more)

    async def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Passes the trigger on."""
        more = {**kwargs, **self.more}
        return await self._pass_on(name, self.plugin.trigger, name, *args, **more)

    async def _pass_on(self, called: str, method: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            answer = method(*args, **kwargs)
            if inspect.isawaitable(answer):
                answer = await answer
        except Exception as error:
            self.asked.append(Asked(called, error=error))
            raise
        self.asked.append(Asked(called, answer))
        return answer


class Passage(NamedTuple):
    """How it went.

    Attributes:
        ends: how each task ended.
        complaints: what was logged about plugins, from warnings on.
        plugins: the names by which the app knew its plugins.
    """

    ends: dict[str, tuple[Any, ...]]
    complaints: list[str]
    plugins: list[str]


class _Listener(logging.Filter):
    """Writes warnings down, and keeps those of failures on purpose from everybody else."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        error = record.exc_info[1] if record.exc_info else None
        shown = f": {type(error).__name__}: {error}" if error else ""
        self.heard.append(f"{record.getMessage()}{shown}")
        # Thousands of tracebacks would hide the one that matters.
        return ON_PURPOSE not in shown


@contextmanager
def listening() -> Iterator[list[str]]:
    """Collects what is logged about plugins, from warnings on."""
    listener, log = _Listener(), logging.getLogger("qtasks.plugins")
    log.addFilter(listener)
    try:
        yield listener.heard
    finally:
        log.removeFilter(listener)


def pass_through(
    colour: Any,
    plugins: Iterable[BasePlugin],
    trigger_names: Iterable[str] | None = None,
    component: str | None = None,
) -> Passage:
    """Runs a task of each kind in a new app.

    Args:
        colour: of the app.
        plugins: its plugins, in order.
        trigger_names: the triggers that they get; None for all.
        component: likewise.
    """
    # What the environment says, strict mode for one, does not count.
    with plugin_sandbox(), listening() as complaints, asyncio.Runner() as runner:
        app: Any = make_app(colour)

        def do(value: Any) -> Any:
            return runner.run(_awaited(value)) if inspect.isawaitable(value) else value

        for plugin in plugins:
            app.add_plugin(plugin, trigger_names, component)
        _declare(app)
        try:
            handles = [do(app.add_task(name, 20, y=22)) for name in app.tasks]
            do(run_queue(app))
            ends = {handle.record.task: _end(do(handle.refresh())) for handle in handles}
            for handle in handles:
                do(app.get(handle.id))
        finally:
            do(app.close())
        return Passage(ends, complaints, list(app.plugins))


async def _awaited(value: Any) -> Any:
    return await value


def plain(x: int, y: int) -> list[int]:
    """Returns at once."""
    return [x, y]


async def coroutine(x: int, y: int) -> dict[str, int]:
    """Returns on the loop."""
    return {"sum": x + y}


def gives(x: int, y: int) -> Iterator[int]:
    """Gives values one by one."""
    yield x
    yield y


async def gives_on_the_loop(x: int, y: int) -> AsyncIterator[int]:
    """Gives values one by one, on the loop."""
    yield x
    yield y


def nothing(x: int, y: int) -> None:
    """Returns None."""
    del x, y


def fails(x: int, y: int) -> None:
    """Raises."""
    msg = f"no place for {x} and {y}"
    raise LookupError(msg)


async def asks_plugins(x: int, y: int) -> None:
    """Asks the plugins for a result."""
    del x, y
    msg = "nobody answers"
    raise TaskPluginTriggerError(msg)


def cancels(x: int, y: int) -> None:
    """Cancels itself."""
    del x, y
    msg = "not wanted"
    raise TaskCancelError(msg)


def discards(x: int, y: int) -> None:
    """Drops itself."""
    del x, y
    raise Discard


def _declare(app: Any) -> None:
    """Declares a task for each way in which a run can go."""
    retried: list[int] = []

    def runs_again(x: int, y: int) -> int:
        retried.append(1)
        if len(retried) == 1:
            raise RetryLater(60)
        return x * y

    values: list[Any] = [plain, coroutine, gives, gives_on_the_loop, nothing]
    ends: list[Any] = [fails, asks_plugins, cancels, discards, runs_again]
    for function in (*values, *ends):
        app.task(function)


def _end(handle: Any) -> tuple[Any, ...]:
    error = handle.error and (handle.error.type, handle.error.message)
    result = handle.returning if handle.status == "success" else None
    return (str(handle.status), result, error, handle.record.reason, handle.attempts)
