"""What sessions that try several things leave for the page about compatibility."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sessions.tree import CACHE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import nox

__all__ = ["FOLDER", "read_results", "write_results"]

FOLDER = CACHE / "results"


def write_results(session: nox.Session, ends: Mapping[str, str]) -> None:
    """Writes how each thing ended that a session has tried, by its name."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{session.name}.json"
    path.write_text(json.dumps(ends, indent=1), encoding="utf-8")
    session.log("%s", "; ".join(f"{name}: {end}" for name, end in ends.items()))


def read_results(name: str) -> dict[str, str]:
    """Returns what a session has written; if it has not, that none of it worked."""
    path = FOLDER / f"{name}.json"
    ends: dict[str, str] = {"all": "failed"}
    if path.exists():
        ends = json.loads(path.read_text("utf-8"))
    return ends
