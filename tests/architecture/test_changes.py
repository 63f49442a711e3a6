"""The fragments of every changelog can be used by a release."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from releasing.changelog import entries_of, unreleased
from releasing.fragments import KINDS, faults, find_fragments

if TYPE_CHECKING:
    from pathlib import Path


def test_every_fragment_is_named_and_written_as_it_should_be(package: Path) -> None:
    wrong = [fault for path in find_fragments(package) for fault in faults(path)]

    assert wrong == []


def test_the_folder_says_what_belongs_in_it(package: Path) -> None:
    text = (package / "changes" / "README.md").read_text("utf-8")

    assert text.startswith(f"# Changes of {package.name} that are not released\n")


def test_what_is_unreleased_can_be_read(package: Path) -> None:
    entries_of(unreleased((package / "CHANGELOG.md").read_text("utf-8")))


def test_towncrier_knows_the_same_kinds(root: Path) -> None:
    settings = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["towncrier"]

    assert list(settings["fragment"]) == list(KINDS)
