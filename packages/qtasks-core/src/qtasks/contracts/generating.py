"""Running a generator to its end."""

from __future__ import annotations

from asyncio import CancelledError
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

__all__ = ["exhaust", "exhaust_async"]


def exhaust(generator: Generator[Any, Any, Any], take: Callable[[Any], Any]) -> Any:
    """Hands every value to ``take`` and returns what the generator returned.

    Args:
        generator: is closed, whatever happens.
        take: what it returns is what ``yield`` gives back to the generator.
    """
    answer = None
    while True:
        try:
            value = _resume(generator, answer)
        except StopIteration as end:
            return end.value
        try:
            answer = take(value)
        except BaseException as error:
            try:
                generator.close()
            except RuntimeError as refusal:
                _note(error, refusal, goes_on=_alive(generator, "gi_frame"))
            raise


async def exhaust_async(
    generator: AsyncGenerator[Any, Any], take: Callable[[Any], Awaitable[Any]]
) -> None:
    """Hands every value to ``take``, as :func:`exhaust` does; this kind returns nothing."""
    answer, cancelled = None, None
    while True:
        try:
            if cancelled is None:
                value = await generator.asend(answer)
            else:
                value = await generator.athrow(cancelled)
        except StopAsyncIteration:
            return
        try:
            answer = await take(value)
        except BaseException as error:
            if cancelled is None and isinstance(error, CancelledError):
                cancelled = error  # perhaps by a time limit or a group within the generator
                continue
            try:
                await generator.aclose()
            except RuntimeError as refusal:
                _note(error, refusal, goes_on=_alive(generator, "ag_frame"))
            raise
        cancelled = None


def _alive(generator: Any, frame: str) -> bool:
    return getattr(generator, frame) is not None


def _note(error: BaseException, refusal: RuntimeError, *, goes_on: bool) -> None:
    """Keeps the error that closed a generator before that of one which will not be closed."""
    if not goes_on:
        raise refusal
    error.add_note(f"The generator was to be closed for this, but yielded: {refusal}")


def _resume(generator: Generator[Any, Any, Any], answer: Any) -> Any:
    if answer is None or not _takes_answers(generator):
        return next(generator)
    return generator.send(answer)


def _takes_answers(generator: Any) -> bool:
    # What ``yield from`` of a list or another iterator waits for cannot take an answer, however
    # many generators delegate to one another in between.
    inner = generator
    while inner is not None:
        if not hasattr(inner, "send"):
            return False
        inner = getattr(inner, "gi_yieldfrom", None)
    return True
