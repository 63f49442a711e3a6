"""Looking on while plugins are asked: who, in which trigger, for how long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from qtasks._triggers.subscription import Subscription

__all__ = ["Asked", "traced"]


class Asked(msgspec.Struct, frozen=True):
    """One time that a plugin was asked.

    Attributes:
        trigger: the trigger.
        plugin: the plugin's name.
        microseconds: how long it took; of one that is awaited, until it answered.
        task: the id of the task it was about, or empty.
        answered: whether it answered with something other than None.
        error: what it raised, or empty.
    """

    trigger: str
    plugin: str
    microseconds: float
    task: str = ""
    answered: bool = False
    error: str = ""


def traced(subscription: Subscription, tell: Callable[[Asked], object]) -> Subscription:
    """Returns a subscription that tells of each time it is asked, and answers as before.

    Args:
        subscription: the subscription.
        tell: is told; it must not raise, and may be called from any thread.
    """
    ask = subscription.call

    def call(arguments: Mapping[str, Any]) -> Any:
        begun = time.perf_counter()
        try:
            answer = ask(arguments)
        except BaseException as error:
            tell(_asked(subscription, arguments, begun, error=error))
            raise
        if hasattr(type(answer), "__await__") and not hasattr(type(answer), "__aenter__"):
            return awaited(answer, arguments, begun)
        tell(_asked(subscription, arguments, begun, answer))
        return answer

    async def awaited(answer: Awaitable[Any], arguments: Mapping[str, Any], begun: float) -> Any:
        try:
            value = await answer
        except BaseException as error:
            tell(_asked(subscription, arguments, begun, error=error))
            raise
        tell(_asked(subscription, arguments, begun, value))
        return value

    return msgspec.structs.replace(subscription, call=call)


def _asked(
    subscription: Subscription,
    arguments: Mapping[str, Any],
    begun: float,
    answer: Any = None,
    error: BaseException | None = None,
) -> Asked:
    return Asked(
        subscription.spec.name,
        subscription.plugin,
        round((time.perf_counter() - begun) * 1e6, 1),
        _task(arguments),
        answer is not None,
        "" if error is None else f"{type(error).__name__}: {error}",
    )


def _task(arguments: Mapping[str, Any]) -> str:
    delivery = arguments.get("task_broker")
    if delivery is None:
        delivery = getattr(arguments.get("task_executor"), "task_broker", None)
    found = getattr(delivery, "id", None) or arguments.get("uuid")
    return found if isinstance(found, str) else ""
