"""Task objects: what ``@app.task`` puts in the place of a function."""

from __future__ import annotations

import difflib
import functools
from typing import TYPE_CHECKING, Any, Generic

import msgspec
from typing_extensions import ParamSpec, TypeVar

from qtasks._core.binding import fit_arguments, signature_text
from qtasks.exc import TaskArgumentsError
from qtasks.schemas import CallOptions, TaskCall, TaskDefinition
from qtasks.schemas.options import NO_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from qtasks.app.base import BaseQueueTasks
    from qtasks.contracts.context import BaseContext

__all__ = ["OPTION_NAMES", "BaseTask", "make_options", "split_options"]

# The defaults let people annotate ``self: AsyncTask`` and no more.
P = ParamSpec("P", default=...)
R = TypeVar("R", default=Any)
#: What calling the function directly gives: a coroutine for coroutine functions, else the result.
C = TypeVar("C", default=Any)

#: The keywords that ``add_task`` takes for itself.
OPTION_NAMES = frozenset(CallOptions.__struct_fields__)
#: These and the name of another task, for tasks that add others.
_KEYWORDS = OPTION_NAMES | {"task_name"}


class BaseTask(Generic[P, R, C]):
    """A registered task: callable as the function it was, and addable to a queue.

    Args:
        definition: what is known about the function.

    Attributes:
        definition: likewise.
        task_name: its name.
    """

    __wrapped__: Callable[P, C]

    def __init__(self, definition: TaskDefinition) -> None:
        functools.update_wrapper(self, definition.func)
        self.definition = definition
        self.task_name = definition.name
        self._clashes = _KEYWORDS & definition.signature.parameters.keys()
        self._ctx: BaseContext | None = None
        if definition.echo:
            self.__signature__ = definition.signature

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> C:
        """Runs the function here and now, as if it were not a task.

        With ``echo=True`` the function gets this object, which has no ``ctx`` then.
        """
        function: Callable[..., C] = self.__wrapped__
        return (
            function(self, *args, **kwargs) if self.definition.echo else function(*args, **kwargs)
        )

    def build(self, *args: P.args, **kwargs: P.kwargs) -> TaskCall:
        """Makes a call for ``app.add_tasks``; all keywords are the task's own.

        Raises:
            TaskArgumentsError: the arguments do not fit the task.
        """
        return self._call(args, kwargs, NO_OPTIONS)

    def __repr__(self) -> str:
        """Shows the signature."""
        return f"<{type(self).__name__} {signature_text(self.definition)}>"

    def _within(self, app: BaseQueueTasks | None = None) -> TaskDefinition:  # noqa: ARG002 - for tasks without an app of their own
        """Returns the task as an app knows it; None is the app that calls go to."""
        return self.definition

    def _call(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], options: CallOptions
    ) -> TaskCall:
        if self._ctx is not None:
            self._ctx.check()
        args, kwargs = fit_arguments(self.definition, args, kwargs)
        return TaskCall(self._within().name, args, kwargs, options)

    def _running(self, ctx: BaseContext) -> Self:
        """Returns this task as its function sees it in a run."""
        running = object.__new__(type(self))
        running.__dict__.update(self.__dict__)
        running._ctx = ctx
        return running

    def _context(self) -> BaseContext:
        if self._ctx is None:
            msg = (
                f"{self.task_name} does not run here, so it has no ctx: declare the task with"
                " echo=True, and use ctx of the object that the function gets first"
            )
            raise RuntimeError(msg)
        return self._ctx

    def _call_with_options(
        self, args: tuple[Any, ...], keywords: dict[str, Any], app: BaseQueueTasks | None = None
    ) -> TaskCall:
        if self._ctx is not None:
            self._ctx.check()
        if self._clashes and (clash := sorted(self._clashes & keywords.keys())):
            msg = (
                f"{self.task_name} has a parameter {clash[0]!r} of its own, which is also an"
                f" option: write {self.task_name}.options(...).add_task({clash[0]}=...), where"
                " every keyword of add_task is the task's"
            )
            raise TaskArgumentsError(msg)
        options, kwargs = split_options(keywords)
        if "task_name" in kwargs and "task_name" not in self._clashes:
            name = kwargs.pop("task_name")
        else:
            name = self._within(app).name
        return TaskCall(name, args, kwargs, options)


def split_options(keywords: dict[str, Any]) -> tuple[CallOptions, dict[str, Any]]:
    """Separates the options of a call from the task's own keyword arguments."""
    if OPTION_NAMES.isdisjoint(keywords):
        return NO_OPTIONS, keywords
    options = {key: value for key, value in keywords.items() if key in OPTION_NAMES}
    kwargs = {key: value for key, value in keywords.items() if key not in OPTION_NAMES}
    return CallOptions(**options), kwargs


def make_options(before: CallOptions, keywords: Mapping[str, Any]) -> CallOptions:
    """Adds options to others.

    Raises:
        TaskArgumentsError: there is no such option.
    """
    for key in keywords.keys() - OPTION_NAMES:
        close = difflib.get_close_matches(key, OPTION_NAMES, n=1)
        hint = f", did you mean {close[0]!r}?" if close else ""
        msg = f"unknown option {key!r}{hint}; options are {', '.join(sorted(OPTION_NAMES))}"
        raise TaskArgumentsError(msg)
    return msgspec.structs.replace(before, **keywords)
