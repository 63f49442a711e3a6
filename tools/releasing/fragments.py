"""Fragments of changelogs: one file for each change, so that nobody writes into anybody's line.

A fragment lies in ``packages/<package>/changes`` and is called ``<words>.<kind>.md``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FOLDER", "KINDS", "faults", "find_fragments"]

FOLDER = "changes"
#: The kinds of changes, in the order and under the headings of Keep a Changelog.
KINDS = {
    "added": "Added",
    "changed": "Changed",
    "deprecated": "Deprecated",
    "removed": "Removed",
    "fixed": "Fixed",
    "security": "Security",
}
#: What else may lie there.
OTHERS = {"README.md"}
_NAME = re.compile(r"(?P<words>[a-z][a-z0-9]*(-[a-z0-9]+)*)\.(?P<kind>\w+)\.md")


def find_fragments(package: Path) -> list[Path]:
    """Returns the fragments of a package, and what is mistaken for one, sorted by name."""
    paths = sorted((package / FOLDER).glob("*"))
    return [path for path in paths if path.name not in OTHERS]


def faults(path: Path) -> list[str]:
    """Returns what is wrong with a fragment; nothing if it is as it should be."""
    name = _NAME.fullmatch(path.name)
    if name is None:
        example = "cancel-running.added.md"
        return [f"{path.name} is no fragment: name it by words and a kind, such as {example}"]
    if name["kind"] not in KINDS:
        return [f"{path.name}: {name['kind']!r} is no kind of change: use {', '.join(KINDS)}"]
    return [f"{path.name}: {fault}" for fault in _text_faults(path.read_text("utf-8"))]


def _text_faults(text: str) -> list[str]:
    lines = text.splitlines()
    if not text.strip():
        return ["it is empty: write a full sentence that says what users can or must do now"]
    found = []
    if len(lines) > 1:
        found.append(f"it has {len(lines)} lines: a fragment is one; make a file for each change")
    if lines[0].startswith(("-", "*", "#")):
        found.append(f"it begins with {lines[0][0]!r}: the bullet and the heading are added later")
    if not lines[0].rstrip().endswith((".", ")")):
        found.append("it does not end with a full stop: write a full sentence")
    return found
