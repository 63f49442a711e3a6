"""How findings are shown, and what exit code they mean."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec
import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks.cli.invocation import Invocation
    from qtasks.schemas import Finding

__all__ = ["present"]

_STYLES: Final = {"ok": "green", "warning": "yellow", "error": "red"}
#: Characters of the longest level, and of the gap behind it.
_WIDTH: Final = 9


def present(asked: Invocation, place: str, found: Sequence[Finding]) -> None:
    """Shows findings, and ends the command with 1 if there are warnings, 2 if there are errors.

    Args:
        asked: the invocation.
        place: what was looked at, as one line.
        found: the findings; passwords in them are hidden.

    Raises:
        typer.Exit: something is wrong.
    """
    cleaned = [_cleaned(asked, finding) for finding in found]
    levels = Counter[str](finding.level for finding in cleaned)
    if asked.as_json:
        asked.output.document(
            {
                "place": place,
                **{f"{level}s" if level != "ok" else level: levels[level] for level in _STYLES},
                "findings": [msgspec.structs.asdict(finding) for finding in cleaned],
            }
        )
    else:
        _print(asked, place, cleaned, levels)
    if levels["error"]:
        raise typer.Exit(2)
    if levels["warning"]:
        raise typer.Exit(1)


def _cleaned(asked: Invocation, finding: Finding) -> Finding:
    return msgspec.structs.replace(
        finding, message=asked.clean(finding.message), fix=asked.clean(finding.fix)
    )


def _print(asked: Invocation, place: str, found: Sequence[Finding], levels: Counter[str]) -> None:
    out = asked.output
    out.line(place)
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
