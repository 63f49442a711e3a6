"""Results as Markdown: a table for each class of queues and each kind of figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.ahead import where_others_lead
from harness.catalogue import CLASSES
from harness.columns import SECTIONS
from harness.figures import spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.columns import Column, Section
    from harness.figures import Spread
    from harness.results import Results

__all__ = ["of_class", "report", "table"]

#: Marks of figures that another run than the main one has found.
_MARKS = "¹²³⁴⁵⁶⁷⁸⁹"


def report(results: Results) -> str:
    """Returns all tables, the runs that they come from, and what did not run."""
    parts = []
    for name, title in CLASSES.items():
        peers = of_class(results, name)
        tables = [(section, table(results, section, peers)) for section in SECTIONS]
        found = [f"#### {section.title}\n\n{text}" for section, text in tables if text]
        if found:
            others = where_others_lead(results, peers) or ["- Nowhere in this run."]
            parts += [f"### {title}", *found, "#### Where others are ahead", "\n".join(others)]
    return "\n\n".join([*parts, _runs(results), _versions(results), _failures(results)])


def of_class(results: Results, name: str) -> list[str]:
    """Returns the queues of a class, in the order in which they were first measured."""
    return [peer for peer, about in results.peers.items() if name in about["classes"]]


def table(results: Results, section: Section, peers: Sequence[str]) -> str | None:
    """Returns the medians of some queues, with the extremes; None if there are no figures.

    The best of a column is bold.
    """
    cells = {
        (peer, column): spread(
            row.figures.get(column.figure) for row in results.latest(peer, column.measure)
        )
        for peer in peers
        for column in section.columns
    }
    columns = [c for c in section.columns if any(cells[peer, c] for peer in peers)]
    shown = [peer for peer in peers if any(cells[peer, column] for column in columns)]
    if not shown:
        return None
    best = {column: _best(column, [cells[peer, column] for peer in shown]) for column in columns}
    lines = [
        "| queue | promise | " + " | ".join(column.heading for column in columns) + " |",
        "|---|---|" + "---:|" * len(columns),
    ]
    for peer in shown:
        values = [
            _cell(cells[peer, column], column, best[column]) + _mark(results, peer, column)
            for column in columns
        ]
        lines.append(f"| {peer} | {results.peers[peer]['promise']} | {' | '.join(values)} |")
    return "\n".join(lines)


def _best(column: Column, found: Sequence[Spread | None]) -> float | None:
    """Returns the best median, if there are several to choose from."""
    known = [one.median for one in found if one is not None]
    if len(known) < 2:
        return None
    return max(known) if column.more_is_better else min(known)


def _cell(found: Spread | None, column: Column, best: float | None) -> str:
    if found is None:
        return "–"
    median = f"{found.median:,.{column.digits}f}"
    median = f"**{median}**" if found.median == best else median
    least, most = f"{found.least:,.{column.digits}f}", f"{found.most:,.{column.digits}f}"
    return median if least == most else f"{median} ({least}–{most})"


def _mark(results: Results, peer: str, column: Column) -> str:
    """Returns what tells that a figure is of another run than the others."""
    rows = results.latest(peer, column.measure)
    if not rows or rows[0].run == results.main_run():
        return ""
    others = [run for run in results.runs if run != results.main_run()]
    return _MARKS[others.index(rows[0].run) % len(_MARKS)]


def _runs(results: Results) -> str:
    """Returns a list of the runs, the main one first."""
    main = results.main_run()
    lines = ["### Runs", ""]
    marks = iter(_MARKS * len(results.runs))
    for run in [main, *(run for run in results.runs if run != main)]:
        about = results.runs[run]
        mark = "" if run == main else f"{next(marks)} "
        machine = f"{about['processors']}, {about['system']}, load {about['load']}"
        lines.append(
            f"- {mark}{run} UTC, `{about['command']}`, commit {about['commit']}: {machine};"
            f" {about['server']}, seed {about['seed']}, {about['rounds']} rounds"
        )
    return "\n".join(lines)


def _versions(results: Results) -> str:
    lines = ["### Versions", ""]
    for peer, about in results.peers.items():
        versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
        lines.append(f"- {peer}: {versions}; `{about['worker']}`")
    return "\n".join(lines)


def _failures(results: Results) -> str:
    lines = ["### What did not run", ""]
    lines += [
        f"- {one.peer}, {one.measure or 'trial'}, round {one.round + 1}: {one.why}"
        for one in results.failures
    ]
    if not results.failures:
        lines.append(
            "Everything ran, each task once, and every result that was read back was right."
        )
    return "\n".join(lines)
