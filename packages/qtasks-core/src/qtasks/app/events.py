"""``app.events``: functions that are called at moments in the life of workers and tasks."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

import msgspec

from qtasks._runtime.bridge import is_async_callable
from qtasks.exc import RegistrationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["EVENTS", "EventHandler", "Events", "OnEvent", "OnEvents"]

F = TypeVar("F", bound="Callable[..., Any]")

_LIFE: Final = ("app", "starter", "worker", "broker")
_WORKER: Final = ("app", "worker", "number")
_RUN: Final = ("app", "worker", "task_func", "task_broker")
_END: Final = (*_RUN, "model")

#: Every event, in the order of a life, and what its handlers may take as arguments.
EVENTS: Final[dict[str, tuple[str, ...]]] = {
    "starting": _LIFE,
    "worker_running": _WORKER,
    "task_running": _RUN,
    "task_success": _END,
    "task_error": _END,
    "task_cancel": _END,
    "task_stopping": _END,
    "worker_stopping": _WORKER,
    "stopping": _LIFE,
}


class EventHandler(msgspec.Struct, frozen=True):
    """A function that was registered for an event.

    Attributes:
        event: the event.
        function: the function.
        is_async: whether calling it gives a coroutine.
        wants: the arguments it is given.
    """

    event: str
    function: Callable[..., Any]
    is_async: bool
    wants: tuple[str, ...]

    def choose(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Returns those of the event's arguments that the function takes."""
        return {name: arguments[name] for name in self.wants}


class OnEvent:
    """Registers functions for one event: ``@app.events.on.task_error``, with parentheses or not.

    Args:
        events: where they are registered.
        name: the event.
    """

    def __init__(self, events: Events, name: str) -> None:
        self._events = events
        self._name = name

    @overload
    def __call__(self, handler: F, /) -> F: ...
    @overload
    def __call__(self, handler: None = None, /) -> Callable[[F], F]: ...
    def __call__(self, handler: Any = None, /) -> Any:
        """Registers a function and returns it as it is.

        Raises:
            RegistrationError: it is no function, or wants an argument that the event lacks.
        """
        return self._register if handler is None else self._register(handler)

    def __repr__(self) -> str:
        return f"<OnEvent {self._name}>"

    def _register(self, handler: F) -> F:
        self._events.add(self._name, handler)
        return handler


class OnEvents:
    """What ``app.events.on`` is: one decorator for each event.

    Args:
        events: where functions are registered.

    Attributes:
        starting: a worker is connected.
        worker_running: it is about to claim tasks.
        task_running: a task is about to run.
        task_success: a task returned, and the broker has its result.
        task_error: a task failed for good, and the broker knows.
        task_cancel: a task was cancelled, and the broker knows.
        task_stopping: a run ended, however it did, also if the task runs again.
        worker_stopping: a worker has settled all its tasks.
        stopping: it is about to disconnect.
    """

    def __init__(self, events: Events) -> None:
        self.starting = OnEvent(events, "starting")
        self.worker_running = OnEvent(events, "worker_running")
        self.task_running = OnEvent(events, "task_running")
        self.task_success = OnEvent(events, "task_success")
        self.task_error = OnEvent(events, "task_error")
        self.task_cancel = OnEvent(events, "task_cancel")
        self.task_stopping = OnEvent(events, "task_stopping")
        self.worker_stopping = OnEvent(events, "worker_stopping")
        self.stopping = OnEvent(events, "stopping")

    if not TYPE_CHECKING:  # type checkers know the attributes above, and report all others

        def __getattr__(self, name: str) -> Any:
            msg = f"there is no event {name!r}{_near(name, EVENTS)}; events are {', '.join(EVENTS)}"
            raise AttributeError(msg)


class Events:
    """The handlers of one app.

    Args:
        on_added: called after a handler was added, with its event.

    Attributes:
        on: one decorator for each event.
    """

    def __init__(self, on_added: Callable[[str], None]) -> None:
        self.on = OnEvents(self)
        self._on_added = on_added
        self._handlers: dict[str, tuple[EventHandler, ...]] = dict.fromkeys(EVENTS, ())

    def add(self, event: str, handler: Callable[..., Any]) -> None:
        """Registers a function for an event; it may be ``def`` or ``async def``.

        Args:
            event: the event's name.
            handler: the function; it gets those arguments of the event that it names.

        Raises:
            RegistrationError: there is no such event, or the function does not fit.
        """
        added = _handler(event, handler)
        self._handlers[event] = (*self._handlers[event], added)
        self._on_added(event)

    def remove(self, event: str, handler: Callable[..., Any]) -> None:
        """Takes a function back; one that is not registered is no error.

        Raises:
            RegistrationError: there is no such event.
        """
        _check_event(event)
        kept = [found for found in self._handlers[event] if found.function is not handler]
        self._handlers[event] = tuple(kept)

    def handlers(self, event: str) -> tuple[EventHandler, ...]:
        """Returns the handlers of an event, in the order in which they were added."""
        return self._handlers[event]


def _handler(event: str, function: Any) -> EventHandler:
    _check_event(event)
    if not callable(function) or isinstance(function, type):
        msg = f"event {event}: {function!r} is no function"
        raise RegistrationError(msg)
    given = EVENTS[event]
    parameters = inspect.signature(function).parameters.values()
    name = getattr(function, "__qualname__", repr(function))
    for parameter in parameters:
        required = parameter.default is parameter.empty and parameter.kind not in _VARIABLE
        by_keyword = parameter.kind is not parameter.POSITIONAL_ONLY
        if required and not (by_keyword and parameter.name in given):
            msg = (
                f"event {event}: {name} wants {parameter.name}{_near(parameter.name, given)};"
                f" handlers get, by keyword, {', '.join(given)}"
            )
            raise RegistrationError(msg)
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    named = {p.name for p in parameters if p.kind is not p.POSITIONAL_ONLY}
    wants = tuple(word for word in given if takes_all or word in named)
    return EventHandler(event, function, is_async_callable(function), wants)


_VARIABLE: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _check_event(event: str) -> None:
    if event not in EVENTS:
        msg = f"there is no event {event!r}{_near(event, EVENTS)}; events are {', '.join(EVENTS)}"
        raise RegistrationError(msg)


def _near(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(word), list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
