"""Every package is complete, and known to every tool that lists packages."""

from __future__ import annotations

import tomllib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def import_name(package: Path) -> str:
    """Returns the name under which a package is imported."""
    return next(package.glob("src/*/__init__.py")).parent.name


def load(path: Path) -> dict[str, Any]:
    """Reads a TOML file."""
    return tomllib.loads(path.read_text("utf-8"))


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "LICENSE", "changes", "tests"])
def test_a_package_has(package: Path, name: str) -> None:
    assert (package / name).exists()


def test_a_package_has_one_import_package_with_types_and_version(package: Path) -> None:
    (init,) = package.glob("src/*/__init__.py")

    assert (init.parent / "py.typed").exists()
    assert (init.parent / "_version.py").exists()


def test_the_licence_is_that_of_the_repository(package: Path, root: Path) -> None:
    assert (package / "LICENSE").read_bytes() == (root / "LICENSE").read_bytes()


def test_the_installed_version_is_that_of_the_tree(package: Path) -> None:
    namespace: dict[str, str] = {}
    exec((package / "src" / import_name(package) / "_version.py").read_text("utf-8"), namespace)

    assert version(package.name) == namespace["__version__"]


def test_the_changelog_has_a_place_for_the_next_change(package: Path) -> None:
    assert "\n## [Unreleased]\n" in (package / "CHANGELOG.md").read_text("utf-8")


def test_the_import_rules_hold_for_the_package(package: Path, root: Path) -> None:
    rules = load(root / "pyproject.toml")["tool"]["importlinter"]

    assert import_name(package) in rules["root_packages"], "add it to root_packages"


def test_no_other_tool_has_a_list_of_packages(package: Path, root: Path) -> None:
    settings = load(root / "pyproject.toml")
    names = {package.name, import_name(package)} - {"qtasks-core", "qtasks"}

    others = str([settings["project"], settings["tool"]["uv"], settings["tool"]["coverage"]])

    assert [name for name in names if name in others] == []


def test_a_contract_holds_for_whatever_stands_beside_core(root: Path) -> None:
    contracts = load(root / "pyproject.toml")["tool"]["importlinter"]["contracts"]

    assert [one["type"] for one in contracts if one["name"].startswith("Packages beside core")] == [
        "public_names"
    ]


def test_the_index_of_changelogs_links_to_the_package(package: Path, root: Path) -> None:
    link = f"({package.relative_to(root).as_posix()}/CHANGELOG.md)"

    assert link in (root / "CHANGELOG.md").read_text("utf-8")
