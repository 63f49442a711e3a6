"""Processes for functions that must not share the worker's: ``pool="process"``.

Only the body of the function runs in the child; triggers and dependencies stay in the worker.
A child speaks over its standard input and output, so what a task prints goes to standard error.
It ends when the worker does, because its standard input closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtasks._runtime.current import current_delivery
from qtasks._runtime.errors import RemoteError
from qtasks._runtime.threads import ThreadPool
from qtasks._worker.child import CONTROLS, ChildAnswer, ChildHello, read_frame, write_frame
from qtasks.contracts.codec import decode, encode
from qtasks.contracts.injected import check_injected
from qtasks.exc import ProcessCrashedError, RegistrationError
from qtasks.schemas import TaskDefinition, TaskError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["APART", "ProcessPool", "check_crossable"]

log = logging.getLogger("qtasks.worker")

#: Ctrl-C in a terminal reaches a whole group of processes; it is for the worker alone.
APART: Final[dict[str, Any]] = (
    {"creationflags": 0x200} if sys.platform == "win32" else {"process_group": 0}
)
_COMMAND: Final = "from qtasks._worker.child import serve; serve()"


class ProcessPool:
    """Runs functions in at most ``size`` child processes, started as they are needed.

    Args:
        size: the most children.
    """

    def __init__(self, size: int) -> None:
        self._slots = asyncio.Semaphore(size)
        self._threads = ThreadPool(size, "qtasks-process")
        self._idle: list[subprocess.Popen[bytes]] = []
        self._busy: set[subprocess.Popen[bytes] | None] = set()

    async def run(
        self,
        task: TaskDefinition,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        begin: Callable[[], None] | None = None,
        take: Callable[[Any], Any] | None = None,
    ) -> Any:
        """Runs a task's function in a child and returns its result.

        A cancelled caller kills the child, so a function that never returns is stopped.

        Args:
            task: the task.
            args: positional arguments.
            kwargs: keyword arguments.
            begin: called on the loop when a child takes it up.
            take: takes what a generator yields, in a thread; returns what ``yield`` gives back.

        Raises:
            RemoteError: the function raised; type, message and traceback came back as data.
            ProcessCrashedError: the child died.
            TaskArgumentsError: nothing filled in a parameter whose default is ``INJECTED``.
        """
        check_injected(task.func, args, kwargs)  # the child may find the bare function
        function = [task.func.__module__, task.func.__qualname__]
        types = task.types
        typed = types is not None and types.load is not None
        if take is not None and types is not None and types.yielded is not None:
            take = _loading(types.yielded, take)
        request = encode(
            [*function, list(args), dict(kwargs), _running(task), typed],
            f"the arguments of {task.name}",
        )
        async with self._slots:
            child: subprocess.Popen[bytes] | None = None
            try:
                child = self._living()
                if child is None:
                    child = await self._threads.run(_start_child)
                    self._busy.add(child)
                    # It says that it is there: its start is none of the task's time.
                    await self._threads.run(partial(_read, child))
                self._busy.add(child)
                answer = await self._threads.run(partial(_ask, child, request, take), begin)
            except BaseException:
                if child is not None:
                    _kill(child)
                raise
            finally:
                self._busy.discard(child)
            self._idle.append(child)
        result = _open(answer)
        if types is None or types.returned is None or result is None:
            return result
        return types.returned(result)

    def _living(self) -> subprocess.Popen[bytes] | None:
        """Returns an idle child that still lives; one may have been killed meanwhile."""
        while self._idle:
            child = self._idle.pop()
            if child.poll() is None:
                return child
            _kill(child)
        return None

    def close(self) -> None:
        """Ends all children at once."""
        for child in [*self._idle, *self._busy]:
            if child is not None:
                _kill(child)
        self._idle.clear()
        self._threads.close()


def check_crossable(task: TaskDefinition) -> None:
    """Checks that a function can be found again by a child.

    Raises:
        RegistrationError: it is a lambda, is defined inside a function, or is no plain function.
    """
    name = getattr(task.func, "__qualname__", "")
    if task.is_async:
        msg = f"task {task.name!r}: pool='process' runs plain functions, not a {task.colour}"
        raise RegistrationError(msg)
    if not name or "<" in name or not getattr(task.func, "__module__", None):
        msg = (
            f"task {task.name!r}: {task.func!r} cannot be found by another process; define it at"
            " the top of a module, or use pool='thread'"
        )
        raise RegistrationError(msg)


def _loading(load: Callable[[Any], Any], take: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Has yielded values come back as they are annotated before they are taken."""
    return lambda value: take(load(value))


def _running(task: TaskDefinition) -> list[str | None]:
    """Returns what a child needs to know of the delivery that runs: ids, and the task's name."""
    delivery = current_delivery.get()
    if delivery is None:
        return [None, task.name, None]
    return [delivery.id, task.name, delivery.message.root_id]


def _start_child() -> subprocess.Popen[bytes]:
    child = subprocess.Popen(  # noqa: S603 - our own interpreter with our own command
        [sys.executable, "-c", _COMMAND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        **APART,
    )
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    hello = ChildHello(path=list(sys.path), main=str(Path(main).resolve()) if main else None)
    _write(child, encode(hello))
    return child


def _ask(
    child: subprocess.Popen[bytes], request: bytes, take: Callable[[Any], Any] | None
) -> ChildAnswer:
    """Has a child call a function; what it yields meanwhile is taken one by one."""
    while True:
        _write(child, request)
        answer = ChildAnswer(**decode(_read(child)))
        if not answer.yielded or take is None:
            return answer
        request = encode(take(answer.result), "what yield gives back")


def _read(child: subprocess.Popen[bytes]) -> bytes:
    """Reads what a child says next: that it is there, or an answer."""
    answer = read_frame(child.stdout)  # type: ignore[arg-type]  # it was started with a pipe
    if answer is None:
        code = child.wait()
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        msg = f"the process that ran the task died {how}"
        raise ProcessCrashedError(msg)
    return answer


def _write(child: subprocess.Popen[bytes], frame: bytes) -> None:
    # A child that is gone is noticed when its answer is read.
    with contextlib.suppress(BrokenPipeError):
        write_frame(child.stdin, frame)  # type: ignore[arg-type]  # it was started with a pipe


def _kill(child: subprocess.Popen[bytes]) -> None:
    """Kills a child and all it has started; never blocks the loop."""
    if sys.platform == "win32":
        child.kill()
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    threading.Thread(target=_bury, args=(child,), name="qtasks-bury", daemon=True).start()


def _bury(child: subprocess.Popen[bytes]) -> None:
    """Takes notice of a child's end and closes its pipes, which another thread may be reading."""
    child.wait()
    for stream in (child.stdin, child.stdout):
        with contextlib.suppress(OSError):
            stream.close()  # type: ignore[union-attr]  # it was started with pipes


def _open(answer: ChildAnswer) -> Any:
    if answer.raised is not None:
        name, arguments = answer.raised
        raise CONTROLS[name](*arguments)
    if answer.error is not None:
        raise RemoteError(TaskError(**answer.error))
    return answer.result
