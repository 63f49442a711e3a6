"""Turns what is unreleased into the section of a release.

What is unreleased stands in two places: under ``## [Unreleased]`` in the changelog, and in
fragments, which towncrier has rendered. Both become one section.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from releasing.fragments import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from packaging.version import Version

__all__ = ["UNRELEASED", "entries_of", "merge", "unreleased"]

UNRELEASED = "## [Unreleased]"


def unreleased(changelog: str) -> str:
    """Returns what stands under ``## [Unreleased]``.

    Raises:
        ValueError: there is no such heading.
    """
    _, section, _ = _split(changelog)
    return section


def entries_of(section: str) -> dict[str, list[str]]:
    """Returns the entries of a section by their headings.

    Args:
        section: lines such as ``### Added`` and, below them, entries that begin with ``- ``.

    Raises:
        ValueError: a line is neither, or a heading is unknown.
    """
    entries: dict[str, list[str]] = {}
    heading = ""
    for line in section.splitlines():
        if line.startswith("### "):
            heading = line.removeprefix("### ").strip()
            if heading not in KINDS.values():
                msg = f"unknown heading {line!r}: use {', '.join(KINDS.values())}"
                raise ValueError(msg)
        elif line.startswith("- ") and heading:
            entries.setdefault(heading, []).append(line)
        elif line.startswith("  ") and entries.get(heading):
            entries[heading][-1] += f"\n{line}"  # an entry may go on in a further line
        elif line.strip():
            msg = f"{line!r} is neither a heading (### Added) nor an entry below one (- ...)"
            raise ValueError(msg)
    return entries


def merge(changelog: str, rendered: str, version: Version, day: date) -> str:
    """Returns the changelog with a section for a release, and nothing unreleased.

    Args:
        changelog: the text as it is.
        rendered: the fragments, under headings.
        version: the version.
        day: when it is released.

    Raises:
        ValueError: the changelog has no place for it, cannot be read, or nothing is unreleased.
    """
    head, section, tail = _split(changelog)
    entries, more = entries_of(section), entries_of(rendered)
    if not entries and not more:
        msg = f"nothing is unreleased: add a fragment, or entries under {UNRELEASED}"
        raise ValueError(msg)
    released = f"## [{version}] - {day.isoformat()}\n\n{_text_of(entries, more)}"
    return f"{head}{UNRELEASED}\n\n{released}{tail and chr(10)}{tail}"


def _split(changelog: str) -> tuple[str, str, str]:
    """Splits a changelog into what stands before, in and after the unreleased section."""
    head, found, rest = changelog.partition(f"{UNRELEASED}\n")
    if not found:
        msg = f"the changelog has no heading {UNRELEASED!r}: add it above the newest release"
        raise ValueError(msg)
    end = re.search(r"^## ", rest, re.MULTILINE)
    at = end.start() if end else len(rest)
    return head, rest[:at], rest[at:]


def _text_of(*parts: Mapping[str, list[str]]) -> str:
    """Writes entries under their headings; those of the first part come first."""
    blocks = []
    for heading in KINDS.values():
        lines = [line for part in parts for line in part.get(heading, ())]
        if lines:
            blocks.append("\n".join([f"### {heading}", "", *lines, ""]))
    return "\n".join(blocks)
