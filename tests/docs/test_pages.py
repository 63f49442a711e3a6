"""Every code block of the documentation runs, and every link inside the repository leads somewhere.

The rules for blocks are in `run_page.py`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import RunPage

ROOT = Path(__file__).parents[2]
PATTERNS = ["*.md", "packages/*/*.md", "docs/**/*.md", "examples/**/*.md", "benchmarks/**/*.md"]
PAGES = sorted(page for pattern in PATTERNS for page in ROOT.glob(pattern))
#: Pages about a plugin that is not installed here: the session third_party runs them.
ELSEWHERE = {page for page in PAGES if page.parent.match("examples/plugin-*")}


def each(pages: list[Path]) -> pytest.MarkDecorator:
    """Runs a test once for each of these pages."""
    return pytest.mark.parametrize(
        "page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in pages]
    )


@each([page for page in PAGES if page not in ELSEWHERE])
def test_every_block_runs(page: Path, run_page: RunPage) -> None:
    done = run_page(page)

    assert done.returncode == 0, done.stdout


@each(PAGES)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))

    missing = [link for link in links if not (page.parent / link).exists()]

    assert not missing, f"{page.relative_to(ROOT)} links to missing files: {missing}"


def test_the_index_leads_to_every_page() -> None:
    index = ROOT / "docs" / "index.md"
    links = set(re.findall(r"\]\(([\w./-]+\.md)", index.read_text(encoding="utf-8")))

    pages = {str(page.relative_to(index.parent)) for page in index.parent.rglob("*.md")}
    assert pages - links == {index.name}


def test_the_pages_that_must_exist_are_among_them() -> None:
    names = {str(page.relative_to(ROOT)) for page in PAGES}

    assert names >= {
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "packages/qtasks-core/README.md",
    }
