"""Whether what a distribution requires is installed; told before anything of it is imported."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.requirements import Requirement

__all__ = ["Unmet", "parse_requirement", "unmet"]


class Unmet(msgspec.Struct, frozen=True):
    """A requirement that is not met.

    Attributes:
        requirement: as ``name>=1.0``.
        installed: the version that is installed; empty if there is none.
    """

    requirement: str
    installed: str

    def __str__(self) -> str:
        """Says what is needed, and what is there."""
        there = f"{self.installed} is installed" if self.installed else "it is not installed"
        return f"{self.requirement}, and {there}"


def unmet(requires: Iterable[str]) -> list[Unmet]:
    """Returns the requirements that this environment does not meet.

    Those of extras are nobody's, and those that cannot be read are left to who installed them.

    Args:
        requires: lines of ``Requires-Dist``.
    """
    found = []
    for line in requires:
        requirement = parse_requirement(line)
        if requirement is None or not _applies(requirement):
            continue
        version = _version(requirement.name)
        # A pre-release that was installed on purpose counts.
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            needed = f"{requirement.name}{requirement.specifier}"
            found.append(Unmet(needed, version or ""))
    return found


def parse_requirement(text: str) -> Requirement | None:
    """Reads a requirement such as ``sentry>=1.0``; None if it is none."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def _applies(requirement: Requirement) -> bool:
    from packaging.markers import UndefinedComparison, UndefinedEnvironmentName

    if requirement.marker is None:
        return True
    try:
        return requirement.marker.evaluate({"extra": ""})
    except (UndefinedComparison, UndefinedEnvironmentName):
        return False


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
