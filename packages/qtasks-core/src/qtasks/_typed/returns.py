"""Results as they are annotated."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, get_args

from qtasks._typed.plans import Planner, UncheckableError
from qtasks._typed.wording import kind_name

if TYPE_CHECKING:
    from qtasks.typing import Colour

__all__ = ["Step", "returned"]

log = logging.getLogger("qtasks.types")

#: Takes a value that has travelled and returns it as annotated.
Step = Callable[[Any], Any]
_GENERATORS: Final = ("generator", "async_generator")


def returned(
    planner: Planner, name: str, colour: Colour, annotation: Any
) -> tuple[Step | None, Step | None]:
    """Returns what rebuilds the results of a task, and what rebuilds the values that it yields.

    Args:
        planner: makes plans.
        name: the name of the task, for messages.
        colour: the kind of function.
        annotation: that of its result; None without one.
    """
    if colour not in _GENERATORS:
        return _step(planner, name, annotation), None
    given = get_args(annotation)  # of Iterator[Yield], Generator[Yield, Send, Return] and the like
    if not given:
        return None, None
    value = _step(planner, name, given[0])
    last = given[2] if len(given) > 2 else None  # noqa: PLR2004 - as above
    if last in (None, type(None)):
        return (None if value is None else lambda found: [value(each) for each in found]), value
    return _step(planner, name, last), value


def _step(planner: Planner, name: str, annotation: Any) -> Step | None:
    if annotation is None:
        return None
    try:
        plan = planner.plan(annotation)
    except UncheckableError:
        return None
    return Rebuilding(name, plan.load) if plan is not None and plan.models else None


class Rebuilding:
    """Returns results as annotated, and those that do not fit as they are.

    Args:
        name: the name of the task.
        load: makes the annotated value of a plain one.
    """

    def __init__(self, name: str, load: Step) -> None:
        self._name = name
        self._load = load

    def __call__(self, value: Any) -> Any:
        try:
            return self._load(value)
        except Exception as error:  # noqa: BLE001 - validators of models may raise anything
            # Whoever looks at a task must be able to, or one result would spoil a whole list.
            log.warning(
                "What %s returned is not what it is annotated with, and stays plain: %s",
                self._name,
                str(error) or kind_name(type(value)),
            )
            return value
