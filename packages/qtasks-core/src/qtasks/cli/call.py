"""``qtasks call``: adds one task."""

import difflib
import json
from typing import Annotated, Any

import typer

from qtasks._core.client import Client
from qtasks._runtime.errors import printable
from qtasks.app.asking import as_id
from qtasks.app.base import BaseQueueTasks
from qtasks.app.view import TaskView, types_of
from qtasks.cli.durations import parse_span
from qtasks.cli.invocation import AsJson, Invocation, invocation
from qtasks.cli.output import json_safe
from qtasks.cli.values import parse_json, parse_seconds, parse_whole, queue_names
from qtasks.exc import ConfigError, ServerError, TaskArgumentsError
from qtasks.schemas import CallOptions, Record, TaskCall, TaskStatusEnum

__all__ = ["call"]

#: Exit codes of a wait.
FAILED = 1
TIMED_OUT = 3


def call(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The task's name.")],
    *,
    args: Annotated[
        str, typer.Option(metavar="JSON", help="Positional arguments, a JSON array.")
    ] = "[]",
    kwargs: Annotated[
        str, typer.Option(metavar="JSON", help="Keyword arguments, a JSON object.")
    ] = "{}",
    wait: Annotated[
        str | None,
        typer.Option(metavar="SECONDS", help="Wait for the end and print the result."),
    ] = None,
    queue: Annotated[
        str | None, typer.Option(metavar="NAME", help="The queue it waits in.")
    ] = None,
    delay: Annotated[
        str | None, typer.Option(metavar="SPAN", help="Not before then: 30s, 15m, 1h30m, 2d.")
    ] = None,
    priority: Annotated[
        str | None,
        typer.Option(metavar="N", help="From -128 (first) to 127 (last); default 0."),
    ] = None,
    task_id: Annotated[
        str | None, typer.Option(metavar="UUID", help="Its id; a known one adds nothing.")
    ] = None,
    unknown: Annotated[
        bool, typer.Option("--unknown", help="Add it although the app does not know the name.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Add a task to its queue and print its id; with --wait print its result.

    A queue in memory is refused, because it ends with this command.
    The result is printed as JSON. With --wait the exit code is 1 if the task
    failed or was cancelled, and 3 if the time ran out; then the task goes on.

    Examples:
    qtasks -A shop:app call resize --args '["cat.jpg"]' --kwargs '{"width": 128}'
    qtasks -A shop:app call resize --args '["cat.jpg"]' --wait 10
    """
    asked = invocation(ctx, as_json=as_json)
    patience = None if wait is None else parse_seconds("--wait", wait)
    if queue is not None:
        queue_names("--queue", [queue])
    if not unknown:
        _check_known(asked.app, name)
    _check_shared(asked)
    options = CallOptions(
        queue=queue,
        priority=None if priority is None else parse_whole("--priority", priority, -128, 127),
        delay=None if delay is None else parse_span("--delay", delay),
        task_id=None if task_id is None else as_id(task_id),
    )
    given = tuple(parse_json("--args", args, list)), parse_json("--kwargs", kwargs, dict)
    if (types := types_of(asked.app, name)) is not None:
        given = types.from_json(*given)
    wanted = TaskCall(name, *given, options)

    async def add(client: Client) -> tuple[Record, bool]:
        added = (await client.submit([wanted]))[0]
        if patience is None:
            return added, False
        asked.output.note(f"{name} {added.id} is queued in {asked.place}")
        if await _nobody_works(client):
            asked.output.note(asked.nobody_works)
        ended = (await client.wait([added.id], patience)).get(added.id)
        return ended or added, ended is None

    record, timed_out = asked.ask(add)
    if patience is None:
        _print_id(asked, record)
    else:
        _print_end(asked, record, patience, timed_out=timed_out)


async def _nobody_works(client: Client) -> bool:
    """Whether surely no worker is alive; an account that only adds tasks may not ask."""
    try:
        return not await client.workers()
    except ServerError:
        return False


def _check_known(app: BaseQueueTasks, name: str) -> None:
    if name in app.tasks:
        return
    close = difflib.get_close_matches(name, app.tasks, n=1)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    known = ", ".join(sorted(app.tasks)) or "none"
    msg = (
        f"the app has no task {name!r}.{guess} Its tasks: {known}."
        " To add it for workers that run other code, say --unknown"
    )
    raise TaskArgumentsError(msg)


def _check_shared(asked: Invocation) -> None:
    """Refuses a queue that ends with this process, before anybody could run the task."""
    if asked.app.broker.capabilities.processes:
        return
    msg = (
        f"{asked.place} is a queue in the memory of one process, so the task would be lost when"
        " this command ends: use another broker_url, for example 'sqlite:///qtasks.db', or add"
        " the task in the program that runs the worker"
    )
    raise ConfigError(msg)


def _print_id(asked: Invocation, record: Record) -> None:
    if asked.as_json:
        asked.output.document({"id": record.id, "task": record.task, "status": record.status})
        return
    asked.output.line(record.id)


def _print_end(asked: Invocation, record: Record, wait: float, *, timed_out: bool) -> None:
    task = TaskView[Any](record)
    succeeded = task.status is TaskStatusEnum.SUCCESS
    if asked.as_json:
        asked.output.document(_end_document(task))
    elif succeeded:
        text = json.dumps(json_safe(task.returning), ensure_ascii=False)
        asked.output.line(printable(text))
    if succeeded:
        return
    if timed_out:
        asked.output.note(f"error: {task.id} was not over after {wait:g} s; it goes on")
        raise typer.Exit(TIMED_OUT)
    asked.output.note(f"error: {printable(_why(task))}", style="red")
    if task.traceback:
        asked.output.note(f"its traceback: {asked.command(f'tasks show {task.id}')}")
    raise typer.Exit(FAILED)


def _end_document(task: TaskView[Any]) -> dict[str, Any]:
    return {
        "id": task.id,
        "task": task.task_name,
        "status": task.status,
        "result": task.returning,
        "error": None
        if task.error is None
        else {"type": task.error.type, "message": task.error.message},
        "reason": task.reason,
    }


def _why(task: TaskView[Any]) -> str:
    if task.error is None:
        return f"{task.id} ended as {task.status}: {task.reason or 'no reason given'}"
    return f"{task.id} failed ({task.reason}): {task.error.type}: {task.error.message}"
