"""What queues made of the same faults, as Markdown: a table for each case, and one of settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from faultplan.table import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["as_comparison"]

#: For each case what its table is called, and its columns: what stands below each heading is a key
#: of the result, of its tally, or of its further figures.
_TABLES: Final = {
    "F1": (
        "Workers are killed inside a task, and replaced",
        {
            "tasks": "acknowledged",
            "kills": "kills",
            "did not run": "did not run",
            "no result": "lost",
            "failed": "dead",
            "repeated": "duplicated",
            "most runs of one task": "most_runs",
            "interrupted runs": "interrupted",
            "taken up again, s: p50": "recovery_p50",
            "most": "recovery_max",
            "all ran after the last kill, s": "all ran after the last kill, s",
        },
    ),
    "F7": (
        "A worker stands still longer than its lease",
        {
            "its tasks": "halted inside",
            "ran elsewhere": "ran elsewhere",
            "ran on after the pause": "ran on after the pause",
            "stale results stored over newer ones": "overwritten",
            "refused": "refused",
            "no result": "lost",
            "failed": "dead",
            "repeated": "duplicated",
        },
    ),
    "F3": (
        "The server is killed and starts again",
        {
            "tasks": "acknowledged",
            "kills": "kills",
            "workers that ended": "workers that ended",
            "came back by themselves": "back at work, times",
            "back at work after at most, s": "back at work after at most, s",
            "did not run": "did not run",
            "no result": "lost",
            "failed": "dead",
            "repeated": "duplicated",
        },
    ),
}
#: What only those can tell that do it.
_TOLD: Final = {"refused"}


def as_comparison(results: Sequence[Mapping[str, Any]]) -> str:
    """Returns the tables, each with a line below it for whatever did not come to its end."""
    parts = [part for name in _TABLES for part in _table(name, results)]
    return "\n".join([*parts, *_settings(results)])


def _table(name: str, results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    rows = [result for result in results if result["case"] == name]
    if not rows:
        return
    title, columns = _TABLES[name]
    yield from (f"**{name}: {title}**", "")
    yield f"| queue | {' | '.join(columns)} |"
    yield f"|{'---|' * (len(columns) + 1)}"
    for row in rows:
        yield f"| {row['system']} | {' | '.join(_cell(row, key) for key in columns.values())} |"
    yield ""
    ends = [end for row in rows for end in _without_end(row)]
    yield from (*ends, *([""] if ends else []))


def _cell(result: Mapping[str, Any], key: str) -> str:
    if result["tally"] is None:
        return "–"
    value = {**result, **result["tally"], **result["figures"]}.get(key)
    return "–" if key in _TOLD and not value else shown(value)


def _without_end(result: Mapping[str, Any]) -> list[str]:
    """Says why a queue has no figures in a case."""
    if result["tally"] is not None:
        return []
    return [f"- {result['system']}: {check['found']}" for check in result["checks"]]


def _settings(results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    about = {result["system"]: result for result in results}
    yield from ("| queue | version | set up to recover |", "|---|---|---|")
    for name, result in about.items():
        yield f"| {name} | {result['version']} | {result['settings']} |"
