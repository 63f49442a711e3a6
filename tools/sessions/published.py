"""What has been published, as far as this clone knows: versions and tags."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from packaging.version import Version

from sessions.tree import ROOT

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["git", "tag_exists", "tag_of", "tree_version", "version_file"]


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


def version_file(package: Path) -> Path:
    """Returns the file that says which version a package has."""
    (path,) = package.glob("src/*/_version.py")
    return path


def tree_version(package: Path) -> Version:
    """Returns the version that a package has in the tree."""
    (version,) = re.findall(r'__version__ = "(.+)"', version_file(package).read_text("utf-8"))
    return Version(version)


def tag_of(package: str, version: Version) -> str:
    """Returns the tag of a release, such as ``qtasks-core-v1.2.0``."""
    return f"{package}-v{version}"


def tag_exists(tag: str, folder: Path = ROOT) -> bool:
    """Tells whether there is a tag."""
    return bool(git("tag", "--list", tag, folder=folder).strip())
