"""The inside of a pool process: reads requests, calls functions, writes answers.

Kept free of everything a child does not need, so that it starts fast and stays small.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import os
import runpy
import signal
import sys
import threading
import time
import types
from typing import TYPE_CHECKING, Any, BinaryIO

from qtasks._runtime.current import current_delivery, loads_main
from qtasks._runtime.errors import describe
from qtasks._runtime.logs import mark_handlers
from qtasks.contracts.codec import decode, encode
from qtasks.contracts.generating import exhaust
from qtasks.exc import (
    Discard,
    Reject,
    RetryLater,
    Snooze,
    TaskCancelError,
    TaskPluginTriggerError,
)
from qtasks.schemas import Delivery, Message

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "CONTROLS",
    "ChildAnswer",
    "ChildHello",
    "load_main",
    "read_frame",
    "serve",
    "write_frame",
]

_LENGTH = 4
#: What a main file is called: where it was started, and where it was loaded to find tasks.
_MAIN = ("__main__", "__mp_main__")
#: Seconds between two looks whether the worker still lives.
_PARENT_INTERVAL = 1.0

#: The exceptions that steer a run; they alone are made anew in the worker, from plain values.
CONTROLS: dict[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (RetryLater, Snooze, Reject, Discard, TaskCancelError, TaskPluginTriggerError)
}


@dataclasses.dataclass
class ChildHello:
    """What a child is told first.

    Attributes:
        path: the worker's ``sys.path``.
        main: the file the worker was started from, or None; tasks may be defined in it.
    """

    path: list[str]
    main: str | None


@dataclasses.dataclass
class ChildAnswer:
    """What a child answers.

    Attributes:
        result: what the function returned.
        error: the fields of a ``TaskError``, if it raised.
        raised: name and arguments of one of :data:`CONTROLS`, if it raised one.
        yielded: whether ``result`` is a value that a generator yielded, which waits for the answer.
    """

    result: Any = None
    error: dict[str, str] | None = None
    raised: tuple[str, tuple[Any, ...]] | None = None
    yielded: bool = False


def write_frame(stream: BinaryIO, data: bytes) -> None:
    """Writes a length and that many bytes."""
    stream.write(len(data).to_bytes(_LENGTH, "big") + data)
    stream.flush()


def read_frame(stream: BinaryIO) -> bytes | None:
    """Reads what :func:`write_frame` wrote; None at the end of the stream."""
    head = stream.read(_LENGTH)
    if len(head) < _LENGTH:
        return None
    size = int.from_bytes(head, "big")
    data = stream.read(size)
    return data if len(data) == size else None


def serve() -> None:
    """Says that it is there, and answers requests until standard input ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # they are for the worker, which ends its children
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what tasks print must not end up among the answers
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    hello = read_frame(requests)
    if hello is None:
        return
    greeting = ChildHello(**decode(hello))
    sys.path[:] = greeting.path
    write_frame(answers, b"")  # it is there
    while (request := read_frame(requests)) is not None:

        def take(value: Any) -> Any:
            encode(value, "a yielded value")  # alone first, so that an error names it
            write_frame(answers, encode(ChildAnswer(result=value, yielded=True)))
            answer = read_frame(requests)
            if answer is None:
                os._exit(1)  # the worker is gone
            return decode(answer)

        write_frame(answers, _answer(request, greeting.main, take))


def _end_with_parent(parent: int) -> None:
    """Ends this process soon after the worker has died, whatever it is computing."""
    while os.getppid() == parent:
        time.sleep(_PARENT_INTERVAL)
    os._exit(1)


def _answer(request: bytes, main: str | None, take: Callable[[Any], Any]) -> bytes:
    try:
        module, name, args, kwargs, running, typed = decode(request)
        found = _find(module, name, main)
        function = found if isinstance(found, types.FunctionType) else found.__wrapped__
        _remember(*running)
        if typed:
            args, kwargs = _load(found, function, args, kwargs)
        result = function(*args, **kwargs)
        if inspect.isgeneratorfunction(function):
            result = exhaust(result, take)
        encode(result, "the result")  # alone first, so that an error names it
        return encode(ChildAnswer(result=result))
    except tuple(CONTROLS.values()) as error:
        return encode(ChildAnswer(raised=(type(error).__name__, _arguments(error))))
    except Exception as error:  # noqa: BLE001 - all of it goes back to the worker as data
        found = describe(error)
        fields = {"type": found.type, "message": found.message, "traceback": found.traceback}
        return encode(ChildAnswer(error=fields))


def _remember(task_id: str | None, task: str, root_id: str | None) -> None:
    """Has log records name the task that runs, and tasks that it adds know where they come from."""
    message = Message(id=task_id or "", task=task, queue="", payload=b"", root_id=root_id)
    current_delivery.set(None if task_id is None else Delivery(message, token=0))
    mark_handlers()  # also those that came with the function's module


def _arguments(error: Exception) -> tuple[Any, ...]:
    match error:
        case RetryLater() | Snooze():
            return error.delay, error.reason
        case Reject() | Discard():
            return (error.reason,)
        case _:
            return tuple(map(str, error.args))


def _find(module: str, name: str, main: str | None) -> Any:
    """Finds what the worker itself registered; the names come over its own pipe."""
    if module in _MAIN and main is not None:
        load_main(main)
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _load(found: Any, function: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Returns arguments as they are annotated."""
    from qtasks._typed.builtin import builtin_converter
    from qtasks._typed.hints import signature_of
    from qtasks._typed.task_types import TaskTypes

    definition = getattr(found, "definition", None)
    if definition is None:  # it is a task elsewhere, and here a function
        known = TaskTypes(
            function.__name__,
            function,
            signature_of(function),
            "function",
            builtin_converter,
            validate=False,
            replaced=False,
        )
    else:
        known = definition.types
    return (args, kwargs) if known.load is None else known.load(tuple(args), kwargs)


def load_main(path: str) -> None:
    """Loads a main file once, under a name that does not run its main part.

    It becomes this process's main module.

    Args:
        path: the file.
    """
    if getattr(sys.modules["__main__"], "__file__", None) == path:
        return
    loaded = types.ModuleType("__mp_main__")
    loads_main.set(True)
    try:
        loaded.__dict__.update(runpy.run_path(path, run_name="__mp_main__"))
    finally:
        loads_main.set(False)
    loaded.__file__ = path
    sys.modules["__main__"] = sys.modules["__mp_main__"] = loaded
