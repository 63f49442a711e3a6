"""The life of a plugin: start, stop, and what is left."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from qtasks.testing.conformance.plugging import MakePlugin, Plugging, finished, life

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Beginning"]

#: Real seconds that a thread gets to end after ``stop``.
_JOINED = 1.0


def steps(plugin: Any, *names: str, role: str = "worker") -> list[tuple[str, Callable[[], Any]]]:
    """Returns calls of ``start`` and ``stop``."""
    return [(name, partial(life, plugin, name, role=role)) for name in names]


class Beginning(Plugging):
    """Rules of ``start`` and ``stop``."""

    def test_start_and_stop_end(self, plugin: MakePlugin) -> None:
        """Neither of them takes longer than a moment.

        If this fails: connect in the background or at the first trigger, and bound every wait;
        an app starts its plugins one after the other.
        """
        self.play(steps(self.make(plugin), "start", "stop"))

    def test_start_and_stop_may_be_repeated(self, plugin: MakePlugin) -> None:
        """A second ``start`` or ``stop`` is harmless.

        If this fails: return early if it has started, or has not.
        """
        self.play(steps(self.make(plugin), "start", "start", "stop", "stop"))

    def test_it_may_be_stopped_before_it_has_started(self, plugin: MakePlugin) -> None:
        """``stop`` without ``start`` is harmless, and ``start`` works after it.

        If this fails: give what ``start`` makes a value in ``__init__``.
        """
        self.play(steps(self.make(plugin), "stop", "start", "stop"))

    def test_it_starts_again(self, plugin: MakePlugin) -> None:
        """A stopped plugin can be started again, on another loop as well.

        If this fails: make connections, locks and tasks in ``start``, not in ``__init__``.
        """
        made = self.make(plugin)
        for _ in range(2):
            self.play(steps(made, "start", "stop"))

    def test_it_starts_in_every_role(self, plugin: MakePlugin) -> None:
        """``start`` tells clients, workers and supervisors apart only if it wants to.

        If this fails: treat a ``role`` that is not known as any other; more may come.
        """
        for role in ("client", "worker", "supervisor", "role_of_tomorrow"):
            self.play(steps(self.make(plugin), "start", "stop", role=role))

    def test_nothing_is_left_running(self, plugin: MakePlugin) -> None:
        """After ``stop`` no thread and no asyncio task of the plugin is left.

        If this fails: join threads and await cancelled tasks in ``stop``.
        """
        made = self.make(plugin)
        before = set(threading.enumerate())
        doing = ["start"]

        async def live() -> list[str]:
            tasks = asyncio.all_tasks()
            await finished(life(made, "start"))
            doing[:] = ["stop"]
            await finished(life(made, "stop"))
            return [task.get_name() for task in asyncio.all_tasks() - tasks]

        assert self.in_time_of(live, doing) == []
        started = set(threading.enumerate()) - before
        for thread in started:
            thread.join(_JOINED)
        assert [thread.name for thread in started if thread.is_alive()] == []
