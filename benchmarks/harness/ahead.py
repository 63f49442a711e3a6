"""Where other queues are ahead of QTasks, found by looking at every figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.columns import SECTIONS
from harness.figures import spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.columns import Column, Section
    from harness.results import Results, Row

__all__ = ["OURS", "where_others_lead"]

#: What the names of our own queues begin with.
OURS = "qtasks"


def where_others_lead(results: Results, peers: Sequence[str]) -> list[str]:
    """Returns a line for each figure of which the best is not ours, as Markdown."""
    lines = []
    for section in SECTIONS:
        for column in section.columns:
            line = _line(results, section, column, peers)
            if line is not None:
                lines.append(line)
    return lines


def _line(results: Results, section: Section, column: Column, peers: Sequence[str]) -> str | None:
    medians = {
        peer: found.median
        for peer in peers
        if (found := spread(row.figures.get(column.figure) for row in _rows(results, peer, column)))
    }
    ours = {peer: value for peer, value in medians.items() if peer.startswith(OURS)}
    if not ours:
        return None
    sign = 1 if column.more_is_better else -1
    best_of_ours = max(ours, key=lambda peer: sign * ours[peer])
    better = [
        peer
        for peer in sorted(medians, key=lambda peer: -sign * medians[peer])
        if peer not in ours and sign * medians[peer] > sign * ours[best_of_ours]
    ]
    if not better:
        return None
    others = ", ".join(f"{peer} {medians[peer]:,.{column.digits}f}" for peer in better)
    mine = f"{best_of_ours} {ours[best_of_ours]:,.{column.digits}f}"
    return f"- {section.title}, {column.name}: {others}; {mine}"


def _rows(results: Results, peer: str, column: Column) -> list[Row]:
    return results.latest(peer, column.measure)
