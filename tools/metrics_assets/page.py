"""Writes the tables of docs/metrics.md: of metrics, of options, and of alerts."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Final

from metrics_assets.alerts import ALERTS
from qtasks_plugin_metrics import Options
from qtasks_plugin_metrics.declarations import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["filled"]

_WHERE: Final = {
    "producer": "Programs that add tasks",
    "worker": "Workers",
    "supervisor": "Supervisors of worker processes",
    "any": "All of them",
    "exporter": "The exporter",
}


def filled(page: str) -> str:
    """Returns the page with its tables as they are now.

    Args:
        page: the page, with the marks between which the tables stand.

    Raises:
        ValueError: a mark is missing.
    """
    tables = {"metrics": _metrics(), "options": _options(), "alerts": _alerts()}
    for name, lines in tables.items():
        mark = re.compile(rf"(<!-- {name}: [^>]*-->\n).*?(<!-- end -->)", re.DOTALL)
        found = mark.search(page)
        if found is None:
            msg = f"docs/metrics.md has no marks for {name}"
            raise ValueError(msg)
        text = "\n".join(lines)
        begin, end = found.group(1), found.group(2)
        page = f"{page[: found.start()]}{begin}\n{text}\n\n{end}{page[found.end() :]}"
    return page


def _metrics() -> Iterator[str]:
    for source, where in _WHERE.items():
        found = [metric for metric in METRICS if metric.source == source]
        yield f"### {where}\n"
        yield "| metric | kind | labels | what it tells |"
        yield "|---|---|---|---|"
        for metric in found:
            labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
            yield f"| `{metric.full_name}` | {metric.kind} | {labels} | {metric.doc} |"
        yield ""


def _options() -> Iterator[str]:
    yield "| option | what it says |"
    yield "|---|---|"
    section = (inspect.getdoc(Options) or "").partition("Attributes:\n")[2].partition("\n\n")[0]
    for entry in re.split(r"\n(?=    \w+: )", section):
        name, _, text = " ".join(entry.split()).partition(": ")
        sentence = text.replace("``", "`")
        yield f"| `{name}` | {sentence[:1].upper()}{sentence[1:]} |"


def _alerts() -> Iterator[str]:
    for alert in ALERTS:
        holds = f"when that holds for {alert.minutes} minutes" if alert.minutes else "at once"
        summary = re.sub(r"{(\w+)}", r"*\1*", alert.summary)
        yield f"### {alert.name}\n"
        yield f"{summary}\nIt is for `{alert.severity}`, {holds}.\n"
        yield "\n".join(_sentences(alert.what_to_do))
        yield ""


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.!?]) (?=[A-Z`])", text)
