"""What a trigger is."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import FunctionType, ModuleType
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec

__all__ = ["Check", "Kind", "Role", "TriggerSpec", "collect", "trigger"]

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
    "stats",
    "plugin",
)

#: What a process does with an app: adds tasks and asks for them, runs them, or looks after those
#: that run them.
Role: TypeAlias = Literal["client", "worker", "supervisor"]

#: Looks at an answer before it counts. Takes the values so far and those of the answer, by key,
#: and returns those that count; raises TypeError or ValueError if the answer cannot be.
Check: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any]]


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
        doc: when it fires and what it is for; its sections are ``Args``, ``Returns``,
            ``Changed`` and ``Example``.
        roles: in which processes it fires.
        per_task: whether it is about one task, so that only plugins that apply to it are asked.
        check: looks at answers before they count; None takes them as they are.
    """

    name: str
    component: str
    kind: Kind
    arguments: tuple[str, ...]
    returns: tuple[str, ...]
    since: str
    doc: str
    roles: tuple[Role, ...] = ("client", "worker")
    per_task: bool = False
    check: Check | None = None

    def section(self, title: str) -> str:
        """Returns a section of the documentation without its indentation; "" if there is none.

        Args:
            title: ``Args``, ``Returns``, ``Changed`` or ``Example``; "" is what stands before
                the first of them.
        """
        parts = re.split(r"^(Args|Returns|Changed|Example):\n", self.doc, flags=re.MULTILINE)
        found = dict(zip(["", *parts[1::2]], parts[::2], strict=True)).get(title, "")
        return textwrap.dedent(found).strip()


def trigger(
    kind: Kind,
    *,
    since: str,
    returns: tuple[str, ...] = (),
    roles: tuple[Role, ...] = ("client", "worker"),
    per_task: bool = False,
    check: Check | None = None,
) -> Callable[[F], F]:
    """Declares the decorated function as a trigger; its parameters are the trigger's arguments.

    Args:
        kind: how answers are used.
        since: the version that brings it.
        returns: the keys an answer may replace.
        roles: in which processes it fires.
        per_task: whether it is about one task.
        check: looks at answers before they count.
    """

    def mark(function: F) -> F:
        setattr(function, _MARK, (kind, returns, since, roles, per_task, check))
        return function

    return mark


def collect(*modules: ModuleType) -> dict[str, TriggerSpec]:
    """Makes the specs of all triggers declared in ``modules``, by name."""
    functions = [f for m in modules for f in vars(m).values() if isinstance(f, FunctionType)]
    specs = [_spec(function) for function in functions if hasattr(function, _MARK)]
    return {spec.name: spec for spec in specs}


def _spec(function: FunctionType) -> TriggerSpec:
    kind, returns, since, roles, per_task, check = getattr(function, _MARK)
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
        roles=roles,
        per_task=per_task,
        check=check,
    )


def _component(name: str) -> str:
    """Returns the component of a trigger by its name; that of others is their prefix."""
    ours = (component for component in _COMPONENTS if name.startswith(f"{component}_"))
    return next(ours, name.partition("_")[0])
