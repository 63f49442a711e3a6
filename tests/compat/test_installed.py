"""What is installed beside core is found, and what is not is not missed."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from compat.packages import expected_packages, known_packages
from qtasks import QueueTasks
from qtasks.exc import RegistrationError

EXPECTED = expected_packages()
ABSENT = [package for package in known_packages().values() if package not in EXPECTED]
PLUGINS = sorted(name for package in EXPECTED for name in package.plugins)

#: Keywords of tasks, and the package that each of them needs.
KEYWORDS = [("qtasks-plugin-retry", "retry", 5)]


def test_exactly_the_expected_packages_are_installed() -> None:
    assert [package.name for package in EXPECTED if not package.installed] == []
    assert [package.name for package in ABSENT if package.installed] == []
    assert [p.name for p in ABSENT if importlib.util.find_spec(p.import_name)] == []


def test_an_app_has_their_plugins_and_no_others() -> None:
    app = QueueTasks(broker_url="memory://", strict_plugins=True)

    assert sorted(app.plugins) == PLUGINS


def test_the_commands_find_them_and_are_content(tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        command = [str(Path(sys.executable).with_name("qtasks")), *arguments]
        return subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, "PYTHONWARNINGS": "error"},
            capture_output=True,
            check=True,
            text=True,
            timeout=120,
        ).stdout

    listed = json.loads(run("plugins", "list", "--json"))
    run("plugins", "doctor")

    assert sorted(report["name"] for report in listed) == PLUGINS
    assert {report["state"] for report in listed} <= {"active"}


@pytest.mark.parametrize(("name", "keyword", "value"), KEYWORDS)
def test_a_keyword_is_known_or_refused_with_the_package_that_has_it(
    name: str, keyword: str, value: Any
) -> None:
    app = QueueTasks(broker_url="memory://")
    extra: dict[str, Any] = {keyword: value}
    refused = pytest.raises(RegistrationError, match=f"pip install {name}")

    with refused if name in {package.name for package in ABSENT} else nullcontext():
        app.task(name="x", **extra)(len)

    assert ("x" in app.tasks) is (name in {package.name for package in EXPECTED})
