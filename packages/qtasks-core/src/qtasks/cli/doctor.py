"""``qtasks doctor``: what is wrong, or will be."""

import time

import typer

from qtasks._core.client import Client
from qtasks._runtime.errors import safe_text
from qtasks.cli.durations import span_text
from qtasks.cli.exposure import endless, signing
from qtasks.cli.findings import present
from qtasks.cli.health import plugin_health, plugin_states, quiet
from qtasks.cli.installation import installation
from qtasks.cli.invocation import AsJson, Invocation, invocation
from qtasks.cli.risks import risks
from qtasks.cli.typing_gaps import typing_gaps
from qtasks.cli.upkeep import upkeep
from qtasks.exc import QTasksError
from qtasks.schemas import Finding

__all__ = ["doctor"]


def doctor(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """Look for what is wrong or risky: installation, settings, server, queues, workers.

    Annotations of tasks that say nothing are listed too. It only reads.
    The exit code is 0 if all is well, 1 if there are warnings,

    Examples:
    qtasks -A shop:app doctor
    qtasks -A shop:app doctor --json
    """
    asked = invocation(ctx, as_json=as_json)
    app = asked.app
    found = [*installation((app.broker.url, app.storage.url)), *risks(app.config)]
    found += [*signing(app.signing, (app.broker.url, app.storage.url))]
    found += [
        *endless(app.tasks.values()),
        *typing_gaps(app.tasks.values()),
        *_plugins(asked),
        *_server(asked),
    ]
    present(asked, asked.place, found)


def _plugins(asked: Invocation) -> list[Finding]:
    """Looks at the plugins that are not used as they should, and asks the others."""
    with quiet():
        problems = [found for found in plugin_states(asked.app) if found.level != "ok"]
    return [*problems, *plugin_health(asked.app)]


def _server(asked: Invocation) -> list[Finding]:
    """Looks at what can only be seen where the tasks are."""
    found: list[Finding] = []

    async def look(client: Client) -> None:
        begun = time.perf_counter()
        await client.start()
        await client.workers()
        took = span_text(time.perf_counter() - begun)
        found.append(Finding("ok", "connection", f"The server answered within {took}."))
        found.extend(await _diagnosis(client))
        found.extend(await upkeep(asked, client))

    try:
        asked.ask(look)
    except (QTasksError, OSError) as error:
        found.append(_unanswered(asked, safe_text(error).rstrip(".?"), connected=bool(found)))
    return found


def _unanswered(asked: Invocation, text: str, *, connected: bool) -> Finding:
    """Says what the server refused: to be used at all, or to be looked at further."""
    if connected:
        return Finding(
            "error",
            "queues",
            f"They cannot be looked at: {text}.",
            "Run the doctor with an account that may do all that its other commands do.",
        )
    return Finding(
        "error",
        "connection",
        f"{asked.place} cannot be used: {text}.",
        "Check that the server runs, and that URL, user and password are right.",
    )


async def _diagnosis(client: Client) -> list[Finding]:
    """Asks the broker; one whose own look fails is a finding too."""
    try:
        return await client.diagnose()
    except QTasksError:
        raise
    except Exception as error:  # noqa: BLE001 - a third party's broker may raise anything
        kind = type(error).__name__
        return [
            Finding(
                "warning",
                "diagnosis",
                f"The broker could not look at its server: {kind}: {safe_text(error)}.",
                "Report it to the author of the broker.",
            )
        ]
