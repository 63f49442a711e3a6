"""The page about compatibility shows what was found, and nothing is forgotten in it."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from servers.programs import SOURCES

from compatibility_page import BEGIN, END, GROUPS, PAGE, RESULTS, is_settled, render, tables

if TYPE_CHECKING:
    from pathlib import Path

TABLE: dict[str, Any] = {
    "date": "2027-01-02",
    "command": "nox -s matrix -- servers",
    "machine": "a machine",
    "columns": ["3.12", "3.13"],
    "rows": {"redis-6.2": {"3.13": "not available", "3.12": "passed"}, "valkey-9": {}},
}


def test_the_page_shows_the_results() -> None:
    page = PAGE.read_text("utf-8")

    assert page == render(page, json.loads(RESULTS.read_text("utf-8")))


def test_a_table_has_a_row_for_each_and_says_what_made_it() -> None:
    text = tables({"servers": TABLE})

    assert "| server | 3.12 | 3.13 |\n|---|---|---|\n" in text
    assert "| redis-6.2 | passed | not available |\n| valkey-9 | not run | not run |\n" in text
    assert "Made on 2027-01-02 by `nox -s matrix -- servers`, on a machine." in text


def test_what_was_not_run_is_told() -> None:
    text = tables({"servers": TABLE})

    assert "Not run yet; `nox -s matrix -- packages` does." in text
    assert "matrix -- servers` does" not in text


def test_new_tables_take_the_place_of_the_old_ones() -> None:
    page = f"before\n{BEGIN}stale\n{END}after\n"

    text = render(page, {"servers": TABLE})

    assert text.startswith(f"before\n{BEGIN}\n### Packages on every Python\n")
    assert "\n### Servers\n" in text
    assert text.endswith(f"\n{END}after\n")
    assert "stale" not in text


@pytest.mark.parametrize(
    ("row", "column", "settled"),
    [
        ("core", "3.11", True),
        ("core", "3.12", False),
        ("core", "3.13", False),
        ("core", "3.14", True),
        ("new", "3.11", False),
        ("", "3.11", False),
        ("", "3.14", True),
    ],
)
def test_what_has_not_passed_can_be_run_again_alone(row: str, column: str, settled: bool) -> None:
    rows = {
        "core": {"3.11": "passed", "3.12": "failed", "3.14": "not available"},
        "kafka": {"3.11": "failed", "3.14": "not available"},
    }

    assert is_settled(rows, row, column) is settled
    assert not is_settled({}, row, column)


@pytest.mark.parametrize("page", ["", BEGIN, END])
def test_a_page_without_a_place_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="has no place for the tables"):
        render(page, {})


def test_every_part_is_explained() -> None:
    page = PAGE.read_text("utf-8")

    assert [name for name in GROUPS if f"| `{name}` |" not in page] == []


def test_every_server_of_the_tests_has_a_session(root: Path) -> None:
    source = (root / "tools" / "sessions" / "versions.py").read_text("utf-8")

    assert f"SERVERS = {tuple(SOURCES)!r}".replace("'", '"') in source


def test_every_package_has_a_probe(package: Path, root: Path) -> None:
    project = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))["project"]
    name = next(package.glob("src/*/__init__.py")).parent.name

    has_probe = (root / "tests" / "compat" / "probes" / f"{name}.py").exists()

    assert has_probe is (project["name"] != "qtasks-core")
