"""What is deprecated is found in the source, and is gone by the version that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from releasing.deprecations import find_deprecations
from releasing.repository import ROOT, packages, tree_version

if TYPE_CHECKING:
    from pathlib import Path

GOOD = 'deprecated("a", since="1.1", removal="2.0", instead="b")\n'


@pytest.mark.parametrize("package", packages(ROOT).values(), ids=packages(ROOT))
def test_nothing_in_the_tree_was_to_be_removed_by_now(package: Path) -> None:
    now = tree_version(package)

    due = [one for one in find_deprecations(package / "src") if one.due(now)]

    assert not due, f"{package.name} is {now}: remove these"


@pytest.mark.parametrize("package", packages(ROOT).values(), ids=packages(ROOT))
def test_what_is_deprecated_is_removed_by_a_later_major_version(package: Path) -> None:
    for one in find_deprecations(package / "src"):
        assert Version(one.removal).major > Version(one.since).major, one


@pytest.mark.parametrize(
    ("version", "due"),
    [("1.1.0", False), ("1.99.0", False), ("2.0.0.dev0", True), ("2.0.0rc1", True), ("2.1", True)],
)
def test_it_is_due_from_the_version_on_that_it_names(
    tmp_path: Path, version: str, due: bool
) -> None:
    (tmp_path / "a.py").write_text(f"def f():\n    warn.{GOOD}", "utf-8")

    (found,) = find_deprecations(tmp_path)

    assert found.due(Version(version)) is due
    assert (found.name, found.since, found.removal, found.where) == ("a", "1.1", "2.0", "a.py:2")


@pytest.mark.parametrize(
    "call",
    [
        'deprecated(name, since="1.1", removal="2.0", instead="b")',
        'deprecated("a", since="1.1", removal=LATER, instead="b")',
        'deprecated("a", since="1.1", instead="b")',
        "deprecated(**arguments)",
        "deprecated()",
    ],
)
def test_a_call_that_cannot_be_watched_is_refused(tmp_path: Path, call: str) -> None:
    (tmp_path / "a.py").write_text(f"{call}\n", "utf-8")

    with pytest.raises(ValueError, match=r"a\.py:1: write the arguments .* as literals"):
        list(find_deprecations(tmp_path))
