"""Firing triggers: one function for each kind.

A plugin that raises changes nothing: it is logged with its name, counted, and the others go on.
``TaskControl`` exceptions pass where there is a run to steer, and cancellation always.

Plain methods are called without a frame in between: three of them take about a microsecond.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks._triggers.answers import read, read_only_cache
from qtasks._triggers.limits import begin, within
from qtasks._triggers.steering import is_failure, steers
from qtasks.exc import PluginError, PluginTimeoutError, TaskCancelError, TaskControl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType, TracebackType

    from qtasks._triggers.policy import Policy
    from qtasks._triggers.subscription import Subscribers, Subscription

__all__ = ["around", "asking_code", "first", "last", "notify", "replace"]


async def notify(name: str, subscribers: Subscribers, arguments: Mapping[str, Any]) -> None:
    """Tells every subscriber; answers are ignored.

    Args:
        name: the trigger.
        subscribers: who listens.
        arguments: its arguments.
    """
    for subscription in subscribers:
        try:
            answer = subscription.call(arguments)
            if answer is not None and (answer := begin(answer)) is not None:
                if hasattr(type(answer), "__await__"):
                    answer = await within(subscription.policy, answer)
                read_only_cache(subscription, answer, arguments)
        except BaseException as error:  # noqa: BLE001 - _failed decides what passes
            await _failed(name, subscription, arguments, error)


async def replace(
    name: str,
    subscribers: Subscribers,
    arguments: dict[str, Any],
    check: Callable[[Mapping[str, Any], Mapping[str, Any]], object] | None = None,
) -> dict[str, Any]:
    """Lets every subscriber replace values; each sees them as the one before left them.

    Args:
        name: the trigger.
        subscribers: who listens.
        arguments: its arguments.
        check: raises if an answer cannot be used, beside the trigger's own check; takes the
            values so far, and those of the answer.

    Returns:
        ``arguments`` with the replaced values.
    """
    for subscription in subscribers:
        try:
            answer = subscription.call(arguments)
            if answer is not None and (answer := begin(answer)) is not None:
                if hasattr(type(answer), "__await__"):
                    answer = await within(subscription.policy, answer)
                    if answer is None:
                        continue
                values = read(subscription, answer, arguments)
                if check is not None:
                    check(arguments, values)
                arguments = {**arguments, **values}
        except BaseException as error:  # noqa: BLE001 - _failed decides what passes
            await _failed(name, subscription, arguments, error)
    return arguments


async def first(name: str, subscribers: Subscribers, arguments: Mapping[str, Any]) -> Any:
    """Asks in order until one answers; returns the answer or None."""
    for subscription in subscribers:
        found = await _single(name, subscription, arguments)
        if found is not None:
            return found
    return None


async def last(name: str, subscribers: Subscribers, arguments: Mapping[str, Any]) -> Any:
    """Asks everybody; returns the last answer that is not None, or None."""
    result = None
    for subscription in subscribers:
        found = await _single(name, subscription, arguments)
        if found is not None:
            result = found
    return result


async def _single(name: str, subscription: Subscription, arguments: Mapping[str, Any]) -> Any:
    try:
        answer = subscription.call(arguments)
        if answer is not None and hasattr(type(answer := begin(answer)), "__await__"):
            answer = await within(subscription.policy, answer)
        if answer is not None:
            return read(subscription, answer, arguments).get(subscription.spec.returns[0])
    except BaseException as error:  # noqa: BLE001 - _failed decides what passes
        await _failed(name, subscription, arguments, error)
    return None


class around:  # noqa: N801 - it is called as the functions for the other kinds are
    """Enters the context managers that the subscribers return, around the body.

    The body runs exactly once, whatever they do. They may watch its exception, not swallow it.

    Args:
        name: the trigger.
        subscribers: who listens.
        arguments: its arguments.
    """

    __slots__ = ("_entered", "_guards")

    def __init__(self, name: str, subscribers: Subscribers, arguments: Mapping[str, Any]) -> None:
        self._guards = [_Guard(name, one, arguments) for one in subscribers]
        self._entered: list[_Guard] = []

    async def __aenter__(self) -> None:
        for guard in self._guards:
            try:
                await guard.__aenter__()
            except BaseException as error:
                await self.__aexit__(type(error), error, error.__traceback__)
                raise
            self._entered.append(guard)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        raised: BaseException | None = None
        while self._entered:
            try:
                await self._entered.pop().__aexit__(kind, error, trace)
            except BaseException as new:  # noqa: BLE001 - those outside see it, then it is raised
                kind, error, trace, raised = type(new), new, new.__traceback__, new
        if raised is not None:
            raise raised


class _Guard:
    """Keeps a plugin's failing context manager from the body."""

    __slots__ = ("_arguments", "_manager", "_name", "_subscription")

    def __init__(self, name: str, subscription: Subscription, arguments: Mapping[str, Any]) -> None:
        self._name, self._subscription, self._arguments = name, subscription, arguments
        self._manager: Any = None

    async def __aenter__(self) -> None:
        subscription, arguments = self._subscription, self._arguments
        policy = subscription.policy
        try:
            manager = subscription.call(arguments)
            if hasattr(type(manager), "__await__") and not hasattr(type(manager), "__aenter__"):
                manager = await within(policy, manager)
            if manager is not None:
                await _enter(policy, manager)
                self._manager = manager
        except BaseException as error:  # noqa: BLE001 - _failed decides what passes
            await _failed(self._name, subscription, arguments, error)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        subscription, arguments, manager = self._subscription, self._arguments, self._manager
        if manager is None:
            return
        try:
            if hasattr(type(manager), "__aexit__"):
                await within(subscription.policy, manager.__aexit__(kind, error, trace))
            else:
                manager.__exit__(kind, error, trace)
        except BaseException as raised:  # noqa: BLE001 - likewise
            if raised is not error:
                await _failed(self._name, subscription, arguments, raised)


def asking_code() -> frozenset[CodeType]:
    """Returns the code in whose frames ``subscription`` is who is asked, with ``arguments``."""
    functions = (notify, replace, _single, _Guard.__aenter__, _Guard.__aexit__)
    return frozenset(function.__code__ for function in functions)


async def _enter(policy: Policy, manager: Any) -> None:
    if hasattr(type(manager), "__aenter__"):
        await within(policy, manager.__aenter__())
    elif hasattr(type(manager), "__enter__"):
        manager.__enter__()
    else:
        msg = f"it answered {manager!r:.200}; expected a context manager"
        raise PluginError(msg)


async def _failed(
    name: str, subscription: Subscription, arguments: Mapping[str, Any], error: BaseException
) -> None:
    """Decides about what a plugin raised: to be called where it is handled.

    Raises:
        BaseException: ``error`` itself, if it is to pass.
    """
    if _passes(name, error):
        raise error
    policy, plugin = subscription.policy, subscription.plugin
    if isinstance(error, PluginTimeoutError):
        policy.rest(plugin, name)
    await policy.tell(plugin, subscription.owner, name, error, arguments)
    if policy.raises(plugin):
        raise error


def _passes(name: str, error: BaseException) -> bool:
    if isinstance(error, TaskControl | TaskCancelError):
        return steers(name)
    return not is_failure(error)
