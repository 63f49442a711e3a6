"""Generators that another process can find."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator


def echo_twice(text: str) -> Generator[str, str, None]:
    """Yields a text, and what comes back for it with an exclamation mark."""
    back = yield text
    yield f"{back.lower()}!"


def give(count: int) -> Generator[int, Any, str]:
    """Yields numbers and returns a text."""
    yield from range(count)
    return f"gave {count}"
