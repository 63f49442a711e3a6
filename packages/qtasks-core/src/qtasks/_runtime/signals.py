"""The signals that ask a process to stop, on every platform."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["handle_signals", "interrupts", "take_interrupts"]

_STOPPING: Final = (signal.SIGINT, signal.SIGTERM)
#: For each who has taken SIGINT over from Python.
_taken: Final[list[None]] = []


def interrupts() -> bool:
    """Tells whether a ``KeyboardInterrupt`` here may be the user's.

    Python raises it in the main thread alone, and only if nobody has taken the signal over.
    """
    return not _taken and threading.current_thread() is threading.main_thread()


def take_interrupts() -> Callable[[], None]:
    """Says that no SIGINT becomes a ``KeyboardInterrupt`` from now on.

    Returns:
        A function that takes this back.
    """
    _taken.append(None)
    return _taken.pop


def handle_signals(asked: Callable[[], object]) -> Callable[[], None]:
    """Has a function called on the running loop for each signal that asks to stop.

    In a thread other than the main one signals stay as they are.

    Args:
        asked: the function.

    Returns:
        A function that puts things back.
    """
    loop = asyncio.get_running_loop()
    undo = contextlib.ExitStack()
    with contextlib.suppress(RuntimeError, ValueError):  # not the main thread
        for number in _STOPPING:
            try:
                loop.add_signal_handler(number, asked)
                undo.callback(loop.remove_signal_handler, number)
            except NotImplementedError:  # Windows
                before = signal.signal(number, lambda *_: loop.call_soon_threadsafe(asked))
                undo.callback(signal.signal, number, before)
        undo.callback(take_interrupts())
    return undo.close
