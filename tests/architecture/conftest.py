"""What the tests of the architecture look at: packages, source files and modules with public names.

A test that has a parameter of one of these names runs once for each of them.
Source files are those of the tree; modules are those that are installed.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = [path.parent for path in sorted(ROOT.glob("packages/*/pyproject.toml"))]
IMPORT_PACKAGES = [
    path.parent for package in PACKAGES for path in package.glob("src/*/__init__.py")
]


def public_modules() -> list[str]:
    """Returns the name of every module that has public names and no underscore in its path."""
    names = []
    for package in IMPORT_PACKAGES:
        module = import_module(package.name)
        names.append(module.__name__)
        found = pkgutil.walk_packages(module.__path__, f"{module.__name__}.", onerror=fail)
        names += [info.name for info in found if "._" not in info.name]
    return sorted(name for name in names if hasattr(import_module(name), "__all__"))


def fail(name: str) -> None:
    """Stops the walk at a package that cannot be imported."""
    msg = f"cannot import {name}"
    raise ImportError(msg)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "package" in metafunc.fixturenames:
        metafunc.parametrize("package", PACKAGES, ids=[path.name for path in PACKAGES])
    if "public_module" in metafunc.fixturenames:
        metafunc.parametrize("public_module", public_modules())


@pytest.fixture
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture
def source_files() -> list[Path]:
    """Every Python file of every package, relative to the root."""
    files = [path for package in PACKAGES for path in package.glob("src/**/*.py")]
    return sorted(path.relative_to(ROOT) for path in files)
