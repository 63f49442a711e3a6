"""Which loop workers run on."""

from __future__ import annotations

import asyncio
import importlib.util
import sys

import pytest

from qtasks import QueueTasks
from qtasks._runtime.loops import describe_loop, run_on_loop
from qtasks.configs import QueueConfig


async def module() -> str:
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


def test_uvloop_is_used_where_it_is_installed_and_not_switched_off() -> None:
    assert run_on_loop(module(), uvloop=True) == "uvloop"
    assert describe_loop(uvloop=True).startswith("uvloop 0.")
    assert run_on_loop(module(), uvloop=False) == "asyncio"
    assert describe_loop(uvloop=False) == "asyncio (uvloop is switched off)"


def test_without_it_all_runs_on_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "uvloop", None)

    assert run_on_loop(module(), uvloop=True) == "asyncio"
    assert describe_loop(uvloop=True) == "asyncio (uvloop is not installed)"


@pytest.mark.parametrize(("wanted", "loop"), [(True, "uvloop"), (False, "asyncio")])
def test_run_forever_takes_the_same(wanted: bool, loop: str) -> None:
    app = QueueTasks(broker_url="memory://", config=QueueConfig(uvloop=wanted))
    app.task(name="module")(module)
    handle = app.add_task("module")

    app.run_forever(burst=True)

    assert handle.result(0) == loop
