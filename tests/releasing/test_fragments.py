"""Fragments of changelogs are named and written so that a release can use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from releasing.fragments import faults, find_fragments

if TYPE_CHECKING:
    from pathlib import Path

SENTENCE = "Tasks can be cancelled while they run.\n"


@pytest.mark.parametrize("name", ["cancel-running.added.md", "a.security.md", "v2.removed.md"])
def test_a_good_fragment_has_no_faults(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(SENTENCE, "utf-8")

    assert faults(tmp_path / name) == []


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("cancel.md", SENTENCE, "is no fragment"),
        ("123.added.md", SENTENCE, "is no fragment"),
        ("Cancel.added.md", SENTENCE, "is no fragment"),
        ("cancel.added.txt", SENTENCE, "is no fragment"),
        ("cancel.feature.md", SENTENCE, "'feature' is no kind of change: use added, changed"),
        ("cancel.added.md", "\n", "it is empty"),
        ("cancel.added.md", f"- {SENTENCE}", "it begins with '-'"),
        ("cancel.added.md", SENTENCE * 2, "it has 2 lines"),
        ("cancel.added.md", "Cancelling", "full stop"),
    ],
)
def test_a_fault_is_told(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")

    (fault,) = faults(tmp_path / name)

    assert name in fault
    assert message in fault


def test_the_explanation_is_no_fragment(tmp_path: Path) -> None:
    (tmp_path / "changes").mkdir()
    for name in ("README.md", "b.added.md", "a.fixed.md", "stray.txt"):
        (tmp_path / "changes" / name).write_text(SENTENCE, "utf-8")

    assert [path.name for path in find_fragments(tmp_path)] == [
        "a.fixed.md",
        "b.added.md",
        "stray.txt",
    ]
