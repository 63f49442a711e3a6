"""``qtasks doctor``: what is wrong, or will be."""

import time
from collections import Counter
from typing import Final

import msgspec
import typer

from qtasks._core.client import Client
from qtasks._core.errors import safe_text
from qtasks.cli.durations import span_text
from qtasks.cli.installation import installation
from qtasks.cli.invocation import AsJson, Invocation, invocation
from qtasks.cli.risks import risks
from qtasks.cli.upkeep import upkeep
from qtasks.exc import QTasksError
from qtasks.schemas import Finding

__all__ = ["doctor"]

_STYLES: Final = {"ok": "green", "warning": "yellow", "error": "red"}
#: Characters of the longest level, and of the gap behind it.
_WIDTH: Final = 9


def doctor(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """Look for what is wrong or risky: installation, settings, server, queues, workers.

    It only reads. The exit code is 0 if all is well, 1 if there are warnings,
    and 2 if there are errors.

    Examples:
    qtasks -A shop:app doctor
    qtasks -A shop:app doctor --json
    """
    asked = invocation(ctx, as_json=as_json)
    app = asked.app
    found = [*installation((app.broker.url, app.storage.url)), *risks(app.config)]
    found += _server(asked)
    found = [_cleaned(asked, finding) for finding in found]
    levels = Counter[str](finding.level for finding in found)
    if asked.as_json:
        asked.output.document(
            {
                "place": asked.place,
                **{f"{level}s" if level != "ok" else level: levels[level] for level in _STYLES},
                "findings": [msgspec.structs.asdict(finding) for finding in found],
            }
        )
    else:
        _print(asked, found, levels)
    if levels["error"]:
        raise typer.Exit(2)
    if levels["warning"]:
        raise typer.Exit(1)


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


def _cleaned(asked: Invocation, finding: Finding) -> Finding:
    return msgspec.structs.replace(
        finding, message=asked.clean(finding.message), fix=asked.clean(finding.fix)
    )


def _print(asked: Invocation, found: list[Finding], levels: Counter[str]) -> None:
    out = asked.output
    out.line(asked.place)
    out.line()
    for finding in found:
        texts = [f"{finding.subject}: {finding.message}"]
        if finding.fix:
            texts.append(f"{'hint' if finding.level == 'ok' else 'fix'}: {finding.fix}")
        out.hanging(finding.level, _STYLES[finding.level], _WIDTH, *texts)
    out.line()
    bad = [
        f"{levels[level]} {level}{'' if levels[level] == 1 else 's'}"
        for level in ("error", "warning")
        if levels[level]
    ]
    out.line(", ".join(bad) or "all is well")
