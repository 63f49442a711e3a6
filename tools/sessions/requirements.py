"""What packages say that they require, and the lowest versions that this allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.version import Version

from sessions.tree import CORE, project_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["lower_bound", "lower_bounds", "lowest", "oldest_core", "optional"]


def lower_bound(requirement: Requirement) -> Version:
    """Returns the lowest version that a requirement allows.

    Raises:
        LookupError: it names no lower bound.
    """
    found = lower_bounds(requirement)
    if not found:
        msg = f"{str(requirement)!r} has no lower bound: write '{requirement.name}>=...'"
        raise LookupError(msg)
    return max(found)


def lower_bounds(requirement: Requirement) -> list[Version]:
    """Returns every version below which a requirement allows nothing."""
    found = [one for one in requirement.specifier if one.operator in {">=", "==", "~="}]
    return [Version(one.version.removesuffix(".*")) for one in found]


def lowest(requirements: Iterable[str]) -> dict[str, Version]:
    """Returns the lowest versions that requirements allow here; our own packages are left out.

    Raises:
        LookupError: one names no lower bound.
    """
    return {
        requirement.name: lower_bound(requirement)
        for requirement in map(Requirement, requirements)
        if not requirement.name.startswith("qtasks")
        and (requirement.marker is None or requirement.marker.evaluate())
    }


def optional(package: Path) -> dict[str, list[str]]:
    """Returns what each extra of a package requires."""
    extras: dict[str, list[str]] = project_of(package).get("optional-dependencies", {})
    return extras


def oldest_core(package: Path) -> Version:
    """Returns the oldest version of core that a package says it works with.

    Raises:
        LookupError: it does not require core, or names no lower bound.
    """
    for requirement in map(Requirement, project_of(package)["dependencies"]):
        if requirement.name == CORE.name:
            return lower_bound(requirement)
    msg = f"{package.name} does not require {CORE.name}: add it to its dependencies"
    raise LookupError(msg)
