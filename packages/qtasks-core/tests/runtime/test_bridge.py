"""Coroutines from plain code."""

from __future__ import annotations

import asyncio
import functools
import os
import threading
from typing import TYPE_CHECKING

import pytest

from qtasks._runtime.bridge import Portal, drive, is_async_callable

if TYPE_CHECKING:
    from collections.abc import Iterator


async def answer(value: int) -> int:
    return value


def test_drive_runs_what_never_suspends() -> None:
    async def nested() -> int:
        return await answer(2) + await answer(3)

    assert drive(nested()) == 5


def test_drive_passes_exceptions() -> None:
    async def fail() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        drive(fail())


def test_drive_refuses_what_suspends() -> None:
    with pytest.raises(RuntimeError, match="suspended although its transport is a blocking one"):
        drive(asyncio.sleep(0))


class Callable:
    async def __call__(self) -> None:
        """Does nothing."""


def test_colours_are_seen_through_partials_and_objects() -> None:
    assert is_async_callable(functools.partial(functools.partial(answer), 1))
    assert is_async_callable(Callable())
    assert not is_async_callable(print)
    assert not is_async_callable(Callable)


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal()
    yield portal
    portal.close()


def test_portal_runs_on_one_loop_in_its_own_thread(portal: Portal) -> None:
    async def where() -> tuple[int, str]:
        await asyncio.sleep(0)
        return id(asyncio.get_running_loop()), threading.current_thread().name

    first, second = portal.call(where), portal.call(where)
    assert first == second
    assert first[1] == "qtasks-portal"


def test_portal_passes_exceptions_even_timeouts(portal: Portal) -> None:
    async def fail() -> None:
        msg = "mine"
        raise TimeoutError(msg)

    with pytest.raises(TimeoutError, match="mine"):
        portal.call(fail)


def test_portal_refuses_to_block_a_running_loop(portal: Portal) -> None:
    async def inside() -> None:
        portal.call(lambda: answer(1))

    with pytest.raises(RuntimeError, match=r"use qtasks\.asyncio\.QueueTasks"):
        asyncio.run(inside())


def test_portal_starts_again_after_close(portal: Portal) -> None:
    assert portal.call(lambda: answer(1)) == 1
    portal.close()
    assert not portal.running
    portal.close()
    assert portal.call(lambda: answer(2)) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings(
    "ignore:.*fork:DeprecationWarning"
)  # forking a threaded process is the case under test
def test_portal_works_in_a_forked_child(portal: Portal) -> None:
    portal.call(lambda: answer(1))
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.write(write, str(portal.call(lambda: answer(7))).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        assert stream.read() == b"7"
    os.waitpid(child, 0)
