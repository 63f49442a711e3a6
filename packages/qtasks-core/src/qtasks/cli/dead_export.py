"""``qtasks dead export``: dead letters as JSON lines, for other programs and for the archive."""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from qtasks._core.client import Client
from qtasks.cli.filters import ErrorType, Filters, QueueName, Reason, Since, TaskName, Until
from qtasks.cli.invocation import AsJson, invocation
from qtasks.cli.known import note_no_match
from qtasks.cli.output import json_safe
from qtasks.cli.records import document
from qtasks.cli.values import parse_whole
from qtasks.exc import ConfigError

__all__ = ["export"]


def export(
    ctx: typer.Context,
    *,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write a file that is there at once."),
    ] = None,
    task: TaskName = None,
    queue: QueueName = None,
    error: ErrorType = None,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[
        str | None, typer.Option(metavar="N", help="The most to export, the newest ones.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write dead letters as JSON lines, newest first: one object on each line.

    They go to standard output unless a file is named, and stay where they are.
    A file gets its name when it is complete; only you may read it, as it holds
    the arguments of tasks. With a file, --json tells how many they were.

    Examples:
    qtasks -A shop:app dead export --since 1d > dead.jsonl
    qtasks -A shop:app dead export --task resize -o dead.jsonl
    """
    asked = invocation(ctx, as_json=as_json)
    tell = asked.as_json
    asked.as_json = True  # what the app prints must not be among the lines
    filters = Filters(
        task=task, error=error, reason=reason, since=since, until=until, queue=queue, dead=True
    )
    most = None if limit is None else parse_whole("--limit", limit, 1)
    query = filters.query(asked.app.clock.time())

    async def write(client: Client) -> int:
        dead = await client.dead_letters()
        total = None if filters.given else sum(queue.dead for queue in await client.stats())
        count = 0
        with _lines(output) as line, asked.output.progress("exported", most or total) as advance:
            async for page in dead.pages(query, most):
                for record in page:
                    line(json.dumps(json_safe(document(record, whole=True)), allow_nan=False))
                count += len(page)
                advance(len(page))
        return count

    count = asked.ask(write)
    if not count:
        note_no_match(asked, filters, "dead letters")
    if output is not None and tell:
        asked.output.document({"exported": count, "file": str(output)})
    elif output is not None:
        asked.output.note(f"exported {count:,} from {asked.place} to {output}")


@contextmanager
def _lines(output: Path | None) -> Iterator[Callable[[str], object]]:
    """Opens where the lines go; a file takes its name when all of them are written."""
    if output is None:
        yield lambda text: sys.stdout.write(f"{text}\n")
        return
    if output.is_dir():
        msg = f"--output {output}: that is a directory; name a file in it"
        raise ConfigError(msg)
    if not output.parent.is_dir():
        msg = f"--output {output}: there is no directory {output.parent}; make it first"
        raise ConfigError(msg)
    # Made by mkstemp, so that nobody else can read it.
    descriptor, name = tempfile.mkstemp(prefix=f".{output.name}.", dir=output.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            yield lambda text: file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(output)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
