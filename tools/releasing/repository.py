"""What a clone knows of releases: the versions in its tree, and tags."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from packaging.version import Version

__all__ = [
    "PARTS",
    "ROOT",
    "git",
    "packages",
    "tag_exists",
    "tag_of",
    "tree_version",
    "version_file",
]

ROOT = Path(__file__).parents[2]
#: How many numbers the version of a release has.
PARTS = 3


def git(*arguments: str | Path, folder: Path = ROOT) -> bytes:
    """Returns what a command of git prints.

    Args:
        *arguments: the command.
        folder: in which repository.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    command = ["git", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout


def packages(root: Path) -> dict[str, Path]:
    """Returns the folder of every package by its name."""
    found = sorted(root.glob("packages/*/pyproject.toml"))
    return {path.parent.name: path.parent for path in found}


def version_file(package: Path) -> Path:
    """Returns the file that says which version a package has."""
    (path,) = package.glob("src/*/_version.py")
    return path


def tree_version(package: Path) -> Version:
    """Returns the version that a package has in the tree."""
    (version,) = re.findall(
        r'^__version__ = "(.+)"$', version_file(package).read_text("utf-8"), re.MULTILINE
    )
    return Version(version)


def tag_of(package: str, version: Version) -> str:
    """Returns the tag of a release, such as ``qtasks-core-v1.2.0``.

    A version may be written shorter, as in the bound ``>=1.2``; releases have three numbers.
    """
    numbers = version.base_version
    missing = ".0" * (PARTS - len(version.release))
    return f"{package}-v{numbers}{missing}{str(version).removeprefix(numbers)}"


def tag_exists(tag: str, root: Path = ROOT) -> bool:
    """Tells whether there is a tag."""
    return bool(git("tag", "--list", tag, folder=root).strip())
