"""``qtasks run``: a worker in this process, or several in processes of their own."""

import asyncio
import logging
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer

from qtasks._runtime.errors import printable
from qtasks._runtime.loops import describe_loop, freeze_objects, run_on_loop
from qtasks._version import __version__
from qtasks.app.base import BaseQueueTasks
from qtasks.app.running import make_supervisor, needs_supervisor
from qtasks.cli.invocation import AsJson, Invocation, invocation
from qtasks.cli.known import note_unknown_queues
from qtasks.cli.logs import TaskFormatter
from qtasks.cli.values import choices, parse_choice, parse_whole, queue_names
from qtasks.exc import ConfigError, ServerUnavailableError

__all__ = ["run"]


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Wish:
    """What the options of the command ask for.

    Attributes:
        burst: whether to end when nothing is ready any more.
        concurrency: tasks that run at once; None for what the settings say.
        queues: the queues to take from; None for those of the settings.
        level: how much is logged; None for what the app says.
        reload: whether to start anew when the code changes.
        retry: whether to wait for a broker that is away.
    """

    burst: bool
    concurrency: int | None
    queues: tuple[str, ...] | None
    level: LogLevel | None
    reload: bool
    retry: bool


def run(
    ctx: typer.Context,
    *,
    burst: Annotated[
        bool, typer.Option("--burst", help="End when nothing is ready any more.")
    ] = False,
    concurrency: Annotated[
        str | None,
        typer.Option(metavar="N", help="Tasks that run at once; default max_tasks_process."),
    ] = None,
    queues: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Queues to take from; default those of the settings."),
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option(
            metavar=choices(LogLevel), help="How much goes to standard error; default info."
        ),
    ] = None,
    processes: Annotated[
        str | None,
        typer.Option(metavar="N", help="Worker processes; default worker_processes."),
    ] = None,
    reload: Annotated[
        bool, typer.Option("--reload", help="Start anew when Python files of the app change.")
    ] = False,
    no_retry: Annotated[
        bool, typer.Option("--no-retry", help="Fail if the broker is away, with exit code 1.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run workers that take tasks from the queues until they are stopped.

    Ctrl-C or SIGTERM lets running tasks finish for shutdown_timeout seconds;
    a second one gives them back to the queue at once.
    Logging that the app has set up stays as it is, else it goes to stderr.

    Examples:
    qtasks -A shop:app run
    qtasks -A shop:app run --burst
    qtasks -A shop:app run --processes 4 --queues mail,default --concurrency 20
    qtasks -A shop:app run --reload
    """
    asked = invocation(ctx, as_json=as_json)
    level = None if log_level is None else parse_choice("--log-level", log_level, LogLevel)
    wish = Wish(
        burst=burst,
        concurrency=None if concurrency is None else parse_whole("--concurrency", concurrency, 1),
        queues=_names(queues),
        level=level,
        reload=reload,
        retry=not no_retry,
    )
    count = None if processes is None else parse_whole("--processes", processes, 1)
    if reload and burst:
        msg = "--reload waits for changes, and --burst ends: give one of them"
        raise ConfigError(msg)
    app = asked.app
    _set_up_logging(level)
    if wish.concurrency is not None:
        app.config.max_tasks_process = wish.concurrency
    children = needs_supervisor(app, count) or int(reload)
    note_unknown_queues(asked, wish.queues or ())
    try:
        document = _supervise(asked, wish, children) if children else _run_here(asked, wish)
    except ServerUnavailableError as error:
        asked.output.note(f"error: {printable(str(error))}", style="red")
        raise typer.Exit(1) from None
    if asked.as_json:
        asked.output.document(document)


def _run_here(asked: Invocation, wish: Wish) -> dict[str, Any]:
    app = asked.app
    worker = app.worker(queues=wish.queues, burst=wish.burst)
    _say_what_runs(asked, wish, "1, this one")
    with asked.alone():
        freeze_objects()
        run_on_loop(worker.run(retry=wish.retry), uvloop=app.config.uvloop)
    return {"worker": worker.id, "queues": worker.queues, "settled": worker.settled}


def _supervise(asked: Invocation, wish: Wish, children: int) -> dict[str, Any]:
    supervisor = make_supervisor(
        asked.app,
        children,
        app_path=_with_name(asked.app_path or ""),
        queues=wish.queues,
        burst=wish.burst,
        concurrency=wish.concurrency,
        retry=wish.retry,
        reload=wish.reload,
        log_level=None if wish.level is None else logging.getLevelNamesMapping()[wish.level.name],
    )
    _say_what_runs(asked, wish, _children(asked.app, children))
    done = asyncio.run(supervisor.run())
    return {
        "processes": children,
        "started": done.started,
        "queues": wish.queues or asked.app.config.queues,
        "settled": done.settled,
    }


def _with_name(app_path: str) -> str:
    module, _, name = app_path.partition(":")
    return f"{module}:{name or 'app'}"


def _children(app: BaseQueueTasks, count: int) -> str:
    """Returns in words how many worker processes there are, and how long they serve."""
    config, limits = app.config, []
    if config.max_tasks_per_child is not None:
        limits.append(f"{config.max_tasks_per_child} tasks")
    if config.max_memory_per_child is not None:
        limits.append(f"more than {config.max_memory_per_child / 1024 / 1024:.0f} MiB")
    until = f", replaced after {' or '.join(limits)}" if limits else ""
    return f"{count} {'child' if count == 1 else 'children'} of this one{until}"


def _names(queues: str | None) -> tuple[str, ...] | None:
    if queues is None:
        return None
    names = tuple(filter(None, map(str.strip, queues.split(","))))
    if not names:
        msg = f"--queues {queues!r}: name one queue or several, separated by commas"
        raise ConfigError(msg)
    return queue_names("--queues", names)


def _set_up_logging(level: LogLevel | None) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TaskFormatter())
    # It does nothing if the app has set up handlers.
    logging.basicConfig(handlers=[handler], level=(level or LogLevel.INFO).name)
    if level is not None:
        logging.getLogger().setLevel(level.name)


def _say_what_runs(asked: Invocation, wish: Wish, processes: str) -> None:
    app, config = asked.app, asked.app.config
    ends = "when nothing is ready" if wish.burst else "on Ctrl-C or SIGTERM"
    if wish.reload:
        ends += "; starts anew when Python files change"
    known = ", ".join(sorted(app.tasks)) or f"none: {asked.app_path} registers no task"
    pools = f"{config.threads} threads, {config.processes} processes"
    for text in (
        f"qtasks {__version__} runs {asked.app_path}",
        f"  tasks are in  {asked.place}",
        f"  queues        {', '.join(wish.queues or config.queues)}",
        f"  workers       {processes}",
        f"  at once       {config.max_tasks_process} tasks, {pools}",
        f"  loop          {describe_loop(uvloop=config.uvloop)}",
        f"  knows         {known}",
        f"  ends          {ends}",
    ):
        asked.output.note(text)
