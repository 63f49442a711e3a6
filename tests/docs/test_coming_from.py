"""The page for those who come from QTasks 1.7 is complete, and true."""

from __future__ import annotations

import re
import runpy
from importlib import import_module
from pathlib import Path

import pytest

from qtasks.contracts.triggers import CATALOGUE

ROOT = Path(__file__).parents[2]
TOOL = runpy.run_path(str(ROOT / "tools" / "coming_from_page.py"))
PAGE = TOOL["PAGE"].read_text(encoding="utf-8")

FATES = {"kept", "changed", "gone"}


def rows(section: str) -> list[list[str]]:
    """Returns the rows of the tables in a section, without their headers."""
    text = re.split(r"\n## ", PAGE.split(f"\n## {section}\n")[1])[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if "`" in row[0]]


def code(cell: str) -> list[str]:
    """Returns what stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def imports(fate: str | None = None) -> set[tuple[str, str]]:
    """Returns each module with each of its names, as the page has them."""
    return {
        (module, name)
        for modules, names, state, *_ in rows("Imports")
        for module in code(modules)
        for name in code(names)
        if fate in (None, state)
    }


def can_import(module: str, name: str) -> bool:
    """Tells whether there is such a name."""
    try:
        return hasattr(import_module(module), name)
    except ModuleNotFoundError:
        return False


def test_the_tables_are_made_from_what_is_declared_now() -> None:
    assert TOOL["render"](PAGE) == PAGE, "run: python tools/coming_from_page.py"


def test_a_page_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no table between '<!-- triggers: made by"):
        TOOL["render"]("# Coming\n")


def test_every_old_import_is_on_the_page_and_no_other() -> None:
    assert imports() == TOOL["imports"]()


@pytest.mark.parametrize(("module", "name"), sorted(imports("kept")))
def test_what_is_kept_can_be_imported(module: str, name: str) -> None:
    assert can_import(module, name)


def test_what_is_gone_or_elsewhere_cannot_be_imported_where_it_was() -> None:
    there = [pair for pair in imports() - imports("kept") if can_import(*pair)]

    assert not there, "these are kept, so say so"


def test_every_import_that_the_page_advises_works() -> None:
    advised = re.findall(r"`from ([\w.]+) import ([\w, ]+)`", PAGE)

    missing = [
        (module, name)
        for module, names in advised
        for name in names.split(", ")
        if not can_import(module, name)
    ]
    assert len(advised) > 30
    assert not missing


@pytest.mark.parametrize("section", ["The app", "Tasks", "Imports", "Triggers", "Command line"])
def test_every_row_says_what_became_of_it(section: str) -> None:
    found = {row[2 if section == "Imports" else 1] for row in rows(section)}

    assert found
    assert found <= FATES


def test_whatever_is_not_kept_says_what_to_write() -> None:
    silent = [row for row in rows("Imports") if row[2] != "kept" and not row[3:]]

    assert not silent


def test_all_triggers_are_on_the_page_and_in_the_catalogue() -> None:
    names = TOOL["triggers"]()

    assert len(set(names)) == 56
    assert set(names) <= CATALOGUE.keys()
    assert [code(row[0])[0] for row in rows("Triggers")] == names


def test_every_old_setting_is_on_the_page() -> None:
    assert [code(row[0])[0] for row in rows("Settings")] == list(TOOL["FIELDS"])


def test_every_other_old_word_is_on_the_page() -> None:
    prose = re.sub(r"^ *```.*?^ *```$", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    text = " ".join(code(prose))

    assert not [
        word
        for word in TOOL["words"]()
        if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)
    ]
