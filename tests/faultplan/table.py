"""Results as a Markdown table, and the part of a page between two markers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["BEGIN", "END", "as_table", "replace_figures"]

BEGIN = "<!-- figures: begin -->"
END = "<!-- figures: end -->"
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


def replace_figures(page: Path, text: str) -> None:
    """Puts a text between the markers of a page.

    Raises:
        ValueError: the page has no markers.
    """
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        msg = f"{page} has no line {BEGIN!r} and, below it, {END!r}: put them where figures belong"
        raise ValueError(msg)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def _cells(result: Mapping[str, Any]) -> list[str]:
    values = {**result, **(result.get("tally") or {})}
    return [_shown(values.get(key)) for key in _COLUMNS.values()]


def _shown(value: object) -> str:
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
    figures = ", ".join(f"{name} {_shown(value)}" for name, value in result["figures"].items())
    return [*([f"- {who}: {figures}"] if figures else []), *failed]
