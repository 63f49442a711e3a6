"""``qtasks run``: a worker in this process."""

import asyncio
import logging
import sys
from enum import StrEnum
from typing import Annotated

import typer

from qtasks._version import __version__
from qtasks.app.base import BaseQueueTasks
from qtasks.cli.invocation import AsJson, Invocation, invocation
from qtasks.cli.values import choices, parse_choice, parse_whole, queue_names
from qtasks.exc import ConfigError

__all__ = ["run"]


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


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
    as_json: AsJson = False,
) -> None:
    """Run a worker that takes tasks from the queues until it is stopped.

    Ctrl-C or SIGTERM lets running tasks finish for shutdown_timeout seconds;
    a second one gives them back to the queue at once.
    Logging that the app has set up stays as it is, else it goes to stderr.

    Examples:
    qtasks -A shop:app run
    qtasks -A shop:app run --burst
    qtasks -A shop:app run --queues mail,default --concurrency 20
    """
    asked = invocation(ctx, as_json=as_json)
    level = None if log_level is None else parse_choice("--log-level", log_level, LogLevel)
    at_once = None if concurrency is None else parse_whole("--concurrency", concurrency, 1)
    names = _names(queues)
    app = asked.app
    _set_up_logging(level)
    if at_once is not None:
        app.config.max_tasks_process = at_once
    worker = app.worker(queues=names, burst=burst)
    _say_what_runs(asked, app, worker.queues, burst=burst)
    asyncio.run(worker.run())
    if asked.as_json:
        asked.output.document(
            {"worker": worker.id, "queues": worker.queues, "settled": worker.settled}
        )


def _names(queues: str | None) -> tuple[str, ...] | None:
    if queues is None:
        return None
    names = tuple(filter(None, map(str.strip, queues.split(","))))
    if not names:
        msg = f"--queues {queues!r}: name one queue or several, separated by commas"
        raise ConfigError(msg)
    return queue_names("--queues", names)


def _set_up_logging(level: LogLevel | None) -> None:
    logging.basicConfig(  # does nothing if the app has set up handlers
        stream=sys.stderr,
        level=(level or LogLevel.INFO).name,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        datefmt="%H:%M:%S",
    )
    if level is not None:
        logging.getLogger().setLevel(level.name)


def _say_what_runs(
    asked: Invocation, app: BaseQueueTasks, queues: tuple[str, ...], *, burst: bool
) -> None:
    config = app.config
    ends = "when nothing is ready" if burst else "on Ctrl-C or SIGTERM"
    known = ", ".join(sorted(app.tasks)) or f"none: {asked.app_path} registers no task"
    pools = f"{config.threads} threads, {config.processes} processes"
    for text in (
        f"qtasks {__version__} runs {asked.app_path}",
        f"  tasks are in  {asked.place}",
        f"  queues        {', '.join(queues)}",
        f"  at once       {config.max_tasks_process} tasks, {pools}",
        f"  knows         {known}",
        f"  ends          {ends}",
    ):
        asked.output.note(text)
