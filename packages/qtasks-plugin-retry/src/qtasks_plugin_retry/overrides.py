"""What tests have said about all policies of the process."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Overrides", "current", "replaced"]


class Overrides(msgspec.Struct, frozen=True):
    """What holds instead of the policies.

    Attributes:
        no_delay: whether tasks run again at once.
        max_attempts: how many runs may fail; None for what the policy says.
    """

    no_delay: bool = False
    max_attempts: int | None = None


_lock = threading.Lock()
_current = Overrides()


def current() -> Overrides:
    """Returns what holds now."""
    return _current


@contextmanager
def replaced(**fields: Any) -> Iterator[None]:
    """Changes it until the block ends; blocks may stand within each other.

    Args:
        **fields: fields of :class:`Overrides`.
    """
    global _current  # noqa: PLW0603 - workers run in threads and loops that the test does not see
    with _lock:
        before, _current = _current, msgspec.structs.replace(_current, **fields)
    try:
        yield
    finally:
        with _lock:
            _current = before
