"""Which releases have holes through which others get into the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from qtasks.schemas import Finding

if TYPE_CHECKING:
    from qtasks.adapters.redis.checks.sight import Sight

__all__ = ["release", "server"]

Version: TypeAlias = tuple[int, ...]

#: The first sound release of each line, by the advisories up to November 2026: before them who may
#: connect, or may run scripts, can run code in the server. Lines that are not named get no repairs.
_SOUND: Final[dict[str, tuple[Version, ...]]] = {
    "redis": (
        (6, 2, 24),
        (7, 2, 16),
        (7, 4, 11),
        (8, 2, 9),
        (8, 4, 6),
        (8, 6, 6),
        (8, 8, 2),
        (8, 10, 1),
    ),
    "valkey": ((7, 2, 11), (8, 0, 10), (8, 1, 9), (9, 0, 5), (9, 1, 1)),
}
_ADVISORIES: Final = {
    "redis": "such as CVE-2025-49844 or CVE-2026-23479",
    "valkey": "such as CVE-2025-49844 or CVE-2026-56684",
}


def server(sight: Sight) -> Finding:
    """Says what kind of server it is."""
    name = sight.greeting.server.title()
    text = f"{name} {_version(sight) or 'of an unknown release'} at {sight.target.place}"
    if sight.greeting.cluster:
        text += f", a cluster of {sight.members} masters"
    return Finding("ok", "server", f"{text}.")


def release(sight: Sight) -> Finding | None:
    """Says whether the release has known holes."""
    kind, shown = sight.greeting.server, _version(sight)
    version = tuple(int(part) for part in shown.split(".") if part.isdecimal())
    sound = _SOUND.get(kind)
    if sound is None or not version:
        return None
    fixed = next((first for first in sound if first[:2] >= version[:2]), None)
    if fixed is None or (version[:2] == fixed[:2] and version >= fixed):
        return Finding("ok", "release", f"{shown} has no hole that was known to this release.")
    return Finding(
        "warning",
        "release",
        f"{shown} may have holes through which others run code in it ({_ADVISORIES[kind]}).",
        f"Update to {'.'.join(map(str, fixed))} or newer, unless your system has repaired its own"
        " build.",
    )


def _version(sight: Sight) -> str:
    return str(sight.info.get(f"{sight.greeting.server}_version", sight.greeting.version))
