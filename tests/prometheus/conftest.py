"""A real Prometheus; these tests run where ``nox -s prometheus`` has found one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = os.environ.get("QTASKS_TEST_PROMETHEUS", "")
collect_ignore_glob = [] if Path(FOLDER, "promtool").is_file() else ["test_*.py"]


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder of prometheus and promtool."""
    return Path(FOLDER)


@pytest.fixture(scope="session")
def promtool(programs: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs promtool."""

    def run(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(programs / "promtool"), *arguments],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run
