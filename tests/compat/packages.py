"""The packages that may stand beside core, and which of them are to be there."""

from __future__ import annotations

import os
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import msgspec

__all__ = ["Package", "expected_packages", "known_packages"]

ROOT = Path(__file__).parents[2]
#: Names of the packages that are installed beside core, separated by spaces: these and no others.
#: Without it whatever is installed is tested.
EXPECTED = "QTASKS_TEST_PACKAGES"


class Package(msgspec.Struct, frozen=True):
    """A package beside core, as its folder describes it.

    Attributes:
        name: the name of its distribution.
        import_name: the name of its import package.
        plugins: the names of the plugins that it brings.
    """

    name: str
    import_name: str
    plugins: tuple[str, ...]

    @property
    def installed(self) -> bool:
        """Whether it is installed here."""
        try:
            distribution(self.name)
        except PackageNotFoundError:
            return False
        return True


def known_packages() -> dict[str, Package]:
    """Returns every package of this repository beside core by its name, the example included."""
    found = {}
    for pattern in ("packages/*/pyproject.toml", "examples/*/pyproject.toml"):
        for path in sorted(ROOT.glob(pattern)):
            project = tomllib.loads(path.read_text("utf-8"))["project"]
            if project["name"] != "qtasks-core":
                found[project["name"]] = Package(
                    project["name"],
                    next(path.parent.glob("src/*/__init__.py")).parent.name,
                    tuple(project.get("entry-points", {}).get("qtasks", ())),
                )
    return found


def expected_packages() -> list[Package]:
    """Returns the packages that have to be installed.

    Raises:
        KeyError: one is named that does not exist.
    """
    known = known_packages()
    if EXPECTED in os.environ:
        return [known[name] for name in os.environ[EXPECTED].split()]
    return [package for package in known.values() if package.installed]
