"""Notices a plugin that keeps the event loop, from a thread that it does not keep.

Nothing is written down when a trigger fires, so nothing is paid for it: the stack of the loop's
thread says who is being asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Final

from qtasks._triggers import emit
from qtasks.exc import PluginTimeoutError

if TYPE_CHECKING:
    from types import CodeType, FrameType

    from qtasks._triggers.policy import Policy

__all__ = ["HangWatch"]

#: The functions that ask plugins.
_ASKING: Final[frozenset[CodeType]] = emit.asking_code()


class HangWatch:
    """Looks at the thread that makes it, on whose loop plugins are asked.

    Args:
        policy: how long a plugin may take, and what happens when it takes longer.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._frame: FrameType | None = None
        self._since = 0.0

    def look(self, now: float) -> None:
        """Reports, once, a plugin that has been asked since a look long ago.

        Args:
            now: seconds that never go backwards.
        """
        stack = sys._current_frames().get(self._thread)  # noqa: SLF001 - there is no public way
        frame = stack
        while frame is not None and frame.f_code not in _ASKING:
            frame = frame.f_back
        # Held until the next look, a frame cannot be mistaken for another one at its address.
        if frame is None or frame is not self._frame:
            self._frame, self._since = frame, now
        elif now - self._since >= self._policy.timeout:
            self._since = float("inf")
            self._report(frame, "".join(traceback.format_stack(stack)))

    def _report(self, frame: FrameType, stack: str) -> None:
        known = frame.f_locals
        subscription, policy = known["subscription"], self._policy
        error = PluginTimeoutError(
            f"it has kept the event loop for over {policy.timeout:g} s (plugin_timeout) and still"
            f" does; mark what waits with blocking=True. It is here:\n{stack.rstrip()}"
        )
        name, step = subscription.plugin, subscription.spec.name
        task_id = policy.note(name, subscription.owner, step, error, known["arguments"])
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(
                lambda: self._loop.create_task(policy.announce(name, step, error, task_id))
            )
