"""A plugin that raises or never comes back, in any trigger: all else happens as it should.

Each trigger is made to fire by its scene, which says what must come of it; then tasks run.
``tests/supervisor/test_triggers.py`` has the triggers of processes that look after workers.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.contracts.triggers import CATALOGUE, Kind
from qtasks.plugins import BasePlugin, Plugin, on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from conftest import Stage

HERE = [name for name, spec in CATALOGUE.items() if spec.roles != ("supervisor",)]
#: Seconds after which a plugin is left behind.
SOON = 0.02


class Harmful(BasePlugin):
    """Does harm wherever it is asked.

    Args:
        error: what it raises; None hangs instead.
    """

    def __init__(self, error: type[BaseException] | None) -> None:
        super().__init__("harmful")
        self.error = error

    def fills(self, _task: Any) -> list[str]:
        """Would fill in nothing."""
        return []

    def start(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""

    def stop(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""

    def trigger(self, name: str, *_: Any, **__: Any) -> Any:
        if self.error is None:
            return hang_around() if CATALOGUE[name].kind is Kind.AROUND else hang()
        msg = f"harm in {name}"
        raise self.error(msg)


async def hang() -> None:
    await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def hang_around() -> AsyncIterator[None]:
    await hang()
    yield


@pytest.fixture
def stage(make_harness: Callable[..., Any], stage_of: Callable[[Any], Stage]) -> Stage:
    """An app that does not wait long for plugins."""
    return stage_of(make_harness(plugin_timeout=SOON))


@pytest.fixture
def go() -> Iterator[threading.Event]:
    """Is set when the test is over, so that its threads end."""
    event = threading.Event()
    yield event
    event.set()


def in_memory(test: Any) -> Any:
    """Has a test run on the queue in memory alone."""
    return pytest.mark.parametrize("url", ["memory"], indirect=True)(test)


def plays(scenes: Any, stage: Stage, name: str, log: pytest.LogCaptureFixture) -> None:
    """Plays the scene of a trigger, and sees that tasks end as ever and the harm is told of."""
    scenes[name](stage)

    assert stage.run().returning == "x"
    failed = stage.run(stage.fail)
    assert (failed.status, failed.reason, failed.attempts) == ("error", "exhausted", 1)
    told = [record.message for record in log.records if record.name == "qtasks.plugins"]
    assert any(re.match(rf"Plugin harmful \(.*\) failed in {name}\b", line) for line in told), told


@in_memory
@pytest.mark.parametrize("name", HERE)
def test_a_plugin_that_raises_changes_no_outcome(
    scenes: Any, stage: Stage, name: str, caplog: Any
) -> None:
    stage.app.add_plugin(Harmful(RuntimeError), trigger_names=[name])

    plays(scenes, stage, name, caplog)

    assert f"harm in {name}" in caplog.text


@in_memory
@pytest.mark.parametrize("name", HERE)
def test_a_plugin_that_never_comes_back_is_left_behind(
    scenes: Any, stage: Stage, name: str, caplog: Any
) -> None:
    stage.app.add_plugin(Harmful(None), trigger_names=[name])

    plays(scenes, stage, name, caplog)

    assert f"it took over {SOON:g} s (plugin_timeout) and was left behind" in caplog.text


@in_memory
@pytest.mark.parametrize("colour", ["sync"], indirect=True)
@pytest.mark.parametrize("name", [n for n in HERE if CATALOGUE[n].kind is not Kind.AROUND])
def test_a_plugin_whose_thread_never_comes_back_is_left_behind(
    scenes: Any, stage: Stage, name: str, go: threading.Event, caplog: Any
) -> None:
    class Waiting(Plugin):
        def fills(self, _task: Any) -> list[str]:
            return []

        @on(name, blocking=True)
        def wait(self) -> None:
            go.wait()

    stage.app.add_plugin(Waiting("harmful"))

    plays(scenes, stage, name, caplog)

    assert f"it took over {SOON:g} s (plugin_timeout) and was left behind" in caplog.text
