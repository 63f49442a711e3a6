"""Writes the tables of docs/compatibility.md from what ``nox -s matrix`` has found.

The results are in compatibility.json beside this file, each with the day and the command that
made it; so a part can be run again without the rest. After a change by hand::

    python tools/compatibility_page.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

__all__ = ["PAGE", "RESULTS", "is_settled", "render", "tables"]

HERE = Path(__file__).parent
RESULTS: Final = HERE / "compatibility.json"
PAGE: Final = HERE.parent / "docs" / "compatibility.md"
BEGIN: Final = "<!-- The tables are written by nox -s matrix. -->\n"
END: Final = "<!-- Here they end. -->\n"

#: The tables in their order: what each is called, what is said of it, and its first column.
GROUPS: Final = {
    "packages": (
        "Packages on every Python",
        "All tests of a package, from its wheel, with core and none of the others beside it.",
        "package",
    ),
    "sets": (
        "Packages together",
        "One app with exactly these packages beside core, which tries what each of them brings.",
        "beside core",
    ),
    "cores": (
        "Packages with older cores",
        "All tests of a package with the oldest core that it claims, and with that of the tree.",
        "package",
    ),
    "lowest": (
        "The lowest versions of what is required",
        "All tests of a package with the lowest versions that it declares.",
        "package",
    ),
    "servers": (
        "Servers",
        "All tests that need a Redis or Valkey server, with one release of it.",
        "server",
    ),
}


def is_settled(rows: dict[str, dict[str, str]], row: str, column: str) -> bool:
    """Returns whether a cell needs no other run: it has passed, or there was nothing to run.

    Args:
        rows: the cells of each row by column.
        row: the row; empty for all that have this column.
        column: the column.
    """
    told = [cells.get(column) for name, cells in rows.items() if row in {"", name}]
    return bool(told) and not any(one in {None, "failed"} for one in told)


def tables(results: dict[str, Any]) -> str:
    """Returns the tables; of what was not run, that it was not.

    Args:
        results: for each group its ``date``, its ``command``, where it ran (``machine``), its
            ``columns``, and in ``rows`` the cells of each row by column.
    """
    return "\n".join(_section(key, results.get(key)) for key in GROUPS)


def _section(key: str, group: dict[str, Any] | None) -> str:
    title, text, first = GROUPS[key]
    lines = [f"### {title}", "", text, ""]
    if group is None:
        return "\n".join([*lines, f"Not run yet; `nox -s matrix -- {key}` does.", ""])
    columns: list[str] = group["columns"]
    lines.append(f"| {' | '.join([first, *columns])} |")
    lines.append("|---" * (len(columns) + 1) + "|")
    for row, cells in group["rows"].items():
        lines.append(f"| {' | '.join([row, *(cells.get(one, 'not run') for one in columns)])} |")
    made = f"Made on {group['date']} by `{group['command']}`, on {group['machine']}."
    return "\n".join([*lines, "", made, ""])


def render(page: str, results: dict[str, Any]) -> str:
    """Returns the page with new tables.

    Args:
        page: the page as it is.
        results: what :func:`tables` takes.

    Raises:
        ValueError: the page has no place for them.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        msg = f"{PAGE.name} has no place for the tables: write {BEGIN.strip()} and {END.strip()}"
        raise ValueError(msg)
    return f"{head}{begin}\n{tables(results)}\n{end}{tail}"


def main() -> None:
    """Writes the page."""
    results = json.loads(RESULTS.read_text("utf-8"))
    PAGE.write_text(render(PAGE.read_text("utf-8"), results), encoding="utf-8")


if __name__ == "__main__":
    main()
