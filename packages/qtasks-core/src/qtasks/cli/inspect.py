"""``qtasks inspect``: what an app consists of, and how its tasks are declared."""

from typing import Annotated

import typer

from qtasks._core.client import Client
from qtasks.app.inspection import InspectStats
from qtasks.cli.invocation import AsJson, invocation

__all__ = ["inspect"]


def inspect(
    ctx: typer.Context,
    tasks: Annotated[
        list[str] | None, typer.Argument(metavar="TASK", help="Only how these are declared.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what an app consists of, or how its tasks are declared.

    Without names it shows broker, plugins, queues, workers and the tasks that
    the app knows. With names of tasks no server is asked.

    Examples:
    qtasks -A shop:app inspect
    qtasks -A shop:app inspect resize --json
    """
    asked = invocation(ctx, as_json=as_json)
    if tasks:
        found = InspectStats(asked.app, (), ())
        if asked.as_json:
            asked.output.document([found.task_document(name) for name in tasks])
        else:
            asked.output.block(found.tasks(*tasks))
        return

    async def look(client: Client) -> InspectStats:
        return InspectStats(asked.app, await client.stats(), await client.workers())

    found = asked.ask(look)
    if asked.as_json:
        asked.output.document(found.app_document())
    else:
        asked.output.block(found.app())
