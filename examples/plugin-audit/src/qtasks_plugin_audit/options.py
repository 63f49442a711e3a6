"""What the plugin can be told."""

from __future__ import annotations

import msgspec

__all__ = ["Options"]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the plugin can be told.

    Attributes:
        path: the file that lines are added to; a relative one lies where the worker was started.
        tasks: patterns of the names of tasks that are written down, such as ``billing.*``.
        runs: whether ends are written that the task goes on after: retries, and what a worker
            gave back when it stopped.

    Raises:
        ValueError: ``path`` or ``tasks`` is empty.
    """

    path: str = "qtasks-audit.jsonl"
    tasks: list[str] = msgspec.field(default_factory=lambda: ["*"])
    runs: bool = False

    def __post_init__(self) -> None:
        """Refuses values that would write nothing."""
        if not self.path:
            msg = "path = '' is no file: give one, or leave the option out"
            raise ValueError(msg)
        if not self.tasks:
            msg = "tasks = [] fits no task: give patterns such as ['billing.*'], or leave it out"
            raise ValueError(msg)
