"""``qtasks bench``: how fast this machine, this broker and these plugins are."""

from typing import Annotated, Any

import typer

from qtasks._runtime.loops import describe_loop, run_on_loop
from qtasks.cli.benching import Bench, Figure
from qtasks.cli.invocation import AsJson, Invocation, invocation
from qtasks.cli.tables import Column
from qtasks.cli.values import parse_seconds, parse_whole
from qtasks.exc import ConfigError

__all__ = ["bench"]


def bench(
    ctx: typer.Context,
    *,
    tasks: Annotated[
        str, typer.Option(metavar="N", help="Tasks of each measurement; default 10000.")
    ] = "10000",
    rounds: Annotated[
        str, typer.Option(metavar="N", help="How often each is measured; default 3.")
    ] = "3",
    sleep: Annotated[
        str, typer.Option(metavar="SECONDS", help="What each task waits for; default 0.")
    ] = "0",
    concurrency: Annotated[
        str | None,
        typer.Option(metavar="N", help="Tasks that run at once; default max_tasks_process."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure tasks that do nothing, on your machine, your broker and with your plugins.

    The tasks are in a queue of their own, qtasks-bench, which is emptied before
    and after; their records go within a minute. A worker in this process runs
    them, after all are added. The table shows medians of the rounds: what
    passes per second, and microseconds of the clock and of this process's CPU
    for each task. The last line is the time from adding a task to a worker
    that waits, in this process too, until its result is here.

    Examples:
    qtasks -A shop:app bench
    qtasks -A shop:app bench --tasks 2000 --sleep 0.01 --concurrency 100
    qtasks -A shop:app -p no:retry bench --json
    """
    asked = invocation(ctx, as_json=as_json)
    seconds = parse_seconds("--sleep", sleep)
    count = parse_whole("--tasks", tasks, 10, 1_000_000)
    times = parse_whole("--rounds", rounds, 1, 100)
    app = asked.app
    if concurrency is not None:
        app.config.max_tasks_process = parse_whole("--concurrency", concurrency, 1)
    measured = Bench(app, count, seconds)
    _say_what_is_measured(asked)
    with asked.output.progress("Measuring", times * measured.steps) as advance:
        figures = run_on_loop(measured.run(times, advance), uvloop=app.config.uvloop)
    if figures is None:
        msg = "the measurement was interrupted before all tasks had run"
        raise ConfigError(msg)
    _show(asked, figures)


def _say_what_is_measured(asked: Invocation) -> None:
    config = asked.app.config
    names = ", ".join(sorted(asked.app.plugins)) or "none"
    for text in (
        f"tasks are in  {asked.place}",
        f"plugins       {names}",
        f"at once       {config.max_tasks_process} tasks, {config.threads} threads",
        f"loop          {describe_loop(uvloop=config.uvloop)}",
    ):
        asked.output.note(text)


def _show(asked: Invocation, figures: list[Figure]) -> None:
    if asked.as_json:
        asked.output.document([figure.document() for figure in figures])
        return
    columns = [
        Column("measurement"),
        Column("tasks", right=True),
        Column("per second", right=True),
        Column("µs each", right=True),
        Column("µs of CPU", right=True),
    ]
    asked.output.table(columns, [_row(figure) for figure in figures if not figure.waits])
    for figure in figures:
        if figure.waits:
            middle, high = figure.percentile(50) * 1000, figure.percentile(99) * 1000
            asked.output.line(f"{figure.name}: p50 {middle:.2f} ms, p99 {high:.2f} ms")


def _row(figure: Figure) -> list[Any]:
    return [
        figure.name,
        f"{figure.tasks:,}",
        f"{figure.rate:,.0f}",
        f"{1e6 / figure.rate:,.1f}",
        f"{figure.cpu * 1e6:,.1f}",
    ]
