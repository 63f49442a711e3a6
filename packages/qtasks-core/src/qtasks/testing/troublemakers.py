"""Plugins that misbehave, to see that nobody else suffers."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from qtasks.contracts.clock import SystemClock
from qtasks.plugins import BasePlugin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtasks.typing import Clock

__all__ = ["ON_PURPOSE", "RaisingPlugin", "SlowPlugin"]

#: What the errors of plugins say that fail because a test wants it.
ON_PURPOSE: Final = "raised on purpose"


class Troublemaker(BasePlugin):
    """Does something at some triggers.

    Args:
        on: names of triggers, ``start`` or ``stop`` among them; None for all triggers.
        name: its name; by default that of the class.
    """

    plugin_api = "1.0"

    def __init__(self, *, on: str | Iterable[str] | None = None, name: str | None = None) -> None:
        super().__init__(name)
        self.on = None if on is None else frozenset([on] if isinstance(on, str) else on)

    def trouble(self, name: str) -> Any:
        """Makes the trouble; may return something to await."""
        raise NotImplementedError

    def start(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - as the contract has them
        """Makes trouble if asked to."""
        return self.trouble("start") if self.on is not None and "start" in self.on else None

    def stop(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - as above
        """Makes trouble if asked to."""
        return self.trouble("stop") if self.on is not None and "stop" in self.on else None

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - as above
        """Makes trouble at the triggers that were named."""
        return self.trouble(name) if self.on is None or name in self.on else None


class RaisingPlugin(Troublemaker):
    """Raises.

    Args:
        on: the triggers at which it does, ``start`` or ``stop`` among them; None for all
            triggers.
        error: what it raises; by default a ``RuntimeError`` that names the trigger.
        name: its name; by default that of the class.

    Attributes:
        raised: how often it did.
    """

    def __init__(
        self,
        *,
        on: str | Iterable[str] | None = None,
        error: Exception | type[Exception] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(on=on, name=name)
        self.error = error
        self.raised = 0

    def trouble(self, name: str) -> Any:
        """Raises."""
        self.raised += 1
        if self.error is not None:
            raise self.error
        msg = f"{ON_PURPOSE} in {name}"
        raise RuntimeError(msg)


class SlowPlugin(Troublemaker):
    """Takes its time, without blocking the loop.

    Args:
        seconds: how long.
        on: the triggers at which it does, ``start`` or ``stop`` among them; None for all
            triggers.
        clock: by which time; with a :class:`~qtasks.testing.FakeClock` it waits until the test
            advances that.
        name: its name; by default that of the class.

    Attributes:
        begun: how often it began to wait.
        ended: how often it waited to the end.
    """

    def __init__(
        self,
        seconds: float,
        *,
        on: str | Iterable[str] | None = None,
        clock: Clock | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(on=on, name=name)
        self.seconds = seconds
        self.clock = clock or SystemClock()
        self.begun = self.ended = 0

    async def trouble(self, name: str) -> None:  # noqa: ARG002 - it is the same for all
        """Waits."""
        self.begun += 1
        await self.clock.sleep(self.seconds)
        self.ended += 1

    async def start(self, *args: Any, **kwargs: Any) -> None:
        """Waits if asked to."""
        await _done(super().start(*args, **kwargs))

    async def stop(self, *args: Any, **kwargs: Any) -> None:
        """Waits if asked to."""
        await _done(super().stop(*args, **kwargs))

    async def trigger(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Waits at the triggers that were named."""
        await _done(super().trigger(name, *args, **kwargs))


async def _done(answer: Any) -> None:
    if inspect.isawaitable(answer):
        await answer
