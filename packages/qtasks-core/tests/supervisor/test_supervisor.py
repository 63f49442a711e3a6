"""A supervisor in a program: its children, their messages, and its end."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from qtasks._supervisor import process, supervisor
from qtasks.app.running import make_supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qtasks._supervisor.process import ChildProcess

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the signals are those of Unix")

GREETER = """
import os

import msgspec

from qtasks import QueueTasks
from qtasks.plugins import BasePlugin


class Greeting(msgspec.Struct):
    text: str
    pid: int


class Greeter(BasePlugin):
    def start(self, *args, **kwargs): ...
    def stop(self, *args, **kwargs): ...
    def trigger(self, name, *args, worker, **kwargs):
        if worker.channel is not None:
            worker.channel.send(Greeting(name, os.getpid()))


app = QueueTasks(broker_url="sqlite:///greeter.db")
app.add_plugin(Greeter(), ["worker_start", "worker_stop"])


@app.task
def where() -> int:
    return os.getpid()


@app.task
def stop() -> None:
    app.stop()
"""


@pytest.fixture
def greeter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A module with an app whose plugin speaks over the channel."""
    (tmp_path / "greeter.py").write_text(GREETER, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("greeter")
    yield module
    module.app.close()
    del sys.modules["greeter"]


async def test_a_plugin_speaks_over_the_channel_with_types_of_its_own(greeter: Any) -> None:
    made = make_supervisor(greeter.app, 2, burst=True)
    heard: list[tuple[int, Any]] = []

    def listen(child: ChildProcess) -> None:
        child.channel.on(greeter.Greeting, lambda greeting: heard.append((child.pid, greeting)))

    made.on_start(listen)
    summary = await made.run()

    assert (summary.started, summary.settled) == (2, 0)
    assert {greeting.text for _, greeting in heard} == {"worker_start", "worker_stop"}
    assert all(pid == greeting.pid for pid, greeting in heard)
    assert len({pid for pid, _ in heard}) == 2


async def test_stopping_the_app_stops_its_worker_processes(greeter: Any) -> None:
    made = make_supervisor(greeter.app, 2)
    greeted = asyncio.Event()
    made.on_start(lambda child: child.channel.on(greeter.Greeting, lambda _: greeted.set()))
    running = asyncio.ensure_future(made.run())
    await greeted.wait()
    pids = [child.pid for child in made.children]

    greeter.app.stop()
    await running

    assert len(pids) == 2
    assert made.children == []
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_supervisor_that_was_stopped_before_it_ran_starts_nothing(greeter: Any) -> None:
    made = make_supervisor(greeter.app, 2)
    made.stop()

    assert (await made.run()).started == 0


async def test_a_cancelled_supervisor_leaves_no_child(greeter: Any) -> None:
    made = make_supervisor(greeter.app, 2)
    greeted = asyncio.Event()
    made.on_start(lambda child: child.channel.on(greeter.Greeting, lambda _: greeted.set()))
    running = asyncio.ensure_future(made.run())
    await greeted.wait()
    children = made.children

    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert {child.code for child in children} == {-signal.SIGKILL}


async def test_a_task_that_stops_its_app_has_its_child_replaced(greeter: Any) -> None:
    made = make_supervisor(greeter.app, 1)
    started: list[ChildProcess] = []
    made.on_start(started.append)
    running = asyncio.ensure_future(made.run())

    await asyncio.to_thread(greeter.app.add_task("stop").wait, 60)
    handle = await asyncio.to_thread(greeter.app.add_task("where").wait, 60)
    made.stop()
    await running

    assert [child.pid for child in started][-1] == handle.returning
    assert started[0].goodbye is not None
    assert started[0].goodbye.why == "stopped"


async def test_what_prints_before_it_can_speak_is_told_and_ended(
    greeter: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(process, "_COMMAND", "print('Hello from sitecustomize', flush=True)")
    made = make_supervisor(greeter.app, 1)
    running = asyncio.ensure_future(made.run())

    while "writes to the pipe of its supervisor" not in caplog.text:
        await asyncio.sleep(0.001)
    made.stop()
    await running

    assert "no message begins with b'Hello from sitecustomize" in caplog.text


async def test_a_system_without_room_for_a_process_is_asked_again(
    greeter: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervisor, "_PAUSES", (0.0, 0.0))
    start, failures = supervisor.ChildProcess, [BlockingIOError(11, "try again")] * 2

    def child(*args: Any) -> Any:
        if failures:
            raise failures.pop()
        return start(*args)

    monkeypatch.setattr(supervisor, "ChildProcess", child)

    summary = await make_supervisor(greeter.app, 1, burst=True).run()

    assert summary.started == 1
    assert caplog.text.count("[1] No process can be started: [Errno 11] try again") == 2


def test_the_level_of_this_process_is_that_of_the_children(
    greeter: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        made = make_supervisor(greeter.app, 1)

    assert made._order.log_level == logging.ERROR
    assert not made._order.log_always
