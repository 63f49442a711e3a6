"""What lies in this repository: packages, their requirements, their wheels."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import nox

__all__ = [
    "ANY",
    "BESIDE_CORE",
    "CACHE",
    "CORE",
    "DIST",
    "EXAMPLE",
    "EXAMPLE_DIST",
    "NAMED",
    "PACKAGES",
    "ROOT",
    "SIDE_BY_SIDE",
    "SUPPORTED",
    "all_extras",
    "editable",
    "group",
    "import_name",
    "install_wheels",
    "project_of",
    "scratch",
    "wheels",
]

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
#: What sessions leave for each other.
CACHE = ROOT / ".nox" / ".cache"
PACKAGES = [path.parent for path in sorted(ROOT.glob("packages/*/pyproject.toml"))]
CORE = ROOT / "packages" / "qtasks-core"
BESIDE_CORE = [package for package in PACKAGES if package != CORE]
#: A plugin as a third party would write it; it is built and tested, and never published.
EXAMPLE = ROOT / "examples" / "plugin-audit"
EXAMPLE_DIST = CACHE / "example"
#: The folders of all of them by their names, which are what sessions are given: nox writes the
#: arguments of sessions into its reports, and can write no paths.
NAMED = {path.name: path for path in (*PACKAGES, EXAMPLE)}
#: How many processes share the tests; one more than there are processors, because they also wait.
SIDE_BY_SIDE = (os.cpu_count() or 1) + 1
#: What a command may return that is allowed to fail.
ANY = range(256)


def project_of(package: Path) -> dict[str, Any]:
    """Returns the table ``[project]`` of a package."""
    table: dict[str, Any] = nox.project.load_toml(package / "pyproject.toml")["project"]
    return table


SUPPORTED = nox.project.python_versions(nox.project.load_toml(CORE / "pyproject.toml"))


def group(name: str, folder: Path = ROOT) -> tuple[str, ...]:
    """Returns the requirements of a dependency group; of the workspace, unless another is given."""
    toml = nox.project.load_toml(folder / "pyproject.toml")
    return tuple(nox.project.dependency_groups(toml, name))


def all_extras(package: Path) -> str:
    """Returns all extras of a package as a suffix for its requirement, such as ``[a,b]``."""
    names = ",".join(project_of(package).get("optional-dependencies", {}))
    return f"[{names}]" if names else ""


def import_name(package: Path) -> str:
    """Returns the name under which a package is imported."""
    return next(package.glob("src/*/__init__.py")).parent.name


def editable() -> list[str]:
    """Returns the arguments that install every package from the tree."""
    return [arg for package in PACKAGES for arg in ("-e", f"{package}{all_extras(package)}")]


def wheels() -> dict[Path, Path]:
    """Returns the built wheel of every package."""
    return {
        package: next(DIST.glob(f"{package.name.replace('-', '_')}-*.whl")) for package in PACKAGES
    }


def install_wheels(session: nox.Session, *packages: Path) -> None:
    """Installs the built wheels with all extras, and what tests need.

    Args:
        session: the session.
        *packages: whose wheels; all if none is named.
    """
    built = {package: wheel for package, wheel in wheels().items() if package in packages}
    built = built or wheels()
    session.install(
        *(f"{wheel}{all_extras(package)}" for package, wheel in built.items()), *group("test")
    )
    # In a reused environment a wheel of the same version would count as installed.
    session.install("--force-reinstall", "--no-deps", *map(str, built.values()))


def scratch(session: nox.Session, name: str) -> Path:
    """Returns a folder of a session, which is emptied.

    That of nox would also become the place of all temporary files, and its path is too long for
    the sockets of tests.
    """
    folder = CACHE / "scratch" / re.sub(r"\W+", "-", session.name).strip("-") / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
