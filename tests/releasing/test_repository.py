"""What a clone knows of releases."""

from __future__ import annotations

import pytest
from packaging.version import Version

from releasing.repository import tag_of


@pytest.mark.parametrize(
    ("version", "tag"),
    [
        ("1.2.0", "it-v1.2.0"),
        ("1.2", "it-v1.2.0"),
        ("2", "it-v2.0.0"),
        ("1.2rc1", "it-v1.2.0rc1"),
        ("1.2.3b2", "it-v1.2.3b2"),
    ],
)
def test_the_tag_of_a_bound_is_that_of_the_release(version: str, tag: str) -> None:
    assert tag_of("it", Version(version)) == tag
