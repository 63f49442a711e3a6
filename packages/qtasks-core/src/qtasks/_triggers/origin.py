"""Where a plugin comes from, for messages."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qtasks.contracts.plugin import BasePlugin

__all__ = ["describe_origin"]


def describe_origin(plugin: BasePlugin) -> str:
    """Returns distribution and version of a plugin, or else its module.

    Only the distribution that is named like the module is looked up: to search all that are
    installed takes longer than a message may take.
    """
    module = type(plugin).__module__
    distribution = module.partition(".")[0].replace("_", "-")
    try:
        return f"{distribution} {metadata.version(distribution)}"
    except metadata.PackageNotFoundError:
        return f"from {module}"
