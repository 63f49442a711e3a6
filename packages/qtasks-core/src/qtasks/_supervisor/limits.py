"""When a child has served long enough."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from qtasks.exc import ConfigError

if TYPE_CHECKING:
    from qtasks._config import QueueConfig

__all__ = ["Limits", "check_limits", "memory_in_use"]

#: Threads that run on for nothing before a child is replaced; fewer if it has fewer threads.
_MAX_ABANDONED: Final = 10
_STATM: Final = Path("/proc/self/statm")
_MIB: Final = 1024 * 1024


class Limits(msgspec.Struct, frozen=True):
    """What a child may reach before it is replaced.

    Attributes:
        tasks: settled runs; None for no limit.
        memory: bytes; None for no limit.
        abandoned: threads that run on after the time of their task was over.
    """

    tasks: int | None
    memory: int | None
    abandoned: int

    @classmethod
    def of(cls, config: QueueConfig) -> Limits:
        """Returns the limits that the settings make."""
        abandoned = min(config.threads, _MAX_ABANDONED)
        return cls(config.max_tasks_per_child, config.max_memory_per_child, abandoned)

    def reached(self, settled: int, memory: int | None, abandoned: int) -> str | None:
        """Says which limit was reached; None if none was.

        Args:
            settled: runs the child has settled.
            memory: bytes it takes, or None if that is not known.
            abandoned: threads that run on for nothing.
        """
        if self.tasks is not None and settled >= self.tasks:
            return f"{settled} tasks, max_tasks_per_child is {self.tasks}"
        if self.memory is not None and memory is not None and memory > self.memory:
            used, most = memory / _MIB, self.memory / _MIB
            return f"{used:.0f} MiB of memory, max_memory_per_child is {most:.0f} MiB"
        if abandoned >= self.abandoned:
            return f"{abandoned} threads run on after the max_time of their tasks"
        return None


def check_limits(config: QueueConfig) -> None:
    """Checks that what is limited can be measured here.

    Raises:
        ConfigError: it cannot.
    """
    if config.max_memory_per_child is not None and memory_in_use() is None:
        msg = (
            f"setting max_memory_per_child = {config.max_memory_per_child!r}: the memory of a"
            f" process cannot be measured on {sys.platform}; use max_tasks_per_child instead"
        )
        raise ConfigError(msg)


def memory_in_use() -> int | None:
    """Returns how many bytes of memory this process takes; None where nobody knows.

    On Linux that is the resident set now, on other Unixes the largest it ever was.
    """
    if _STATM.exists():
        pages = int(_STATM.read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
