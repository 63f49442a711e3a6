"""A process that forks with an open broker, and both sides go on."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
import traceback
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.adapters.sqlite import SqliteBroker, slot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qtasks.schemas import Message

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


class Child:
    """A forked child; it does ``work`` when it is told to."""

    def __init__(self, work: Callable[[], None]) -> None:
        told, self._tell = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(told)
            return
        code = 1
        try:
            os.close(self._tell)
            os.read(told, 1)
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - nothing of pytest may run in the child
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(code)

    def go(self) -> int:
        """Tells it and returns its exit code."""
        os.close(self._tell)
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)


def test_both_sides_go_on(
    url: str, path: Path, message: Callable[..., Message], run: Callable[..., Any]
) -> None:
    """The child writes after the parent closed: a child with the parent's idea of locks loses it.

    Not even a new connection would help it, see ``forks.py``.
    """
    twin = SqliteBroker(url).client()
    run(twin.start())
    before, here, there = message(), message(), message()
    run(twin.publish([before]))

    def work() -> None:
        run(twin.publish([there]))
        assert run(twin.stats("q")).ready == 3
        assert len([one for one in run(twin.storage.get([before.id, here.id])) if one]) == 2

    child = Child(work)
    run(twin.publish([here]))
    run(twin.stop())
    # Somebody who opens and closes it now is alone, and tidies up.
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("SELECT count(*) FROM task").fetchone() == (2,)
    assert child.go() == 0
    run(twin.start())
    assert run(twin.stats("q")).ready == 3
    run(twin.stop())
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_nothing_is_open_across_a_fork(
    twin: SqliteBroker, message: Callable[..., Message], run: Callable[..., Any]
) -> None:
    run(twin.publish([message()]))
    run(twin.stats("q"))
    run(twin.ready(["q"], 0))
    database = twin._engine._database

    def work() -> None:
        assert [one.conn for one in database._slots] == [None] * 3
        assert slot._inherited == []
        run(twin.ready(["q"], 0))
        run(twin.stop())
        run(twin.start())
        run(twin.publish([message()]))

    assert Child(work).go() == 0
    assert run(twin.stats("q")).ready == 2


def test_a_child_waits_and_wakes(
    twin: SqliteBroker, message: Callable[..., Message], run: Callable[..., Any]
) -> None:
    """Bells of the parent are not the child's."""
    assert run(twin.ready(["q"], 0.01)) is False
    first, second = message(), message(queue="answer")

    def work() -> None:
        run(twin.publish([first]))
        assert run(twin.ready(["answer"], 1e6)) is True

    child = Child(work)
    os.close(child._tell)
    child._tell = os.dup(0)
    assert run(twin.ready(["q"], 1e6)) is True
    run(twin.publish([second]))
    assert child.go() == 0


def test_a_fork_that_python_does_not_see(
    twin: SqliteBroker,
    message: Callable[..., Message],
    run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process id tells; the foreign connection is neither used nor closed."""
    run(twin.publish([message()]))
    database = twin._engine._database
    conn = database._writer.conn
    assert conn is not None
    database._pid -= 1
    run(twin.publish([message()]))
    assert database._writer.conn is not conn
    assert slot._inherited == [conn]
    assert run(twin.stats("q")).ready == 2
    slot._inherited.clear()
    conn.close()


def test_the_threads_of_a_broker_stay_in_the_parent(
    url: str, message: Callable[..., Message], program: Callable[..., Any]
) -> None:
    """A loop in the child has threads of its own; the parent's loop goes on as well."""
    assert program(FORKING, url).end() == 0


FORKING = """
import asyncio, os, sys, warnings
from qtasks.adapters.sqlite import SqliteBroker
from qtasks.schemas import Message

# A fork with threads is what this is about.
warnings.simplefilter("ignore", DeprecationWarning)
broker = SqliteBroker(sys.argv[1])
loop = asyncio.new_event_loop()

async def begin():
    await broker.start()
    await broker.publish([Message("a", "t", "q", b"")])
    assert await broker.ready(["q"], 1e6)
    assert not await broker.ready(["other"], 0.01)

async def go_on(name):
    await broker.publish([Message(name, "t", "q", b"")])
    assert await broker.ready(["q"], 1e6)
    assert await broker.storage.wait(["nobody"], 1e6) == {"nobody": None}
    (await broker.stats("q")).ready >= 2

async def end():
    await broker.stop()

loop.run_until_complete(begin())
pid = os.fork()
if pid == 0:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(go_on("child"))
    loop.run_until_complete(end())
    os._exit(0)
loop.run_until_complete(go_on("parent"))
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

async def count():
    assert (await broker.stats("q")).ready == 3

loop.run_until_complete(count())
loop.run_until_complete(end())
loop.close()
"""


def test_a_fork_in_the_middle_of_a_transaction(
    twin: SqliteBroker,
    message: Callable[..., Message],
    run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The child does not wait for a thread that is not there."""
    monkeypatch.setattr("qtasks.adapters.sqlite.database._FORK_PATIENCE", 0.01)
    run(twin.publish([message()]))
    database = twin._engine._database
    entered, gate = threading.Event(), threading.Event()

    def hold() -> None:
        with database._writer.lock:
            entered.set()
            gate.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait()
    database.before_fork()
    conn = database._writer.conn
    assert conn is not None
    database._pid -= 1  # as in the child
    database.after_fork()
    run(twin.publish([message()]))
    assert run(twin.stats("q")).ready == 2
    assert slot._inherited == [conn]
    slot._inherited.clear()
    gate.set()
    thread.join()
    conn.close()
