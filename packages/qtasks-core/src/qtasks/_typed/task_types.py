"""The annotations of one task, put to use: calls are checked, values come back as annotated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from qtasks._typed.arguments import ArgumentPlans
from qtasks._typed.assembling import Assembler
from qtasks._typed.hints import RETURN, hints_of
from qtasks._typed.plans import Planner, UncheckableError
from qtasks._typed.returns import Step, returned
from qtasks.contracts.injected import INJECTED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from inspect import Signature

    from qtasks._typed.plans import Finder
    from qtasks._typed.values import ValuePlan
    from qtasks.typing import Arguments, Colour

__all__ = ["TaskTypes"]


class TaskTypes:
    """What the annotations of a task come to.

    They are looked at when the first call needs them, so that they may name what is defined
    below the function. What turns out not to be needed is None from then on.

    Args:
        name: the name of the task, for messages.
        function: its function.
        signature: what calls give.
        colour: the kind of function.
        find: asks the plugins about types, see ``qtasks_value_converter``.
        validate: whether values are checked; without, models come back all the same.
        replaced: whether what the function returns, or yields, is not what is stored.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        signature: Signature,
        colour: Colour,
        find: Finder,
        *,
        validate: bool,
        replaced: bool,
    ) -> None:
        self._name = name
        self._function = function
        self._signature = signature
        self._colour = colour
        self._find = find
        self._validate = validate
        self._replaced = replaced
        self._compiled = False
        self._unchecked: dict[str, str] = {}
        self._unresolved: dict[str, str] = {}
        #: Makes whole models of the fields in a call; takes and returns its arguments.
        self.assemble: Callable[..., Arguments] | None = self._assemble_first
        #: Checks the arguments of a call before it is queued.
        self.admit: Callable[..., None] | None = self._admit_first
        #: Checks arguments that have arrived, and returns them as annotated.
        self.load: Callable[..., Arguments] | None = self._load_first
        #: Returns what the function has returned in another process as annotated.
        self.returned: Step | None = None
        #: Likewise what it has yielded.
        self.yielded: Step | None = None
        #: Returns a stored result as annotated.
        self.result: Step | None = self._result_first
        #: Returns a stored value that was yielded as annotated.
        self.value: Step | None = self._value_first

    @property
    def unchecked(self) -> Mapping[str, str]:
        """Parameters whose values nothing can be said about, and why."""
        self._compile()
        return self._unchecked

    @property
    def unresolved(self) -> Mapping[str, str]:
        """Parameters whose annotations cannot be resolved, and why."""
        self._compile()
        return self._unresolved

    @property
    def plans(self) -> Mapping[str, ValuePlan]:
        """What was made of the annotations of the parameters."""
        self._compile()
        return self._plans

    def from_json(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Arguments:
        """Returns arguments that were JSON with what JSON writes as text made of it."""
        self._compile()
        return self._arguments.from_json(args, kwargs)

    def _compile(self) -> None:
        if self._compiled:
            return
        hints = hints_of(self._function, self._signature)
        planner = Planner(self._find)
        parameters = self._signature.parameters
        unchecked: dict[str, str] = {}
        plans: dict[str, ValuePlan] = {}
        for name, annotation in hints.known.items():
            if name == RETURN or parameters[name].default is INJECTED:
                continue
            try:
                plan = planner.plan(annotation)
            except UncheckableError as error:
                unchecked[name] = str(error)
            else:
                if plan is not None and (self._validate or plan.models):
                    plans[name] = _or_none(plan) if parameters[name].default is None else plan
        self._plans = plans
        self._unchecked = unchecked
        self._unresolved = {k: v for k, v in hints.unknown.items() if k != RETURN}
        arguments = self._arguments = ArgumentPlans(self._name, self._signature, plans)
        self.assemble = Assembler.of(self._name, self._signature, plans)
        self.admit = arguments.admit if plans and self._validate else None
        self.load = arguments.load if plans else None
        if self.assemble is not None:  # whoever added it may not know the task
            self.load = self._load_fields
        self.returned, self.yielded = returned(
            planner, self._name, self._colour, hints.known.get(RETURN)
        )
        self.result = None if self._replaced else self.returned
        self.value = None if self._replaced else self.yielded
        self._compiled = True

    # Until the annotations have been looked at

    def _assemble_first(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Arguments:
        self._compile()
        return (args, kwargs) if self.assemble is None else self.assemble(args, kwargs)

    def _admit_first(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self._compile()
        if self.admit is not None:
            self.admit(args, kwargs)

    def _load_first(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Arguments:
        self._compile()
        return (args, kwargs) if self.load is None else self.load(args, kwargs)

    def _result_first(self, value: Any) -> Any:
        self._compile()
        return value if self.result is None else self.result(value)

    def _value_first(self, value: Any) -> Any:
        self._compile()
        return value if self.value is None else self.value(value)

    # After that

    def _load_fields(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Arguments:
        assert self.assemble is not None  # noqa: S101 - only then it is this
        return self._arguments.load(*self.assemble(args, kwargs))


def _or_none(plan: ValuePlan) -> ValuePlan:
    """Allows None where it is the default, whether or not the annotation says so."""
    return msgspec.structs.replace(plan, kinds=plan.kinds | {type(None)})
