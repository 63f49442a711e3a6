"""``qtasks retry``: how budgets and breakers stand, and closing a breaker by hand."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import typer

from qtasks.exc import ConfigError
from qtasks_plugin_retry.breaker import phase_of
from qtasks_plugin_retry.guards import Guards
from qtasks_plugin_retry.plugin import RetryPlugin

__all__ = ["add_commands"]

T = TypeVar("T")
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def add_commands(group: Any) -> None:
    """Adds the commands.

    Args:
        group: what they are added to.
    """
    retry = typer.Typer(no_args_is_help=True, help="Look at budgets and breakers of retries.")
    retry.command()(status)
    retry.command()(reset)
    group.add_typer(retry, name="retry")


def status(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """Show how the budgets and breakers of an app stand.

    Those that are not shared count in each worker, so what they have counted is
    in the logs of the workers alone.

    Examples:
    qtasks -A shop:app retry status
    qtasks -A shop:app retry status --json
    """
    app = ctx.obj.app
    rows = _run(app, lambda: _look(app, _guards(app)))
    if as_json or ctx.obj.as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        typer.echo("no task has a budget or a breaker")
    for row in rows:
        typer.echo(_line(row))


def reset(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of a budget or breaker.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Close a shared breaker, and give a shared budget its tokens back.

    Tasks that were postponed already come when they are due.

    Example:
    qtasks -A shop:app retry reset payments
    """
    app = ctx.obj.app
    guards = _guards(app)
    found = [
        (kind, known[name].shared)
        for kind, known in (("budget", guards.budgets), ("breaker", guards.breakers))
        if name in known
    ]
    if not found:
        names = ", ".join(sorted({*guards.budgets, *guards.breakers})) or "none"
        msg = f"there is no budget and no breaker {name!r}; those of the app: {names}"
        raise ConfigError(msg)
    kinds = [kind for kind, shared in found if shared]
    if not kinds:
        msg = (
            f"{found[0][0]} {name!r} counts in each worker, which no command reaches: restart the"
            " workers, or declare it with shared=True"
        )
        raise ConfigError(msg)
    _run(app, lambda: _reset(app, guards, name, kinds))
    if as_json or ctx.obj.as_json:
        typer.echo(json.dumps([{"name": name, "kind": kind, "reset": True} for kind in kinds]))
        return
    for kind in kinds:
        typer.echo(f"reset {kind} {name}")


def _guards(app: Any) -> Guards:
    for plugin in app.plugins.values():
        if isinstance(plugin, RetryPlugin):
            return plugin.guards
    msg = "the app does not use the plugin retry: see `qtasks plugins list`"
    raise ConfigError(msg)


def _run(app: Any, question: Callable[[], Awaitable[T]]) -> T:
    async def ask() -> T:
        await app.storage.start()
        try:
            return await question()
        finally:
            await app.storage.stop()

    return asyncio.run(ask())


async def _look(app: Any, guards: Guards) -> list[dict[str, Any]]:
    now, rows = time.time(), []
    for name, budget in sorted(guards.budgets.items()):
        row: dict[str, Any] = {"name": name, "kind": "budget", "shared": budget.shared}
        if budget.shared:
            left, room = await guards.purse(name, app.storage).left(now)
            row |= {"state": "free" if left else "spent", "tokens_left": left, "tokens": room}
        rows.append(row)
    for name, breaker in sorted(guards.breakers.items()):
        row = {"name": name, "kind": "breaker", "shared": breaker.shared}
        if breaker.shared:
            circuit = guards.circuit(name, app.storage)
            standing = await circuit.standing(now)
            row |= {
                "state": phase_of(standing, now),
                "since": standing.since or None,
                "failures": await circuit.counted(now),
                "why": standing.why or None,
                "next_probe": standing.until or None,
            }
        rows.append(row)
    return rows


async def _reset(app: Any, guards: Guards, name: str, kinds: list[str]) -> None:
    now = time.time()
    if "budget" in kinds:
        await guards.purse(name, app.storage).reset(now)
    if "breaker" in kinds:
        await guards.circuit(name, app.storage).close(now)


def _line(row: dict[str, Any]) -> str:
    head = f"{row['kind']} {row['name']}: "
    if not row["shared"]:
        return head + "counts in each worker process"
    if row["kind"] == "budget":
        return f"{head}{row['tokens_left']} of {row['tokens']} tokens left in this period"
    said = f"{head}{row['state']}"
    if row["since"]:
        said += f" since {_moment(row['since'])}"
    said += f", {row['failures']} failures"
    if row["why"]:
        said += f" ({row['why']})"
    if row["next_probe"]:
        said += f", next probe {_moment(row['next_probe'])}"
    return said


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ", timespec="seconds")
