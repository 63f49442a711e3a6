"""Fixtures for the tests of plugins and apps.

Ask for them where your tests are configured, for example in ``pyproject.toml``::

    [tool.pytest.ini_options]
    addopts = ["-p", "qtasks.testing.fixtures"]

They are no plugin that pytest finds by itself, because that would make every pytest in the
environment import QTasks, and rewrite the assertions in it.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.testing import sandbox
from qtasks.testing.app import make_app
from qtasks.testing.clock import FakeClock
from qtasks.testing.recorder import TriggerRecorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["make_qtasks_app", "plugin_sandbox", "qtasks_clock", "trigger_recorder"]


@pytest.fixture
def qtasks_clock() -> FakeClock:
    """The time of the apps that ``make_qtasks_app`` makes; it stands still."""
    return FakeClock()


@pytest.fixture
def trigger_recorder() -> TriggerRecorder:
    """A plugin that writes down the triggers of the apps it is added to."""
    return TriggerRecorder()


@pytest.fixture
def make_qtasks_app(qtasks_clock: FakeClock) -> Iterator[Callable[..., Any]]:
    """Makes apps as :func:`~qtasks.testing.make_app` does, and closes them after the test."""
    made: list[Any] = []

    def make(colour: Any = "sync", **options: Any) -> Any:
        made.append(make_app(colour, **{"clock": qtasks_clock, **options}))
        return made[-1]

    yield make
    for app in made:
        closing = app.close()
        if app.method == "async":
            asyncio.run(closing)


@pytest.fixture
def plugin_sandbox() -> Iterator[Callable[..., None]]:
    """Hides all installed plugins from the test; called, it shows some.

    Its arguments are those of :func:`qtasks.testing.plugin_sandbox`.
    """
    with ExitStack() as stack:
        stack.enter_context(sandbox.plugin_sandbox())

        def show(*names: str, **plugins: Any) -> None:
            stack.enter_context(sandbox.plugin_sandbox(*names, **plugins))

        yield show
