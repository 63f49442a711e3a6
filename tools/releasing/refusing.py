"""Why a package cannot be released as a version."""

from __future__ import annotations

import difflib
import tomllib
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

from releasing.changelog import entries_of, unreleased
from releasing.deprecations import find_deprecations
from releasing.fragments import faults, find_fragments
from releasing.repository import PARTS, git, packages, tag_exists, tag_of, tree_version

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["refusals"]

#: How many files that are not committed are named.
SHOWN = 5


def refusals(root: Path, name: str, text: str) -> list[str]:
    """Returns every reason why a package cannot be released; nothing if it can.

    Args:
        root: the repository.
        name: the package.
        text: the version.
    """
    known = packages(root)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
        return [f"there is no package {name!r}: {hint}"]
    try:
        version = Version(text)
    except InvalidVersion:
        return [f"{text!r} is no version: write three numbers, such as 1.2.0 or 1.2.0rc1"]
    return [
        *_wrong_versions(root, known[name], version, text),
        *_wrong_requirements(known[name], version),
        *_wrong_changes(known[name]),
        *_due(known[name], version),
        *_dirty(root),
    ]


def _wrong_versions(root: Path, package: Path, version: Version, text: str) -> Iterator[str]:
    if str(version) != text or len(version.release) != PARTS or version.epoch:
        yield f"{text!r} is not written as it should be: three numbers, such as 1.2.0 or 1.2.0rc1"
    if version.is_devrelease or version.local or version.is_postrelease:
        yield f"{text} is not for releases: use a final version, an alpha, a beta or a candidate"
    now = tree_version(package)
    if version <= now:
        yield f"{text} is not newer than {now}, which is in the tree"
    if tag_exists(tag_of(package.name, version), root):
        yield f"{text} has been released: the tag {tag_of(package.name, version)} exists"


def _wrong_requirements(package: Path, version: Version) -> Iterator[str]:
    """A final release that asks for a pre-release of core would have pip install one."""
    project = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))["project"]
    for requirement in map(Requirement, project["dependencies"]):
        if (
            requirement.name.startswith("qtasks-")
            and requirement.specifier.prereleases
            and not version.is_prerelease
        ):
            yield f"{package.name} requires {str(requirement)!r}: raise it to a final release first"


def _wrong_changes(package: Path) -> Iterator[str]:
    fragments = find_fragments(package)
    for path in fragments:
        yield from faults(path)
    try:
        entries = entries_of(unreleased((package / "CHANGELOG.md").read_text("utf-8")))
    except ValueError as error:
        yield f"{package.name}/CHANGELOG.md: {error}"
        return
    if not fragments and not entries:
        yield (
            f"nothing has changed: write what is new into {package.name}/changes, as"
            " its README.md says"
        )


def _due(package: Path, version: Version) -> Iterator[str]:
    for one in find_deprecations(package / "src"):
        if one.due(version):
            yield f"{one.where}: {one.name} was to be removed in {one.removal}: remove it"


def _dirty(root: Path) -> Iterator[str]:
    lines = git("status", "--porcelain", folder=root).decode().splitlines()
    if lines:
        shown = ", ".join(line[3:] for line in lines[:SHOWN])
        more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
        yield f"the tree has changes that are not committed: {shown}{more}: commit or stash them"
