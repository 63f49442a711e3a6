"""What packages beside core may import: of core its public modules, of each other nothing."""

from __future__ import annotations

__all__ = ["CORE", "allowed", "is_public"]

CORE = "qtasks"
#: Rooms of core that have no underscore and are not for packages either: their names are reached
#: through the doors.
INSIDE = {"adapters", "app", "cli", "contracts"}


def is_public(module: str) -> bool:
    """Tells whether packages beside core may import a module of core.

    Args:
        module: its full name.
    """
    rooms = module.split(".")[1:]
    return not any(room.startswith("_") for room in rooms) and INSIDE.isdisjoint(rooms[:1])


def allowed(root: str, imported: str, roots: set[str]) -> bool:
    """Tells whether modules of one of our packages may import a module.

    Args:
        root: the import name of the package.
        imported: the full name of the module.
        roots: the import names of all our packages.
    """
    other = imported.partition(".")[0]
    if other == CORE:
        return is_public(imported)
    return other == root or other not in roots
