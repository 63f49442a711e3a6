"""Calls that give the fields of a model instead of the model."""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any

from qtasks.exc import TaskArgumentsError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from qtasks._typed.values import ValuePlan
    from qtasks.typing import Arguments

__all__ = ["Assembler"]

_BY_PLACE = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


class Assembler:
    """Makes whole models of the fields in a call.

    What is a parameter of the task is never a field. Other keywords belong to the model that has
    a field of that name; positional arguments that stand where a model is expected, and are none,
    are its fields in their order, without those that are given by keyword.

    Args:
        name: the name of the task, for messages.
        signature: its parameters.
        models: the keywords of the fields, by the names of the parameters that are models.
    """

    def __init__(self, name: str, signature: Signature, models: Mapping[str, ValuePlan]) -> None:
        self._name = name
        self._signature = signature
        self._parameters = signature.parameters
        self._models = models
        self._places = [p.name for p in signature.parameters.values() if p.kind in _BY_PLACE]
        self._open = any(p.kind is Parameter.VAR_KEYWORD for p in signature.parameters.values())

    @classmethod
    def of(
        cls, name: str, signature: Signature, plans: Mapping[str, ValuePlan]
    ) -> Assembler | None:
        """Returns one if the task has parameters that can be given by their fields."""
        models = {name: plan for name, plan in plans.items() if plan.fields is not None}
        models = {k: v for k, v in models.items() if _takes_fields(signature.parameters[k])}
        return cls(name, signature, models) if models else None

    def __call__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Arguments:
        """Returns the arguments with whole models.

        Raises:
            TaskArgumentsError: several models have a field of that name.
        """
        if self._is_whole(args, kwargs):
            return args, kwargs
        whole = {name: value for name, value in kwargs.items() if name in self._parameters}
        given = {*whole, *self._given_by_place(args)}
        others: dict[str, Any] = {}
        fields: dict[str, dict[str, Any]] = {}
        for name in kwargs.keys() - whole.keys():
            owner = self._owner(name, given)
            if owner is None:
                others[name] = kwargs[name]
            else:
                fields.setdefault(owner, {})[self._fields(owner)[name]] = kwargs[name]
        left = self._spread(list(args), whole, fields)
        if left is None:
            return args, kwargs  # the signature says what is wrong with it
        return self._ordered({**whole, **fields}, left, others)

    def _given_by_place(self, args: tuple[Any, ...]) -> list[str]:
        """Returns the parameters that the first positional arguments stand for as a whole."""
        found = []
        for place, value in zip(self._places, args, strict=False):
            if place in self._models and not self._takes(place, value):
                break
            found.append(place)
        return found

    def _spread(
        self, args: list[Any], whole: dict[str, Any], fields: dict[str, dict[str, Any]]
    ) -> list[Any] | None:
        """Gives positional arguments their places; returns what is left over.

        Returns:
            None if one of the places is taken.
        """
        for place in self._places:
            if not args:
                break
            if place in whole:
                return None
            if place in self._models and (place in fields or not self._takes(place, args[0])):
                given = fields.setdefault(place, {})
                names = dict.fromkeys(self._fields(place).values())
                for field in [name for name in names if name not in given][: len(args)]:
                    given[field] = args.pop(0)
            else:
                whole[place] = args.pop(0)
        return args

    def _ordered(
        self, values: Mapping[str, Any], left: list[Any], others: Mapping[str, Any]
    ) -> Arguments:
        """Returns values by place as far as there is no gap, and the others by name."""
        args: list[Any] = []
        for place in self._places:
            if place not in values:
                break
            args.append(values[place])
        by_name = {k: v for k, v in values.items() if k not in self._places[: len(args)]}
        return (*args, *left), {**by_name, **others}

    def _is_whole(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Tells whether a call gives every model as a whole."""
        try:
            bound = self._signature.bind(*args, **kwargs).arguments
        except TypeError:
            return False
        return all(name not in bound or self._takes(name, bound[name]) for name in self._models)

    def _owner(self, name: str, given: Collection[str]) -> str | None:
        """Returns the parameter whose model has a field of this name."""
        if self._open:
            return None  # the task takes any keyword
        owners = [each for each in self._models if name in self._fields(each)]
        owners = [each for each in owners if each not in given]
        if len(owners) > 1:
            both = " and of ".join(owners)
            msg = (
                f"{self._name}: {name} is a field of {both}; pass them whole, for example"
                f" {owners[0]}={self._models[owners[0]].expected}({name}=...)"
            )
            raise TaskArgumentsError(msg)
        return owners[0] if owners else None

    def _fields(self, parameter: str) -> dict[str, str]:
        return self._models[parameter].fields or {}

    def _takes(self, parameter: str, value: Any) -> bool:
        """Tells whether a value stands for the whole model, fitting or not."""
        if value is None or isinstance(value, dict):
            return True
        try:
            self._models[parameter].load(value)
        except (ValueError, TypeError):
            return False
        return True


def _takes_fields(parameter: Parameter) -> bool:
    return parameter.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
