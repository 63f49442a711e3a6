"""What happens when a plugin fails: it is named, counted and told of, and nothing else changes."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from qtasks._runtime.current import current_delivery
from qtasks._runtime.errors import printable
from qtasks._triggers.emit import notify
from qtasks._triggers.limits import Threads
from qtasks._triggers.origin import describe_origin
from qtasks.exc import PluginTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qtasks._config import QueueConfig
    from qtasks._triggers.subscription import Subscribers
    from qtasks.contracts.plugin import BasePlugin

__all__ = ["Policy"]

log = logging.getLogger("qtasks.plugins")

#: Seconds that a plugin may take, where no settings say it.
_TIMEOUT: Final = 30.0
#: How many times as long as it took a plugin is left alone: then one that never comes back costs
#: a worker a tenth of its time, and not all of it.
_REST: Final = 10
#: The trigger that tells of failures.
_TOLD: Final = "plugin_error"


class Policy:
    """What the plugins of one app share when one of them fails.

    Args:
        config: the settings, which may change; None for their defaults.
        strict: whether every failure is raised.

    Attributes:
        strict: likewise.
        now: tells seconds that never go backwards.
        raising: the names of plugins whose failures are raised in any case.
        errors: how often each plugin failed in each trigger, by ``(plugin, trigger)``.
        origins: the distribution and version of plugins, as far as somebody said them.
        listeners: returns who listens to ``plugin_error``.
        threads: where blocking methods run.
        resting: until when those that took too long are not asked, by ``(plugin, trigger)``.
        needs_loop: whether a plain method of a client's plugin returned an awaitable.
    """

    def __init__(self, config: QueueConfig | None = None, *, strict: bool = False) -> None:
        self._config = config
        self.strict = strict
        self.now: Callable[[], float] = time.monotonic
        self.raising: set[str] = set()
        self.errors: Counter[tuple[str, str]] = Counter()
        self.origins: dict[str, str] = {}
        self.listeners: Callable[[], Subscribers] = tuple
        self.threads = Threads()
        self.resting: dict[tuple[str, str], float] = {}
        self.needs_loop = False

    @property
    def timeout(self) -> float:
        """Seconds that a plugin may take where it is waited for."""
        return _TIMEOUT if self._config is None else self._config.plugin_timeout

    def raises(self, name: str) -> bool:
        """Whether failures of a plugin are raised."""
        return self.strict or name in self.raising

    def rest(self, name: str, trigger: str) -> None:
        """Has a plugin that took too long not be asked for a while."""
        if not self.raises(name):
            self.resting[name, trigger] = self.now() + _REST * self.timeout

    def rests(self, name: str, trigger: str) -> bool:
        """Whether a plugin is not to be asked now."""
        until = self.resting.get((name, trigger))
        if until is None:
            return False
        if self.now() < until:
            return True
        self.resting.pop((name, trigger), None)
        return False

    async def tell(
        self,
        name: str,
        plugin: BasePlugin,
        step: str,
        error: BaseException,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """Does what :meth:`note` does, and tells those who listen to ``plugin_error``."""
        await self.announce(name, step, error, self.note(name, plugin, step, error, arguments))

    async def announce(
        self, name: str, step: str, error: BaseException, task_id: str | None
    ) -> None:
        """Tells those who listen to ``plugin_error``; not of what fails while they are told."""
        if step != _TOLD and (listeners := self.listeners()):
            about = {"plugin": name, "trigger": step, "e": error, "uuid": task_id}
            await notify(_TOLD, listeners, about)

    def note(
        self,
        name: str,
        plugin: BasePlugin,
        step: str,
        error: BaseException,
        arguments: Mapping[str, Any] | None = None,
    ) -> str | None:
        """Counts and logs a failure, and says in the exception whose it is.

        Args:
            name: the plugin's name.
            plugin: the plugin.
            step: the trigger, or ``start``, ``stop`` or ``applies``.
            error: what it raised.
            arguments: those of the trigger.

        Returns:
            the id of the task it was about.
        """
        self.errors[name, step] += 1
        who = f"{name} ({self._origin(name, plugin)})"
        task_id, task_name = _task(arguments or {})
        # What is read from a server may be anything, also what forges lines.
        shown_id, shown_name = printable(task_id or ""), printable(task_name or "")
        note = f"in plugin {who}, {step}"
        if note not in getattr(error, "__notes__", ()):
            with contextlib.suppress(Exception):  # an exception may be as odd as its plugin
                error.add_note(note)
        log.error(
            "Plugin %s failed in %s%s; %s",
            who,
            step,
            f" of {shown_name} {shown_id}" if task_id else "",
            self._consequence(name, step, error),
            exc_info=error,
            extra={
                "plugin": name,
                "trigger": step,
                "task_id": shown_id,
                "task_name": shown_name,
            },
        )
        return task_id

    def _consequence(self, name: str, step: str, error: BaseException) -> str:
        if self.raises(name):
            return "this is raised, as was asked for"
        if step in ("start", "stop"):
            return "it is used all the same"
        if isinstance(error, PluginTimeoutError):
            return f"it is not asked there for {_REST * self.timeout:g} s"
        return "everything else goes on"

    def _origin(self, name: str, plugin: BasePlugin) -> str:
        if name not in self.origins:
            self.origins[name] = describe_origin(plugin)
        return self.origins[name]


def _task(arguments: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Returns the id and the name of the task that a trigger is about."""
    delivery = arguments.get("task_broker")
    if delivery is None:
        executor = arguments.get("task_executor")
        delivery = getattr(executor, "task_broker", None) or current_delivery.get()
    if delivery is not None:
        return delivery.id, delivery.message.task
    return arguments.get("uuid"), arguments.get("task_name")
