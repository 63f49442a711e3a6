"""CI runs what README.md tells everybody to run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from servers.programs import SOURCES

if TYPE_CHECKING:
    from pathlib import Path


def test_ci_ends_with_the_test_command_of_the_readme(root: Path) -> None:
    *_, command = (root / ".ci" / "run").read_text("utf-8").splitlines()

    assert f"\n$ {command}\n" in (root / "README.md").read_text("utf-8")


def test_ci_knows_the_pythons_that_the_core_supports(root: Path) -> None:
    project = (root / "packages" / "qtasks-core" / "pyproject.toml").read_text("utf-8")
    supported = re.findall(r"Python :: (3\.\d+)\"", project)

    assert f"for minor in {' '.join(supported)}; do" in (root / ".ci" / "run").read_text("utf-8")


def test_ci_requires_every_server_that_tests_know(root: Path) -> None:
    required = " ".join(SOURCES)

    assert f'QTASKS_TEST_REDIS_SERVERS="{required}"' in (root / ".ci" / "run").read_text("utf-8")
