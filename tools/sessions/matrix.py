"""The session that runs all that is about compatibility, and writes the page about it."""

from __future__ import annotations

import json
import platform
import shutil
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import nox

from compatibility_page import GROUPS, RESULTS, is_settled, main, tables
from sessions.compatibility import package_sets
from sessions.pythons import FOUND, MAIN, NOT_FOUND, OLDEST
from sessions.results import FOLDER, read_results
from sessions.tree import ANY, BESIDE_CORE, EXAMPLE, PACKAGES
from sessions.versions import SERVERS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["matrix"]

#: What is written for the end of a session.
WORDS = {"success": "passed", "failed": "failed", "aborted": "failed"}
#: What is written if a session was skipped, by group.
SKIPPED = {"cores": "no release yet: it is the tree", "servers": "not available"}
ABSENT = "not available"
#: Has only that run which has not passed before; the rest of a table stays.
FAILED = "--failed"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table, and the session that fills it."""

    row: str
    column: str
    session: str


def cells(group: str) -> list[Cell]:
    """Returns the cells of a table; of sets there is one for each Python, which fills a column."""
    names = [package.name for package in PACKAGES]
    others = [package.name for package in BESIDE_CORE]
    found = {
        "packages": [(name, on, f"package-{on}({name})") for on in FOUND for name in names],
        "sets": [("", on, f"compat-{on}") for on in FOUND],
        "cores": [
            (name, core, f"core_versions({name}, {core})")
            for name in others
            for core in ("oldest", "tree")
        ],
        "lowest": [(name, OLDEST, f"minimums({name})") for name in (*names, EXAMPLE.name)],
        "servers": [(name, MAIN, f"server({name})") for name in SERVERS],
    }
    return [Cell(*one) for one in found[group]]


@nox.session(python=False, default=False)
def matrix(session: nox.Session) -> None:
    """Run all that is about compatibility, and write docs/compatibility.md.

    ``-- packages servers`` runs these parts, ``-- --failed`` what has not passed yet.
    """
    names = [name for name in session.posargs if name != FAILED]
    if unknown := [name for name in names if name not in GROUPS]:
        session.error(f"no part is called {', '.join(unknown)}: there are {', '.join(GROUPS)}")
    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    for group in names or GROUPS:
        kept = rows_to_keep(results, group) if FAILED in session.posargs else {}
        # Written after each column, so that a run which is ended keeps what it has found.
        for table in run_group(session, group, kept):
            results[group] = table
            RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
            main()
    session.log("%s", tables(results))
    rows = [row for group in results.values() for row in group["rows"].values()]
    if any("failed" in row.values() for row in rows):
        session.error("something failed: see the tables")


def rows_to_keep(results: dict[str, Any], group: str) -> dict[str, dict[str, str]]:
    """Returns the rows of an earlier run; none if other sets are tried by now."""
    rows: dict[str, dict[str, str]] = results.get(group, {}).get("rows", {})
    return {} if group == "sets" and rows.keys() != package_sets().keys() else rows


def run_group(
    session: nox.Session, group: str, kept: dict[str, dict[str, str]]
) -> Iterator[dict[str, Any]]:
    """Runs the sessions of a table, and yields the table whenever a column is done.

    Args:
        session: the session.
        group: the table.
        kept: rows of an earlier run; what has passed in them is not run again.
    """
    wanted = cells(group)
    columns = list(dict.fromkeys(cell.column for cell in wanted))
    left = [cell for cell in wanted if not is_settled(kept, cell.row, cell.column)]
    absent = NOT_FOUND if group in {"packages", "sets"} else []
    machine = f"{platform.system()} {platform.machine()}, Python {', '.join(FOUND.values())}"
    rows: dict[str, dict[str, str]] = {cell.row: {} for cell in wanted if cell.row}
    rows |= {row: dict(told) for row, told in kept.items() if row in rows or not wanted[0].row}
    for column in dict.fromkeys(cell.column for cell in left):
        for cell, text in run_column(session, group, [one for one in left if one.column == column]):
            rows.setdefault(cell, {})[column] = text
        yield {
            "date": datetime.now(UTC).date().isoformat(),
            "command": f"nox -s matrix -- {group}{f' {FAILED}' if kept else ''}",
            "machine": machine,
            "columns": columns + absent,
            "rows": {row: told | dict.fromkeys(absent, ABSENT) for row, told in rows.items()},
        }


def run_column(session: nox.Session, group: str, wanted: list[Cell]) -> Iterator[tuple[str, str]]:
    """Runs the sessions of a column, and yields its rows and what stands in them."""
    ended = run_sessions(session, [cell.session for cell in wanted])
    for cell in wanted:
        end = ended.get(cell.session, "failed")
        word = SKIPPED.get(group, "failed") if end == "skipped" else WORDS[end]
        told = read_results(cell.session) if group == "sets" else {cell.row: word}
        yield from told.items()


def run_sessions(session: nox.Session, names: list[str]) -> dict[str, str]:
    """Runs sessions, all of them also if one fails, and returns how each has ended."""
    shutil.rmtree(FOLDER, ignore_errors=True)  # what earlier runs have left
    FOLDER.mkdir(parents=True)
    report = FOLDER / "report.json"
    command = (sys.executable, "-m", "nox", f"--report={report}", "-s", *names)
    session.run(*command, external=True, success_codes=ANY)
    told = json.loads(report.read_text("utf-8"))["sessions"]
    return {name: one["result"] for one in told for name in one["signatures"]}
