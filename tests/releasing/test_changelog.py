"""What is unreleased becomes the section of a release."""

from __future__ import annotations

from datetime import date

import pytest
from packaging.version import Version

from releasing.changelog import entries_of, merge

DAY = date(2027, 1, 2)

BEFORE = """# Changelog

About the format.

## [Unreleased]

### Added

- One.
- Two
  in two lines.

### Fixed

- A fault.

## [1.0.0] - 2026-12-01

### Added

- The first.
"""

RENDERED = """### Added

- Three.

### Security

- A hole.

"""

AFTER = """# Changelog

About the format.

## [Unreleased]

## [1.1.0] - 2027-01-02

### Added

- One.
- Two
  in two lines.
- Three.

### Fixed

- A fault.

### Security

- A hole.

## [1.0.0] - 2026-12-01

### Added

- The first.
"""


def test_both_places_become_one_section() -> None:
    assert merge(BEFORE, RENDERED, Version("1.1.0"), DAY) == AFTER


def test_the_next_release_finds_nothing_of_the_last_one() -> None:
    released = merge(BEFORE, RENDERED, Version("1.1.0"), DAY)

    with pytest.raises(ValueError, match="nothing is unreleased"):
        merge(released, "", Version("1.1.1"), DAY)


@pytest.mark.parametrize(("changelog", "rendered"), [(BEFORE, ""), (AFTER, RENDERED)])
def test_one_place_is_enough(changelog: str, rendered: str) -> None:
    released = merge(changelog, rendered, Version("1.2.0"), DAY)

    assert "## [Unreleased]\n\n## [1.2.0] - 2027-01-02\n\n### Added\n\n- " in released


def test_the_first_release_has_nothing_below_it() -> None:
    text = merge("# C\n\n## [Unreleased]\n", "### Added\n\n- One.\n", Version("1.0.0"), DAY)

    assert text == "# C\n\n## [Unreleased]\n\n## [1.0.0] - 2027-01-02\n\n### Added\n\n- One.\n"


def test_a_changelog_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no heading '## \[Unreleased\]'"):
        merge("# C\n", RENDERED, Version("1.0.0"), DAY)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("### New\n\n- One.\n", "unknown heading '### New'"),
        ("### Added\n\nOne.\n", "'One.' is neither"),
        ("- One.\n", "'- One.' is neither"),
    ],
)
def test_a_section_that_cannot_be_read_is_refused(section: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        entries_of(section)
