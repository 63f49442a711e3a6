"""Firing triggers: one function for each kind.

A plugin that raises changes nothing: it is logged with its name, counted, and the others go on.
``TaskControl`` exceptions and cancellation pass, because they are meant.
"""

from __future__ import annotations

import inspect
import logging
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from qtasks.contracts.triggers import CATALOGUE, TriggerSpec
from qtasks.exc import TaskControl

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from types import TracebackType

    from qtasks._core.triggers.subscription import Subscribers, Subscription

__all__ = ["around", "first", "last", "notify", "plugin_errors", "replace"]

log = logging.getLogger("qtasks.plugins")

#: How often each plugin failed in each trigger, by ``(plugin, trigger)``.
plugin_errors: Counter[tuple[str, str]] = Counter()

#: What a failed or silent plugin answers.
_NOTHING = object()


async def notify(
    name: str, subscribers: Subscribers, arguments: Mapping[str, Any], *, steers: bool = False
) -> None:
    """Tells every subscriber; answers are ignored.

    Args:
        name: the trigger.
        subscribers: who listens.
        arguments: its arguments.
        steers: whether a ``TaskControl`` passes; outside of a run it has nothing to steer and
            is a plugin's error as any other.
    """
    for subscription in subscribers:
        await _ask(name, subscription, arguments, steers=steers)


async def replace(name: str, subscribers: Subscribers, arguments: dict[str, Any]) -> dict[str, Any]:
    """Lets every subscriber replace values; each sees them as the one before left them.

    Returns:
        ``arguments`` with the replaced values.
    """
    spec = CATALOGUE[name]
    for subscription in subscribers:
        answer = await _ask(name, subscription, arguments)
        if answer is not None and answer is not _NOTHING:
            arguments = {**arguments, **_documented(spec, subscription, answer)}
    return arguments


async def first(name: str, subscribers: Subscribers, arguments: Mapping[str, Any]) -> Any:
    """Asks in order until one answers; returns the answer or None."""
    for subscription in subscribers:
        answer = await _ask(name, subscription, arguments)
        if answer is not None and answer is not _NOTHING:
            return _single(name, subscription, answer)
    return None


async def last(name: str, subscribers: Subscribers, arguments: Mapping[str, Any]) -> Any:
    """Asks everybody; returns the last answer that is not None, or None."""
    result = None
    for subscription in subscribers:
        answer = await _ask(name, subscription, arguments)
        if answer is not None and answer is not _NOTHING:
            result = _single(name, subscription, answer)
    return result


@asynccontextmanager
async def around(
    name: str, subscribers: Subscribers, arguments: Mapping[str, Any]
) -> AsyncIterator[None]:
    """Enters the context managers that the subscribers return, around the body."""
    async with AsyncExitStack() as stack:
        for subscription in subscribers:
            manager = await _ask(name, subscription, arguments)
            if manager is None or manager is _NOTHING:
                continue
            guard = _Guard(name, subscription, manager)
            await stack.enter_async_context(guard)
        yield


class _Guard:
    """Keeps a plugin's failing context manager from the body: the body runs exactly once."""

    def __init__(self, name: str, subscription: Subscription, manager: Any) -> None:
        self._name, self._subscription, self._manager = name, subscription, manager
        self._entered = False

    async def __aenter__(self) -> None:
        try:
            if hasattr(self._manager, "__aenter__"):
                await self._manager.__aenter__()
            else:
                self._manager.__enter__()
            self._entered = True
        except TaskControl:
            raise
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything
            _report(self._name, self._subscription, error)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leaves the manager; it may watch the body's exception but not swallow it."""
        if not self._entered:
            return
        try:
            if hasattr(self._manager, "__aexit__"):
                await self._manager.__aexit__(kind, error, trace)
            else:
                self._manager.__exit__(kind, error, trace)
        except TaskControl:
            raise
        except Exception as raised:  # noqa: BLE001 - a plugin may raise anything
            if raised is not error:
                _report(self._name, self._subscription, raised)


async def _ask(
    name: str, subscription: Subscription, arguments: Mapping[str, Any], *, steers: bool = True
) -> Any:
    try:
        answer = subscription.call(arguments)
        if answer is not None and inspect.isawaitable(answer):
            answer = await answer
    except Exception as error:
        if steers and isinstance(error, TaskControl):
            raise
        _report(name, subscription, error)
        return _NOTHING
    return answer


def _report(name: str, subscription: Subscription, error: Exception) -> None:
    plugin_errors[subscription.plugin, name] += 1
    log.error(
        "Plugin %s failed in trigger %s; the task goes on",
        subscription.plugin,
        name,
        exc_info=error,
    )


def _documented(spec: TriggerSpec, subscription: Subscription, answer: Any) -> dict[str, Any]:
    """Reads an answer: the documented dict, or with one key also the bare value."""
    if isinstance(answer, dict) and answer and answer.keys() <= set(spec.returns):
        return answer
    if len(spec.returns) == 1:
        return {spec.returns[0]: answer}
    plugin_errors[subscription.plugin, spec.name] += 1
    log.error(
        "Plugin %s answered trigger %s with %.200r; expected a dict with some of the keys %s",
        subscription.plugin,
        spec.name,
        answer,
        ", ".join(spec.returns),
    )
    return {}


def _single(name: str, subscription: Subscription, answer: Any) -> Any:
    spec = CATALOGUE[name]
    return _documented(spec, subscription, answer)[spec.returns[0]]
