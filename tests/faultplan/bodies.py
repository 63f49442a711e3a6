"""What tasks do in the plan, whichever queue runs them: they note it, so that it can be counted.

A note is one line, appended in one system call, so lines of several processes do not mix, and
what is noted survives any kill of the process: ``word number pid token delivery time``.

========  ===================================================
``S``     a run starts
``E``     a run ends as it should
``A``     a run has reached a point at which it awaits
``C``     a run is cancelled
``F``     the queue refused an outcome, because another delivery is newer
``L``     a run is told that another delivery is newer
========  ===================================================
"""

from __future__ import annotations

import ctypes
import os
import re
import resource
import threading
import time
from dataclasses import dataclass

__all__ = ["POISONS", "Run", "write_note"]

#: Bytes of address space beyond those in use that a greedy task gets.
_LITTLE = 64 << 20
#: Lists in one another: fewer than any limit of recursion, and more than 32 KiB of stack hold.
_DEEP = 900


def write_note(
    path: str, word: str, number: int | str, *, token: int = 0, delivery: int = 0
) -> None:
    """Appends one line; the time is that of the clock that all processes of a machine share."""
    line = f"{word} {number} {os.getpid()} {token} {delivery} {time.monotonic():.6f}\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, line.encode())
    os.close(descriptor)


@dataclass(frozen=True)
class Run:
    """One run of a task.

    Attributes:
        path: where to note.
        number: the task's number.
        token: what fences this run; 0 where the queue has no such thing.
        delivery: the how-many-eth hand-out this is; 0 where the queue does not say.
    """

    path: str
    number: int
    token: int = 0
    delivery: int = 0

    def note(self, word: str) -> None:
        """Notes something about this run."""
        write_note(self.path, word, self.number, token=self.token, delivery=self.delivery)

    def result(self) -> list[int]:
        """Notes the end, and returns what the queue is to record."""
        self.note("E")
        return [os.getpid(), self.token]


def _segfault() -> None:
    ctypes.string_at(0)


def _exit() -> None:
    os._exit(9)


def _exhaust_memory() -> None:
    """Takes all memory there is, as a process does that the system's OOM killer then ends."""
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()  # noqa: PTH123, SIM115 - few imports, and it dies
    resource.setrlimit(resource.RLIMIT_AS, (used + _LITTLE, used + _LITTLE))
    try:
        hoard = []
        while True:
            hoard.append(bytearray(1 << 20))
    except MemoryError:
        os.kill(os.getpid(), 9)


def _loop_in_c() -> None:
    """Never comes back, and lets no other thread of the process run meanwhile."""
    re.match(r"(a+)+$", "a" * 64 + "b")


def _overflow_stack() -> None:
    """Recurses in C code until the stack is full; it is a small one, so no other limit is first."""
    threading.stack_size(32768)
    nested: list[object] = []
    for _ in range(_DEEP):
        nested = [nested]
    thread = threading.Thread(target=repr, args=(nested,))
    thread.start()
    thread.join()
    os.abort()  # this Python has noticed it in time; what follows is the same


#: Ways in which a task takes its process down.
POISONS = {
    "segfault": _segfault,
    "exit": _exit,
    "memory": _exhaust_memory,
    "loop": _loop_in_c,
    "stack": _overflow_stack,
}
