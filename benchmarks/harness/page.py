"""The part of a page that is made from results, between two markers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.catalogue import CLASSES
from harness.tables import report

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.results import Results

__all__ = ["BEGIN", "END", "replace_results", "shown_results"]

BEGIN = "<!-- results: begin -->"
END = "<!-- results: end -->"


def replace_results(page: Path, source: Path, results: Results, charts: Mapping[str, str]) -> None:
    """Puts the tables and the charts of results between the markers of a page.

    Args:
        page: what is changed.
        source: the file of the results, relative to the page.
        results: what is in it.
        charts: their files beside the results, by the classes of queues.

    Raises:
        ValueError: the page has no markers.
    """
    before, between, after = _split(page)
    del between
    text = render(source, results, charts)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def render(source: Path, results: Results, charts: Mapping[str, str]) -> str:
    """Returns what belongs between the markers."""
    pictures = [
        f"![{CLASSES[name]}]({source.with_name(file).as_posix()})" for name, file in charts.items()
    ]
    first = f"Everything below is made from [these raw figures]({source.as_posix()})."
    return "\n\n".join([first, *pictures, report(results)])


def shown_results(page: Path) -> tuple[str, str | None, dict[str, str]]:
    """Returns what stands between the markers: the text, the results it names, and the charts.

    Raises:
        ValueError: the page has no markers.
    """
    _, between, _ = _split(page)
    source = re.search(r"\[these raw figures\]\(([^)]+)\)", between)
    pictures = re.findall(r"!\[([^\]]+)\]\((?:[^)]*/)?([^)/]+\.svg)\)", between)
    names = {title: name for name, title in CLASSES.items()}
    charts = {names[title]: file for title, file in pictures}
    return between.strip(), source[1] if source else None, charts


def _split(page: Path) -> tuple[str, str, str]:
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    between, end, after = rest.partition(END)
    if not (begin and end):
        msg = f"{page} has no line {BEGIN!r} and, below it, {END!r}: put them where results belong"
        raise ValueError(msg)
    return before, between, after
