"""Who is asked before whom: one rule, however a plugin subscribes."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from qtasks.exc import RegistrationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks._triggers.subscription import Subscribers, Subscription

__all__ = ["in_order"]


def in_order(subscriptions: Sequence[Subscription]) -> Subscribers:
    """Sorts those who listen to one trigger.

    Those marked ``first`` come first, then those that asked for this very trigger, then those
    that get all there are, then those marked ``last``; within each, in order of registration. A
    plugin that names another in ``before`` or ``after`` moves, as little as it can, and the
    other stays. Names that are not there are ignored.

    Args:
        subscriptions: at most one for each plugin, in order of registration.

    Raises:
        RegistrationError: two plugins want to be asked before each other.
    """
    base = sorted(subscriptions, key=_group)  # stable
    if not any(one.before or one.after for one in base):
        return tuple(base)
    here = {one.plugin: one for one in base}
    earlier: dict[str, set[str]] = {
        name: set(one.after) & here.keys() for name, one in here.items()
    }
    for name, one in here.items():
        for other in set(one.before) & here.keys():
            earlier[other].add(name)
    return tuple(here[name] for name in _sorted(here, earlier))


def _group(one: Subscription) -> int:
    if one.order is not None:
        return 0 if one.order == "first" else 3
    return 1 if one.named else 2


def _sorted(here: dict[str, Subscription], earlier: dict[str, set[str]]) -> list[str]:
    try:
        chain = list(TopologicalSorter(earlier).static_order())
    except CycleError as error:
        raise _cycle(here, error.args[1]) from None
    # Where each wants to be: its own place, or right beside the one it named.
    place = {name: (number, 0) for number, name in enumerate(here)}
    for name in reversed(chain):
        named = [place[other] for other in here[name].before if other in here]
        place[name] = min([place[name], *((number, side - 1) for number, side in named)])
    for name in chain:
        named = [place[other] for other in here[name].after if other in here]
        place[name] = max([place[name], *((number, side + 1) for number, side in named)])
    left, done = sorted(here, key=place.__getitem__), list[str]()
    while left:
        name = next(name for name in left if earlier[name] <= set(done))
        left.remove(name)
        done.append(name)
    return done


def _cycle(here: dict[str, Subscription], names: list[str]) -> RegistrationError:
    trigger = here[names[0]].spec.name
    if len(set(names)) == 1:
        msg = f"plugin {names[0]!r} wants to be asked before or after itself in {trigger}"
    else:
        said = "; ".join(
            f"{name!r} says {word}={other!r}"
            for name in dict.fromkeys(names)
            for word in ("before", "after")
            for other in getattr(here[name], word)
            if other in names
        )
        msg = f"plugins want to be asked before each other in {trigger}: {said}; take one back"
    return RegistrationError(msg)
