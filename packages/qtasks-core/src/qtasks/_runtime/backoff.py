"""Pauses that grow, so that what fails again and again is not tried in a frenzy."""

from __future__ import annotations

import random

__all__ = ["Backoff"]

_MAX_DOUBLINGS = 30


class Backoff:
    """Counts failures in a row and says how long to wait after each.

    Args:
        first: seconds after the first failure; each further one doubles them.
        longest: seconds that no pause exceeds.
    """

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self.failures = 0

    def pause(self) -> float:
        """Notes a failure and returns seconds to wait: between half and all of what is due.

        The chance in it spreads those that failed together.
        """
        doublings = min(self.failures, _MAX_DOUBLINGS)
        self.failures += 1
        due = min(self._longest, self._first * 2.0**doublings)
        return due * random.uniform(0.5, 1.0)  # noqa: S311 - spreads attempts, no secret

    def reset(self) -> None:
        """Forgets the failures."""
        self.failures = 0
