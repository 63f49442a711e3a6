"""Closing databases before the process forks.

SQLite remembers per process which locks it holds. A child that inherits this memory, but not the
locks, takes none of its own: when the parent closes, the log is deleted under the child. Opening a
new connection in the child does not help, because it shares that memory. So what is open is closed
before the fork, and both sides open it again when they need it.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol

__all__ = ["Forkable", "watch_forks"]


class Forkable(Protocol):
    """What has to be told about forks."""

    def before_fork(self) -> None:
        """Waits for what is going on and closes what is open; nothing may be opened until told."""

    def after_fork(self) -> None:
        """Allows to open again, in the parent and in the child."""


_known: weakref.WeakSet[Forkable] = weakref.WeakSet()
_closed: list[Forkable] = []


def watch_forks(one: Forkable) -> None:
    """Tells ``one`` about forks for as long as it lives."""
    _known.add(one)


def _before() -> None:
    for one in list(_known):
        one.before_fork()
        _closed.append(one)


def _after() -> None:
    while _closed:
        _closed.pop().after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after)
