"""``qtasks plugins trace``: which plugins are asked, when, and for how long."""

import asyncio
from functools import partial
from typing import Annotated, Any

import msgspec
import typer

from qtasks._runtime.errors import safe_text
from qtasks._runtime.loops import run_on_loop
from qtasks._triggers.tracing import Asked, traced
from qtasks.app.base import BaseQueueTasks
from qtasks.app.inspection import InspectStats
from qtasks.cli.invocation import AsJson, Invocation, invocation
from qtasks.cli.output import Output
from qtasks.cli.tables import Column
from qtasks.cli.values import parse_json, queue_names
from qtasks.contracts.plugin import BasePlugin

__all__ = ["plugins_trace"]

#: Who listens to everything with --all, and is not shown.
_NOBODY = "qtasks.trace"


def plugins_trace(
    ctx: typer.Context,
    task: Annotated[
        str | None, typer.Argument(metavar="TASK", help="Run this task, here, and no other.")
    ] = None,
    *,
    args: Annotated[
        str, typer.Option(metavar="JSON", help="Its positional arguments, a JSON array.")
    ] = "[]",
    kwargs: Annotated[
        str, typer.Option(metavar="JSON", help="Its keyword arguments, a JSON object.")
    ] = "{}",
    queues: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Without TASK: the queues to take from."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Show triggers too that nobody listens to.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run tasks, and print each trigger with the plugin that was asked and how long it took.

    Without TASK a worker runs whatever is ready in the queues, and ends. With
    TASK that one runs here and now, in a queue of its own in memory; then the
    exit code is 1 if it did not succeed. The time of one that is awaited is
    until it answered.

    Examples:
    qtasks -A shop:app plugins trace
    qtasks -A shop:app plugins trace resize --args '["cat.jpg"]' --json
    """
    asked = invocation(ctx, as_json=as_json)
    app = asked.app
    call = parse_json("--args", args, list), parse_json("--kwargs", kwargs, dict)
    if task is not None:
        InspectStats(app, (), ()).task_document(task)  # it says so if there is none
    app._discovery.register()  # noqa: SLF001 - before somebody looks on
    if everything:
        app._registry.add(_Nobody(_NOBODY), order="first")  # noqa: SLF001 - it is no plugin of the app
    shown = _Shown(asked.output, *_widths(app))
    app._registry.watch(partial(traced, tell=shown.tell))  # noqa: SLF001 - as above
    with asked.alone():
        ended = _run_queues(app, queues) if task is None else _run_task(app, task, call)
    if asked.as_json:
        told = [msgspec.structs.asdict(each) for each in shown.told]
        asked.output.document({**ended, "triggers": told})
    else:
        _conclude(asked, ended, shown)
    if ended.get("status", "success") != "success":
        raise typer.Exit(1)


class _Nobody(BasePlugin):
    """Listens to everything and says nothing."""

    def start(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""

    def stop(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""


class _Shown:
    """Takes what plugins were asked, and prints it line by line unless the answer is JSON.

    Args:
        output: where it goes.
        trigger: how long the longest name of a trigger is.
        plugin: how long the longest name of a plugin is.
    """

    def __init__(self, output: Output, trigger: int, plugin: int) -> None:
        self._widths = trigger, plugin
        self.told: list[Asked] = []
        self.spent: dict[str, tuple[int, float]] = {}
        self._as_json = output.as_json
        self._table = output.long_table(
            [
                Column("trigger"),
                Column("plugin"),
                Column("µs", right=True),
                Column("task", shortens=True, spare=1),
                Column("answer", wraps=True),
            ]
        )

    def tell(self, asked: Asked) -> None:
        """Takes one."""
        if asked.plugin == _NOBODY:
            asked = Asked(asked.trigger, "", 0.0, asked.task)
        else:
            times, spent = self.spent.get(asked.plugin, (0, 0.0))
            self.spent[asked.plugin] = times + 1, spent + asked.microseconds
        if self._as_json:
            self.told.append(asked)
        else:
            self._table.write([self._row(asked)])

    def _row(self, asked: Asked) -> list[Any]:
        trigger, plugin = self._widths
        answer = asked.error or ("yes" if asked.answered else "")
        took = f"{asked.microseconds:,.1f}" if asked.plugin else ""
        name = asked.plugin or "–"
        return [
            f"{asked.trigger:<{trigger}}",
            f"{name:<{plugin}}",
            f"{took:>9}",
            asked.task,
            answer,
        ]


def _widths(app: BaseQueueTasks) -> tuple[int, int]:
    """Returns the lengths of the longest names of triggers that are heard, and of plugins."""
    registry = app._registry  # noqa: SLF001 - the command line looks inside
    heard = [name for name in registry.catalogue if getattr(registry.table, name, ())]
    return max(map(len, heard), default=0), max(map(len, registry.plugins), default=0)


def _run_queues(app: BaseQueueTasks, queues: str | None) -> dict[str, Any]:
    names = None if queues is None else queue_names("--queues", queues.split(","))
    worker = app.worker(queues=names, burst=True)
    run_on_loop(worker.run(), uvloop=app.config.uvloop)
    return {"settled": worker.settled}


def _run_task(app: Any, name: str, call: tuple[list[Any], dict[str, Any]]) -> dict[str, Any]:
    run = _inline_async if app.method == "async" else _inline
    handle = run(app, name, call)
    error = handle.error and f"{handle.error.type}: {handle.error.message}"
    return {"task": handle.id, "status": handle.status, "error": error, "reason": handle.reason}


def _inline(app: Any, name: str, call: tuple[list[Any], dict[str, Any]]) -> Any:
    with app.inline():
        return app.add_task(name, *call[0], **call[1])


def _inline_async(app: Any, name: str, call: tuple[list[Any], dict[str, Any]]) -> Any:
    async def run() -> Any:
        async with app.inline():
            return await app.add_task(name, *call[0], **call[1])

    return asyncio.run(run())


def _conclude(asked: Invocation, ended: dict[str, Any], shown: _Shown) -> None:
    out = asked.output
    if not shown.spent:
        out.note("no plugin was asked; --all shows the triggers all the same")
    for plugin, (times, spent) in shown.spent.items():
        out.note(f"{plugin}: asked {times:,} times, {spent:,.1f} µs in all")
    if "settled" in ended:
        out.note(f"{ended['settled']:,} runs in {asked.place}")
    else:
        why = ended["error"] or ended["reason"]
        text = f"the task ended as {ended['status']}"
        out.note(asked.clean(f"{text}: {safe_text(why)}" if why else text))
