"""``qtasks tasks stream``: prints what a generator task gives, as it gives it."""

import json
from typing import Annotated, Any

import typer

from qtasks._core.client import Client
from qtasks._runtime.errors import printable
from qtasks.app.streaming import Cursor
from qtasks.app.view import TaskView
from qtasks.cli.call import FAILED, TIMED_OUT
from qtasks.cli.invocation import AsJson, invocation
from qtasks.cli.output import json_safe
from qtasks.cli.tasks import find
from qtasks.cli.values import parse_seconds
from qtasks.exc import StreamBrokenError, TaskCancelledError, TaskFailedError, WaitTimeoutError

__all__ = ["stream"]


def stream(
    ctx: typer.Context,
    task_id: Annotated[str, typer.Argument(metavar="ID", help="The task's id, or its end.")],
    *,
    wait: Annotated[
        str | None,
        typer.Option(metavar="SECONDS", help="Give up if so long nothing comes; default never."),
    ] = None,
    restart: Annotated[
        bool,
        typer.Option("--restart", help="If the task runs anew, go on with the new run's values."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the values that a generator task yields, one JSON value a line, as they come.

    It ends when the task does. With --json it prints one array at the end. The
    exit code is 1 if the task failed, was cancelled or runs anew, and 3 if the
    time ran out; then the task goes on.

    Example:
    qtasks -A shop:app tasks stream 0f0e9c11
    """
    asked = invocation(ctx, as_json=as_json)
    patience = None if wait is None else parse_seconds("--wait", wait)
    task = TaskView[Any](find(asked, task_id))
    values: list[Any] = []

    async def read(client: Client) -> None:
        cursor = Cursor(task, patience, restart=restart)
        while (found := await cursor.next(client)) is not None:
            if asked.as_json:
                values.extend(found)
                continue
            for value in found:
                text = json.dumps(json_safe(value), ensure_ascii=False)
                asked.output.line(printable(text))

    code = 0
    try:
        asked.ask(read)
    except (TaskFailedError, TaskCancelledError, StreamBrokenError, WaitTimeoutError) as error:
        code = TIMED_OUT if isinstance(error, WaitTimeoutError) else FAILED
        asked.output.note(f"error: {printable(str(error))}", style="red")
    if asked.as_json:
        asked.output.document(values)
    raise typer.Exit(code)
