"""Which event loop workers run on."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["describe_loop", "freeze_objects", "run_on_loop"]

T = TypeVar("T")


def run_on_loop(main: Coroutine[Any, Any, T], *, uvloop: bool) -> T:
    """Runs a coroutine on a new loop, as ``asyncio.run`` does.

    Args:
        main: the coroutine.
        uvloop: whether the loop is uvloop's where that is installed.
    """
    with asyncio.Runner(loop_factory=_find_factory(uvloop=uvloop)) as runner:
        return runner.run(main)


def freeze_objects() -> None:
    """Leaves all objects that there are out of garbage collection.

    A collection looks at every object, and a worker has a hundred thousand from what it imported,
    which stay for its life: 10 to 20 ms, in which no task starts and none is answered. It is for
    processes that do nothing but work.
    """
    gc.collect()
    gc.freeze()


def _find_factory(*, uvloop: bool) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if not (uvloop and _has_uvloop()):
        return None
    from uvloop import new_event_loop

    return new_event_loop


def describe_loop(*, uvloop: bool) -> str:
    """Returns in words which loop :func:`run_on_loop` takes."""
    if not _has_uvloop():
        return "asyncio (uvloop is not installed)"
    return f"uvloop {version('uvloop')}" if uvloop else "asyncio (uvloop is switched off)"


def _has_uvloop() -> bool:
    return importlib.util.find_spec("uvloop") is not None
