"""For tests of code that is retried: no waiting, and as many attempts as a test needs.

What is set here holds for all threads and apps of the process until the block ends.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from qtasks_plugin_retry import overrides
from qtasks_plugin_retry.policy_checks import check_attempts

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["max_attempts", "no_retry_delay"]


@contextmanager
def no_retry_delay() -> Iterator[None]:
    """Has failed tasks run again at once, whatever their policy and their exceptions say.

    Which of them run again does not change, nor how often.
    """
    with overrides.replaced(no_delay=True):
        yield


@contextmanager
def max_attempts(number: int) -> Iterator[None]:
    """Has every task that has a policy fail for good at this attempt.

    ``max_attempts`` of a running task's context is that of its policy still.

    Args:
        number: how many runs may fail, from 1 up.

    Raises:
        ValueError: it is smaller than 1.
        TypeError: it is no whole number.
    """
    check_attempts("max_attempts(", number)
    with overrides.replaced(max_attempts=number):
        yield
