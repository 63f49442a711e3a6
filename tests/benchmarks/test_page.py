"""The page about performance says what the results say."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness.catalogue import CLASSES
from harness.charts import CHARTS, bars
from harness.page import BEGIN, END, render, replace_results, shown_results
from harness.results import Results, Row

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
ABOUT = {
    "processors": "2 × some",
    "system": "Linux",
    "load": "0.1",
    "command": "python benchmarks/compare.py",
    "commit": "abc",
    "server": "valkey-9 9.1",
    "seed": 1,
    "rounds": 3,
}


def some_results() -> Results:
    peers = {
        name: {"promise": "p", "classes": ["safe"], "versions": {"python": "3.13"}, "worker": "run"}
        for name in ("qtasks", "saq")
    }
    rows = [
        Row("one", number, peer, "drain", {"drain_per_s": rate})
        for peer, rates in {"qtasks": (3.0, 1.0, 2.0), "saq": (9.0,)}.items()
        for number, rate in enumerate(rates)
    ]
    return Results({"one": ABOUT}, peers, rows)


def test_the_page_shows_the_results_that_it_names() -> None:
    shown, source, charts = shown_results(PAGE)

    if source is None:
        assert not shown, "the page shows figures that come from no results"
        return
    results = Results.load(PAGE.parent / source)
    assert shown == render(Path(source), results, charts)


def test_results_replace_what_stood_between_the_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n\n{BEGIN}\n\nold\n\n{END}\n\nafter\n")
    charts = {"safe": "found-safe.svg"}

    replace_results(page, Path("results/found.json"), some_results(), charts)

    shown, source, pictures = shown_results(page)
    assert source == "results/found.json"
    assert pictures == charts
    assert "| qtasks | p | 2 (1–3) |" in shown
    assert page.read_text().startswith("before\n")
    assert page.read_text().endswith("\nafter\n")


def test_a_page_without_markers_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("text\n")

    with pytest.raises(ValueError, match="put them where results belong"):
        replace_results(page, Path("found.json"), some_results(), {})

    assert page.read_text() == "text\n"


def test_bars_have_the_best_first_and_reach_to_the_extremes() -> None:
    found = bars(some_results(), CHARTS[0], ["qtasks", "saq", "arq"])

    assert found == (["saq", "qtasks"], [9.0, 2.0], ([0.0, 1.0], [0.0, 1.0]))


def test_a_figure_that_nobody_has_is_not_drawn() -> None:
    assert bars(some_results(), CHARTS[1], ["qtasks"]) is None


def test_every_class_has_a_title() -> None:
    assert len(set(CLASSES.values())) == len(CLASSES)
