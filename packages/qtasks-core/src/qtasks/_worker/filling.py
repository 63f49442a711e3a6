"""Where the values that plugins fill in go among the arguments of a call."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from qtasks.exc import TaskArgumentsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks.schemas import TaskDefinition
    from qtasks.typing import Arguments

__all__ = ["Layout"]

_BY_PLACE: Final = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)


class Layout:
    """The parameters of one task, of which plugins fill in some and calls give the others.

    Args:
        task: the task.
    """

    def __init__(self, task: TaskDefinition) -> None:
        parameters = list(inspect.signature(task.func).parameters.values())
        if task.echo and parameters[0].kind is not inspect.Parameter.VAR_POSITIONAL:
            del parameters[0]
        self._name = task.name
        self._filled = task.filled
        self._places = [one for one in parameters if one.kind in _BY_PLACE]

    def arrange(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], values: Mapping[str, Any]
    ) -> Arguments:
        """Returns the arguments of the function.

        Args:
            args: the positional arguments of the call, which knows nothing of filled parameters.
            kwargs: its keyword arguments.
            values: what was filled in, by parameter.

        Raises:
            TaskArgumentsError: a parameter was not filled in.
        """
        for name, plugin in self._filled.items():
            if name not in values:
                msg = f"{self._name}: the plugin {plugin!r} did not fill in {name}"
                raise TaskArgumentsError(msg)
        values = {name: values[name] for name in self._filled}
        rest = {**kwargs, **values}
        given = list(args)
        if not given and not any(self._only_by_place()):
            return (), rest
        placed: list[Any] = []
        for parameter in self._places:
            name = parameter.name
            if name in values:
                placed.append(rest.pop(name))
            elif given:
                placed.append(given.pop(0))
            elif name in rest and parameter.kind is not parameter.POSITIONAL_ONLY:
                placed.append(rest.pop(name))
            elif parameter.default is not parameter.empty:
                placed.append(parameter.default)
            else:
                break  # the function says what is missing
        return (*placed, *given), rest

    def _only_by_place(self) -> list[bool]:
        return [p.kind is p.POSITIONAL_ONLY and p.name in self._filled for p in self._places]
