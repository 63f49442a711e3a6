"""``qtasks triggers``: what plugins can listen to."""

import difflib
from typing import Annotated, Any

import msgspec
import typer

from qtasks.app.base import BaseQueueTasks
from qtasks.cli.health import quiet
from qtasks.cli.invocation import AsJson, Invocation, invocation
from qtasks.cli.plugins import app_or_plain
from qtasks.cli.tables import Column
from qtasks.contracts.triggers import TriggerSpec
from qtasks.exc import ConfigError

__all__ = ["triggers"]


def triggers(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only this one, with all about it.")
    ] = None,
    *,
    component: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only those of this component.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the triggers: their kind, their arguments, and what an answer replaces.

    With -A also who listens, in order.

    Examples:
    qtasks triggers
    qtasks triggers worker_task_error_retry
    qtasks -A shop:app triggers --component worker --json
    """
    asked = invocation(ctx, as_json=as_json)
    app = app_or_plain(asked)
    with quiet():
        app.plugin_reports()
    catalogue: dict[str, TriggerSpec] = app._registry.catalogue  # noqa: SLF001 - plugins may add some
    chosen = _chosen(catalogue, name, component)
    if asked.as_json:
        asked.output.document([_document(asked, app, spec) for spec in chosen])
    elif name is not None:
        _show(asked, app, chosen[0])
    else:
        _list(asked, app, chosen)


def _chosen(
    catalogue: dict[str, TriggerSpec], name: str | None, component: str | None
) -> list[TriggerSpec]:
    if name is not None:
        if name not in catalogue:
            raise ConfigError(_unknown("trigger", name, list(catalogue)))
        return [catalogue[name]]
    components = list(dict.fromkeys(spec.component for spec in catalogue.values()))
    if component is not None and component not in components:
        raise ConfigError(_unknown("component", component, components))
    return [spec for spec in catalogue.values() if component in (None, spec.component)]


def _unknown(what: str, name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    guess = f" Did you mean {close[0]!r}?" if close else f" Known are {', '.join(known)}"
    return f"there is no {what} {name!r}.{guess}"


def _listeners(app: BaseQueueTasks, name: str) -> list[str]:
    subscribers = getattr(app._registry.table, name, ())  # noqa: SLF001 - as above
    return list(dict.fromkeys(each.plugin for each in subscribers))


def _document(asked: Invocation, app: BaseQueueTasks, spec: TriggerSpec) -> dict[str, Any]:
    document = msgspec.structs.asdict(spec)
    del document["check"]  # it is a function
    if asked.app_path:
        document["listeners"] = _listeners(app, spec.name)
    return document


def _list(asked: Invocation, app: BaseQueueTasks, specs: list[TriggerSpec]) -> None:
    columns = [
        Column("trigger", copied=True),
        Column("kind"),
        Column("replaces", wraps=True, spare=1),
        Column("arguments", wraps=True, spare=2),
    ]
    rows: list[list[Any]] = [
        [spec.name, spec.kind, ", ".join(spec.returns) or "–", ", ".join(spec.arguments)]
        for spec in specs
    ]
    if asked.app_path:
        columns.insert(2, Column("heard by", wraps=True))
        for spec, row in zip(specs, rows, strict=True):
            row.insert(2, ", ".join(_listeners(app, spec.name)) or "–")
    asked.output.table(columns, rows)


def _show(asked: Invocation, app: BaseQueueTasks, spec: TriggerSpec) -> None:
    out = asked.output
    heard = ", ".join(_listeners(app, spec.name)) or "nobody"
    out.fields(
        {
            "name": spec.name,
            "component": spec.component,
            "kind": spec.kind,
            "arguments": ", ".join(spec.arguments),
            "replaces": ", ".join(spec.returns) or "nothing",
            "fires in": ", ".join(spec.roles),
            "since": spec.since,
            "heard by": heard if asked.app_path else "",
        }
    )
    out.line()
    out.block(spec.doc)
