"""The fixtures for tests of plugins and apps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

pytest_plugins = ["pytester"]

INI = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""

TESTS = """
import asyncio

from qtasks.testing import run_task


def test_the_parts_know_each_other(make_qtasks_app, qtasks_clock, trigger_recorder):
    app = make_qtasks_app(plugins=[trigger_recorder])
    app.task(name="add")(lambda x: x)
    began = qtasks_clock.time()
    assert run_task(app, "add", 5, delay=60).returning == 5
    assert qtasks_clock.time() == began + 60
    trigger_recorder.assert_sequence(["worker_start", "worker_stop"])


def test_a_sandbox(make_qtasks_app, plugin_sandbox, trigger_recorder):
    assert list(make_qtasks_app(plugins=None).plugins) == []
    plugin_sandbox(mine=trigger_recorder)
    assert list(make_qtasks_app(plugins=None).plugins) == ["mine"]


async def test_an_async_app(make_qtasks_app):
    app = make_qtasks_app("async", max_tasks_process=2)
    app.task(name="add")(lambda x: x)
    assert (await run_task(app, "add", 5)).returning == 5
"""


CONFTEST = """
from qtasks import QueueTasks
from qtasks.asyncio import QueueTasks as AsyncQueueTasks

CLOSED = []


def close(self):
    CLOSED.append(self.method)


async def close_async(self):
    CLOSED.append(self.method)


QueueTasks.close = close
AsyncQueueTasks.close = close_async


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"closed: {CLOSED}")
"""


def test_a_line_in_the_settings_brings_the_fixtures(pytester: pytest.Pytester) -> None:
    pytester.makeini(f"{INI}\naddopts = -p qtasks.testing.fixtures")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(TESTS)
    # Not in this process, in which the module of the fixtures is imported already.
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    assert result.parseoutcomes() == {"passed": 3}
    result.stdout.fnmatch_lines(["closed: ['sync', 'sync', 'sync', 'async']"])


def test_nobody_gets_them_unasked(pytester: pytest.Pytester) -> None:
    pytester.makeini(INI)
    pytester.makepyfile("def test(qtasks_clock): pass")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*fixture 'qtasks_clock' not found*"])
