"""What an answer means, and what is none: a bad one is the plugin's error, never the task's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks._triggers.caches import PLUGIN_CACHE
from qtasks.exc import PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks._triggers.subscription import Subscription

__all__ = ["read", "read_only_cache"]


def read(subscription: Subscription, answer: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values that an answer replaces, by key; empty if it is none.

    It is the documented dictionary only if it is one with documented keys alone, and at least
    one. Otherwise, where a trigger has one key, it is that key's value itself.

    Raises:
        PluginError: it is neither.
    """
    spec = subscription.spec
    keys = spec.returns
    if isinstance(answer, dict) and answer:
        extra = answer.keys() - keys
        if extra == {PLUGIN_CACHE} and subscription.caches is not None:
            answer = subscription.caches.take(answer, arguments)
            if answer is None:
                return {}
            extra = set()
        if not extra:
            return _checked(subscription, answer, arguments)
    if len(keys) == 1:
        return _checked(subscription, {keys[0]: answer}, arguments)
    msg = f"it answered {answer!r:.200}; expected a dict with some of the keys {', '.join(keys)}"
    raise PluginError(msg)


def read_only_cache(subscription: Subscription, answer: Any, arguments: Mapping[str, Any]) -> None:
    """Takes what is to be kept from an answer that is ignored otherwise."""
    if subscription.caches is not None and isinstance(answer, dict) and PLUGIN_CACHE in answer:
        subscription.caches.take(answer, arguments)


def _checked(
    subscription: Subscription, values: dict[str, Any], arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the values that count, as the trigger's own check leaves them."""
    check = subscription.spec.check
    if check is None:
        return values
    try:
        return dict(check(arguments, values))
    except Exception as error:
        msg = f"it answered {values!r:.200}: {error}"
        raise PluginError(msg) from error
