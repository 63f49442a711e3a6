"""A registered task: what the engine knows about a function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Literal

import msgspec

from qtasks.schemas.unique import Unique
from qtasks.typing import Colour, Pool, ValueTypes

__all__ = ["TaskDefinition"]


class TaskDefinition(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One registered task.

    Attributes:
        name: the name it is called by.
        func: the function itself.
        colour: what kind of function it is.
        pool: where it runs.
        signature: what calls are checked against; without the first parameter if that is ``echo``,
            and without those that plugins fill in.
        echo: whether the function's first parameter is the running task itself.
        queue: the queue its calls go to unless a call says otherwise.
        priority: −128…127, lower runs earlier; None takes the app's default.
        unique: how its calls are told apart, and for how long there is one of a kind; None if they
            are not.
        expires: seconds (or a timedelta) within which its calls have to be started; None for no
            limit.
        max_time: seconds a run may take, counted from its start; None for no limit.
        store_result: whether the record outlives the run.
        ack: ``immediate`` settles without waiting for ``commit_interval``.
        executor: the executor class, or None for the default of its pool.
        middlewares_before: classes that are called before the function, in order; or partials of
            them, with options.
        middlewares_after: likewise, after it.
        decode: turns the result into the value that is stored, or None.
        generate_handler: is called with each value that a generator yields; what it returns takes
            the value's place, or None.
        stream: whether the values of a generator can be read while it runs.
        description: a sentence for people.
        tags: words for people and plugins.
        max_attempts: how many attempts a retry policy allows, which plugins set; None without one.
        arity: fewest and most arguments of a call without keywords, so that most calls are checked
            by counting; None if such a call does not fit, or nobody counted.
        validate: whether the values of calls are checked against the annotations.
        types: what the annotations mean for the values of calls and results; None if nobody has
            looked.
        filled: the parameters that plugins fill in where the task runs, and by which plugin.
        where: file and line of the function, for messages.
        extra: decorator keywords that core does not know; plugins read them.
    """

    name: str
    func: Callable[..., Any]
    colour: Colour
    pool: Pool
    signature: inspect.Signature
    echo: bool = False
    queue: str = "default"
    priority: int | None = None
    unique: Unique | None = None
    expires: float | timedelta | None = None
    max_time: float | None = None
    store_result: bool = True
    ack: Literal["group", "immediate"] = "group"
    executor: type[Any] | None = None
    middlewares_before: tuple[Callable[[Any], Any], ...] = ()
    middlewares_after: tuple[Callable[[Any], Any], ...] = ()
    decode: Callable[[Any], Any] | None = None
    generate_handler: Callable[[Any], Any] | None = None
    stream: bool = True
    description: str = ""
    tags: tuple[str, ...] = ()
    max_attempts: int | None = None
    arity: tuple[int, float] | None = None
    validate: bool = True
    types: ValueTypes | None = None
    filled: Mapping[str, str] = msgspec.field(default_factory=dict)
    where: str = ""
    extra: Mapping[str, Any] = msgspec.field(default_factory=dict)

    @property
    def is_async(self) -> bool:
        """Whether the function runs on the loop, awaiting."""
        return self.colour in ("coroutine", "async_generator")

    @property
    def generates(self) -> bool:
        """Whether the function yields values."""
        return self.colour in ("generator", "async_generator")
