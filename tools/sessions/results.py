"""What sessions that try several things leave for the page about compatibility."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sessions.tree import CACHE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import nox

__all__ = ["read_results", "write_results"]

RESULTS = CACHE / "results"


def write_results(session: nox.Session, ends: Mapping[str, str]) -> None:
    """Writes how each thing ended that a session has tried, by its name."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{session.name}.json"
    path.write_text(json.dumps(ends, indent=1), encoding="utf-8")
    session.log("%s", "; ".join(f"{name}: {end}" for name, end in ends.items()))


def read_results(name: str) -> dict[str, str]:
    """Returns what a session has written; nothing if it has not."""
    path = RESULTS / f"{name}.json"
    ends: dict[str, str] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return ends
