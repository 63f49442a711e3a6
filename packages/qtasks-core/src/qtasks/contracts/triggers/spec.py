"""What a trigger is."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import StrEnum
from types import FunctionType, ModuleType
from typing import Any, TypeVar

import msgspec

__all__ = ["Kind", "TriggerSpec", "collect", "trigger"]

F = TypeVar("F", bound=Callable[..., Any])
_MARK = "__qtasks_trigger__"
_COMPONENTS = (
    "task_executor",
    "global_config",
    "qtasks",
    "broker",
    "worker",
    "storage",
    "starter",
    "plugin",
)


class Kind(StrEnum):
    """How the answers of a trigger's subscribers are used."""

    #: Answers are ignored.
    NOTIFY = "notify"
    #: Each subscriber sees the values as the one before left them.
    FILTER = "filter"
    #: The first answer that is not None wins and ends the round.
    FIRST = "first"
    #: All are asked; the last answer that is not None wins.
    LAST = "last"
    #: Subscribers return a context manager that is entered around a step.
    AROUND = "around"


class TriggerSpec(msgspec.Struct, frozen=True):
    """The declaration of one trigger.

    Attributes:
        name: its name; the prefix says which component fires it.
        component: that component.
        kind: how answers are used.
        arguments: the names of its keyword arguments, in order.
        returns: the keys an answer may replace; empty if answers are not used.
        since: the version that brought it.
        doc: when it fires and what it is for.
    """

    name: str
    component: str
    kind: Kind
    arguments: tuple[str, ...]
    returns: tuple[str, ...]
    since: str
    doc: str


def trigger(kind: Kind, *, returns: tuple[str, ...] = (), since: str) -> Callable[[F], F]:
    """Declares the decorated function as a trigger; its parameters are the trigger's arguments.

    Args:
        kind: how answers are used.
        returns: the keys an answer may replace.
        since: the version that brings it.
    """

    def mark(function: F) -> F:
        setattr(function, _MARK, (kind, returns, since))
        return function

    return mark


def collect(*modules: ModuleType) -> dict[str, TriggerSpec]:
    """Makes the specs of all triggers declared in ``modules``, by name."""
    functions = [f for m in modules for f in vars(m).values() if isinstance(f, FunctionType)]
    specs = [_spec(function) for function in functions if hasattr(function, _MARK)]
    return {spec.name: spec for spec in specs}


def _spec(function: FunctionType) -> TriggerSpec:
    kind, returns, since = getattr(function, _MARK)
    name = function.__name__
    return TriggerSpec(
        name=name,
        component=next(
            (c for c in _COMPONENTS if name.startswith(c + "_")), name.partition("_")[0]
        ),
        kind=kind,
        arguments=tuple(inspect.signature(function).parameters),
        returns=returns,
        since=since,
        doc=inspect.getdoc(function) or "",
    )


def _component(name: str) -> str:
    """Returns the component of a trigger by its name; that of others is their prefix."""
    ours = (component for component in _COMPONENTS if name.startswith(f"{component}_"))
    return next(ours, name.partition("_")[0])
