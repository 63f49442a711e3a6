"""Packages beside core, and the example of a third party's, use published names alone.

import-linter watches the imports that run; here those for hints are read as well, and the names.
"""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

from public_names import allowed, is_public

ROOT = Path(__file__).parents[2]
PACKAGES = [path.parent for path in sorted(ROOT.glob("packages/*/pyproject.toml"))]
BESIDE_CORE = [path for path in PACKAGES if path.name != "qtasks-core"]
EXAMPLES = [path.parent for path in sorted(ROOT.glob("examples/*/pyproject.toml"))]


def unpublished(source: str) -> list[str]:
    """Returns what a source imports from core and should not."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
            found += [name for name in imported if of_core(name) and not is_public(name)]
        elif isinstance(node, ast.ImportFrom) and of_core(node.module or ""):
            module = str(node.module)
            found += [f"{module}.{a.name}" for a in node.names if not published(module, a.name)]
    return found


def of_core(module: str) -> bool:
    """Tells whether a module is one of core."""
    return module.partition(".")[0] == "qtasks"


def published(module: str, name: str) -> bool:
    """Tells whether a module is public and publishes a name, or a public module of this name."""
    if not is_public(module):
        return False
    if name in import_module(module).__all__:
        return True
    try:
        import_module(f"{module}.{name}")
    except ImportError:
        return False
    return is_public(f"{module}.{name}")


@pytest.mark.parametrize("folder", [*BESIDE_CORE, *EXAMPLES], ids=lambda path: path.name)
def test_only_published_names_are_imported(folder: Path) -> None:
    files = sorted((folder / "src").rglob("*.py"))

    wrong = {path.name: unpublished(path.read_text("utf-8")) for path in files}

    assert files
    assert {name: found for name, found in wrong.items() if found} == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import qtasks.plugins\nfrom qtasks.plugins import Plugin\nimport json", []),
        ("from qtasks import exc, QueueTasks", []),
        ("import qtasks._core", ["qtasks._core"]),
        ("from qtasks.app.base import X", ["qtasks.app.base.X"]),
        ("from qtasks.contracts.plugin import Plugin", ["qtasks.contracts.plugin.Plugin"]),
        ("from qtasks import _core", ["qtasks._core"]),
        ("from qtasks import app", ["qtasks.app"]),
        ("from qtasks.plugins import lazy", ["qtasks.plugins.lazy"]),
        (
            "if TYPE_CHECKING:\n    from qtasks._worker.worker import Worker",
            ["qtasks._worker.worker.Worker"],
        ),
    ],
)
def test_what_is_not_published_is_found(source: str, found: list[str]) -> None:
    assert unpublished(source) == found


@pytest.mark.parametrize(
    ("imported", "fine"),
    [
        ("qtasks", True),
        ("qtasks.schemas.message", True),
        ("qtasks._runtime.loops", False),
        ("qtasks.app", False),
        ("qtasks.testing", True),
        ("mine.plugin", True),
        ("json", True),
        ("other", False),
        ("other.plugin", False),
    ],
)
def test_a_package_imports_what_is_public_and_no_other_package(imported: str, fine: bool) -> None:
    assert allowed("mine", imported, {"qtasks", "mine", "other"}) is fine
