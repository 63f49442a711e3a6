"""Results as a Markdown table, and the part of a page between two markers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["BEGIN", "END", "as_table", "replace_figures", "shown"]

#: The markers, where ``{}`` is the name of the part.
BEGIN = "<!-- {}: begin -->"
END = "<!-- {}: end -->"
#: Headings, and what stands below them: a key of the tally, or of the result itself.
_COLUMNS = {
    "case": "case",
    "what is broken": "title",
    "broker": "broker",
    "tasks": "acknowledged",
    "faults": "kills",
    "lost": "lost",
    "repeated": "duplicated",
    "most runs of one task": "most_runs",
    "refused": "refused",
    "overwritten": "overwritten",
    "taken up again, s: p50": "recovery_p50",
    "p95": "recovery_p95",
    "held": "passed",
}


def as_table(results: Sequence[Mapping[str, Any]]) -> str:
    """Returns a table of results, and a line for each further figure and each failure."""
    lines = [
        f"| {' | '.join(_COLUMNS)} |",
        f"|{'---|' * len(_COLUMNS)}",
        *(f"| {' | '.join(_cells(result))} |" for result in results),
    ]
    notes = [note for result in results for note in _notes(result)]
    return "\n".join([*lines, *([""] if notes else []), *notes])


def replace_figures(page: Path, text: str, part: str = "figures") -> None:
    """Puts a text between two markers of a page.

    Args:
        page: the page.
        text: what is to stand there.
        part: what the markers call it.

    Raises:
        ValueError: the page has no markers.
    """
    opening, closing = BEGIN.format(part), END.format(part)
    before, begin, rest = page.read_text().partition(opening)
    _, end, after = rest.partition(closing)
    if not (begin and end):
        msg = (
            f"{page} has no line {opening!r} and, below it, {closing!r}: put them where figures"
            " belong"
        )
        raise ValueError(msg)
    page.write_text(f"{before}{opening}\n\n{text}\n\n{closing}{after}")


def _cells(result: Mapping[str, Any]) -> list[str]:
    values = {**result, **(result.get("tally") or {})}
    return [shown(values.get(key)) for key in _COLUMNS.values()]


def shown(value: object) -> str:
    """Returns a value as tables show it."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "**no**"
        case float():
            return f"{value:.2f}"
        case int():
            return f"{value:,}"
        case _:
            return str(value)


def _notes(result: Mapping[str, Any]) -> list[str]:
    who = f"{result['case']} on {result['broker']}"
    failed = [
        f"- {who} did **not** hold: {check['what']} (found {check['found']})"
        for check in result["checks"]
        if not check["held"]
    ]
    figures = ", ".join(f"{name} {shown(value)}" for name, value in result["figures"].items())
    return [*([f"- {who}: {figures}"] if figures else []), *failed]
