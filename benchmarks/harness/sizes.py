"""How many tasks a measurement takes: as many as it wants, or as fit into its time."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Pace", "fit"]


@dataclass
class Pace:
    """How quick a queue has been so far, in tasks a second.

    Attributes:
        drain: of a worker that does nothing else.
        fill: of who adds many tasks.
    """

    drain: float = 300.0
    fill: float = 300.0

    def running(self, longest: float, slots: int) -> float:
        """Returns the tasks a second to expect if each takes so many seconds of a slot."""
        return min(self.drain, slots / longest)


def fit(pace: float, wanted: int, seconds: float, least: int = 100) -> int:
    """Returns how many tasks to take, rounded down to two digits.

    Args:
        pace: tasks a second.
        wanted: tasks, if there is time for so many.
        seconds: for all of them.
        least: tasks, whatever time they take.
    """
    tasks = int(max(min(pace * seconds, wanted), least))
    digits = max(len(str(tasks)) - 2, 0)
    return round(tasks - tasks % 10.0**digits)
