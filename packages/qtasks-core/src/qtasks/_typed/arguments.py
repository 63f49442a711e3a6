"""The arguments of one task's calls: checked before they are queued, rebuilt where they arrive."""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qtasks._typed.values import MisfitError
from qtasks._typed.wording import kind_name
from qtasks.contracts.codec import encode
from qtasks.contracts.injected import INJECTED
from qtasks.exc import CodecError, DecodeError, TaskArgumentsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qtasks._typed.values import ValuePlan
    from qtasks.typing import Arguments

__all__ = ["ArgumentPlans"]

_BY_PLACE: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_BY_NAME: Final = (Parameter.KEYWORD_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


class ArgumentPlans:
    """What the annotations of a task's parameters mean for the arguments of a call.

    Args:
        name: the name of the task, for messages.
        signature: the parameters.
        plans: what was made of their annotations.
    """

    def __init__(self, name: str, signature: Signature, plans: Mapping[str, ValuePlan]) -> None:
        self._name = name
        self._signature = signature
        parameters = signature.parameters.values()
        by_name = [p.name for p in parameters if p.kind in _BY_NAME]
        self._place_names = [p.name for p in parameters if p.kind in _BY_PLACE]
        self._places = tuple(map(plans.get, self._place_names))
        self._known = frozenset(by_name)
        self._names = {name: plans[name] for name in by_name if name in plans}
        self._rest_name = _name_of(Parameter.VAR_POSITIONAL, signature)
        self._rest = plans.get(self._rest_name)
        self._others = plans.get(_name_of(Parameter.VAR_KEYWORD, signature))

    def admit(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Checks arguments that fit the signature.

        Raises:
            TaskArgumentsError: a value does not fit its annotation.
            EncodeError: a value cannot travel.
        """
        for index, (value, plan) in enumerate(zip(args, self._places, strict=False)):
            if plan is not None and type(value) not in plan.kinds:
                self._admit_one(plan, value, self._place_names[index])
        if self._rest is not None:
            for value in args[len(self._places) :]:
                self._admit_one(self._rest, value, "")
        for name, value in kwargs.items():
            plan = self._names.get(name)
            if plan is None and name not in self._known:
                plan = self._others
            if plan is not None and type(value) not in plan.kinds:
                self._admit_one(plan, value, name)

    def load(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Arguments:
        """Returns arguments as annotated.

        Raises:
            TaskArgumentsError: a value does not fit its annotation.
        """
        return self._each(args, kwargs, self._load_one)

    def from_json(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Arguments:
        """Returns arguments that were JSON with what JSON writes as text made of it: dates, UUIDs.

        What cannot be made stays, and is refused when the call is added.

        Args:
            args: the positional arguments.
            kwargs: the others.
        """
        return self._each(args, kwargs, _of_json)

    def _each(
        self,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        step: Callable[[ValuePlan, Any, str], Any],
    ) -> Arguments:
        """Puts those arguments through a step that need a second look."""
        changed = list(args)
        for index, (value, plan) in enumerate(zip(args, self._places, strict=False)):
            if plan is not None and type(value) not in plan.kinds:
                changed[index] = step(plan, value, self._place_names[index])
        if self._rest is not None:
            for index in range(len(self._places), len(args)):
                changed[index] = step(self._rest, args[index], "")
        if not kwargs:
            return tuple(changed), kwargs
        named = dict(kwargs)
        for name, value in kwargs.items():
            plan = self._names.get(name)
            if plan is None and name not in self._known:
                plan = self._others
            if plan is not None and type(value) not in plan.kinds:
                named[name] = step(plan, value, name)
        return tuple(changed), named

    def _admit_one(self, plan: ValuePlan, value: Any, name: str) -> None:
        if type(value) in plan.kinds or value is INJECTED:
            return
        try:
            plan.admit(value)
        except DecodeError:
            error = MisfitError("a model cannot be the key of a dict: use one of its fields")
            raise self._misfit(plan, value, name, error) from None
        except CodecError:
            what = f"argument {name!r}" if name else f"each of *{self._rest_name}"
            encode(value, f"the call of {self._text()}: {what}")  # once more, for the words
            raise
        except (ValueError, TypeError) as error:
            raise self._misfit(plan, value, name, error) from None

    def _load_one(self, plan: ValuePlan, value: Any, name: str) -> Any:
        if type(value) in plan.kinds:
            return value
        try:
            return plan.load(value)
        except (ValueError, TypeError) as error:
            raise self._misfit(plan, value, name, error) from None

    def _misfit(
        self, plan: ValuePlan, value: Any, name: str, error: Exception
    ) -> TaskArgumentsError:
        what = name or f"each of *{self._rest_name}"
        kind = kind_name(type(value))
        why = f"but the {kind} is not: {error}" if str(error) else f"not {kind}"
        msg = f"{self._name}: {what} must be {plan.expected}, {why}; the task is {self._text()}"
        return TaskArgumentsError(msg)

    def _text(self) -> str:
        return f"{self._name}{self._signature}"


def _name_of(kind: Any, signature: Signature) -> str:
    names = [p.name for p in signature.parameters.values() if p.kind is kind]
    return names[0] if names else ""


def _of_json(plan: ValuePlan, value: Any, _name: str) -> Any:
    try:
        return msgspec.convert(value, plan.annotation, str_keys=True)
    except (ValueError, TypeError, NameError):
        return value
